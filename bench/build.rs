//! Tells the benchmark where the compiled plugins lie.

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
        "cargo::rustc-env=GLOVEBOX_PLUGIN_FOLDER={}",
        folder.display()
    );
}
