//! Tells the benchmark where the compiled `partial` lies.

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-env-changed=GLOVEBOX_PLUGINS");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    // OUT_DIR is TARGET/PROFILE/build/PACKAGE-HASH/out.
    let folder = std::env::var_os("GLOVEBOX_PLUGINS").map_or_else(
        || {
            out.ancestors()
                .nth(4)
                .unwrap_or(Path::new("target"))
                .join("plugins")
        },
        PathBuf::from,
    );
    println!(
        "cargo::rustc-env=GLOVEBOX_PARTIAL={}",
        folder.join("partial.wasm").display()
    );
}
