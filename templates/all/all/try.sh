#!/bin/sh
# Builds the component, runs its cases, examines it, and sends people.csv through pipeline.yaml.
set -eu
cd "$(dirname "$0")"
glovebox=${GLOVEBOX:-glovebox}

./build.sh
"$glovebox" plugin test {{name}}.wasm cases.yaml
"$glovebox" plugin check {{name}}.wasm
"$glovebox" run pipeline.yaml
echo
cat clean.csv
