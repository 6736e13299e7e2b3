#!/bin/sh
# Compiles the plugin to {{name}}.wasm.
set -eu
cd "$(dirname "$0")"

# Any rustc with the target's standard library will do, with or without rustup.
if [ ! -d "$(rustc --print target-libdir --target wasm32-wasip2)" ]; then
    rustup target add wasm32-wasip2
fi
cargo build --release --target wasm32-wasip2
cp "${CARGO_TARGET_DIR:-target}/wasm32-wasip2/release/{{crate}}.wasm" {{name}}.wasm
