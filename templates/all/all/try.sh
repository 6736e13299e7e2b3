#!/bin/sh
# Builds the component, runs its cases, sends people.csv through pipeline.yaml, and examines it.
set -eu
cd "$(dirname "$0")"
glovebox=${GLOVEBOX:-glovebox}

./build.sh
"$glovebox" plugin test {{name}}.wasm cases.yaml
"$glovebox" run pipeline.yaml
echo
cat clean.csv
echo
# Its batches are larger than those of a run, which takes an interpreter longer.
"$glovebox" plugin check --time 30 --memory 512 {{name}}.wasm
