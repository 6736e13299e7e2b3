//! Embeds the standard plugins and the templates of new ones, so that people copy one file.
//!
//! `cargo xtask plugins` compiles them to components first; without them there is nothing to
//! embed, and the build says so.

#[path = "build/templates.rs"]
mod templates;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-env-changed=GLOVEBOX_PLUGINS");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    // OUT_DIR is TARGET/PROFILE/build/PACKAGE-HASH/out.
    let folder = env::var_os("GLOVEBOX_PLUGINS").map_or_else(
        || {
            out.ancestors()
                .nth(4)
                .unwrap_or(Path::new("target"))
                .join("plugins")
        },
        PathBuf::from,
    );
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut plugins: Vec<PathBuf> = fs::read_dir(&folder)
        .map(|entries| entries.flatten().map(|e| e.path()).collect())
        .unwrap_or_default();
    plugins.retain(|path| path.extension().is_some_and(|e| e == "wasm"));
    plugins.sort();
    if plugins.is_empty() {
        println!(
            "cargo::error=no standard plugins in {}: run `cargo xtask plugins` first",
            folder.display()
        );
        return;
    }
    let mut code = String::from("pub(crate) const STANDARD: &[(&str, &[u8])] = &[\n");
    for path in &plugins {
        println!("cargo::rerun-if-changed={}", path.display());
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let path = path.display().to_string();
        writeln!(code, "    ({name:?}, include_bytes!({path:?})),").unwrap_or_default();
    }
    code.push_str("];\n");
    if let Err(error) = fs::write(out.join("standard.rs"), code) {
        println!("cargo::error=cannot write standard.rs: {error}");
    }
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let root = here.parent().unwrap_or(Path::new(".."));
    let written = templates::table(root).and_then(|code| fs::write(out.join("templates.rs"), code));
    if let Err(error) = written {
        println!("cargo::error=cannot embed the templates of plugins: {error}");
    }
}
