#!/bin/sh
# Makes {{name}}.wasm of {{world}}.py, with the Python interpreter in it.
set -eu
cd "$(dirname "$0")"

# One on the PATH is taken as it is; else the pinned one goes into .venv.
if command -v componentize-py >/dev/null; then
    componentize=componentize-py
else
    componentize=.venv/bin/componentize-py
    if [ ! -x "$componentize" ]; then
        python3 -m venv .venv
        .venv/bin/pip install --quiet --requirement requirements.txt
    fi
fi
"$componentize" --quiet --wit-path wit --world {{world}}-plugin componentize {{world}} --output {{name}}.wasm
