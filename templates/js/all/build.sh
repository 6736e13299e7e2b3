#!/bin/sh
# Makes {{name}}.wasm of plugin.js, with a JavaScript engine in it.
set -eu
cd "$(dirname "$0")"

if [ ! -e node_modules ]; then
    # Not `npm ci`: it refuses a lock file without the engines' builds for every other system.
    npm install --no-save --no-audit --no-fund
fi
node build.mjs
