#!/bin/sh
# Makes {{name}}.wasm of plugin.js, with a JavaScript engine in it.
set -eu
cd "$(dirname "$0")"

if [ ! -e node_modules ]; then
    npm ci --no-audit --no-fund
fi
node build.mjs
