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
"$glovebox" plugin check {{name}}.wasm
