//! Compiles the standard plugins, the documentation's, and the tests' hostile guests to components.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Outcome, root, run_cargo, succeeds, target};

const TARGET: &str = "wasm32-wasip2";

/// The standard plugins, as `target/plugins/NAME.wasm`.
pub(crate) fn standard() -> Outcome {
    ensure_target()?;
    let mut names = Vec::new();
    for kind in ["validators", "maskers", "transformers"] {
        let folder = root().join("plugins").join(kind);
        let entries =
            fs::read_dir(&folder).map_err(|e| format!("cannot list {}: {e}", folder.display()))?;
        names.extend(
            entries
                .flatten()
                .filter(|entry| entry.path().join("Cargo.toml").is_file())
                .map(|entry| entry.file_name().to_string_lossy().into_owned()),
        );
    }
    names.sort();
    let packages: Vec<String> = names
        .iter()
        .map(|n| format!("--package=plugin-{n}"))
        .collect();
    let mut args = vec!["build", "--profile", "plugin", "--target", TARGET];
    args.extend(packages.iter().map(String::as_str));
    run_cargo(&args)?;

    let out = target().join("plugins");
    fs::create_dir_all(&out).map_err(|e| format!("cannot make {}: {e}", out.display()))?;
    for name in &names {
        let built = target()
            .join(TARGET)
            .join("plugin")
            .join(format!("plugin_{}.wasm", name.replace('-', "_")));
        copy_if_changed(&built, &out.join(format!("{name}.wasm")))?;
    }
    remove_strangers(&out, &names)
}

/// The hostile guests and the plugins of the documentation: examples of two packages.
pub(crate) fn guests() -> Outcome {
    ensure_target()?;
    run_cargo(&[
        "build",
        "--profile",
        "plugin",
        "--target",
        TARGET,
        "--package",
        "glovebox-guests",
        "--package",
        "glovebox-sdk",
        "--examples",
    ])
}

fn ensure_target() -> Outcome {
    let installed = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(root())
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
        .is_some_and(|folder| folder.is_dir());
    if installed {
        return Ok(());
    }
    eprintln!("adding the {TARGET} target");
    if succeeds("rustup", &["target", "add", TARGET]) {
        Ok(())
    } else {
        Err(format!(
            "plugins need Rust's {TARGET} target: run `rustup target add {TARGET}`"
        ))
    }
}

fn copy_if_changed(from: &Path, to: &Path) -> Outcome {
    let new = fs::read(from).map_err(|e| format!("cannot read {}: {e}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    fs::write(to, new).map_err(|e| format!("cannot write {}: {e}", to.display()))
}

fn remove_strangers(out: &Path, names: &[String]) -> Outcome {
    let entries = fs::read_dir(out).map_err(|e| format!("cannot list {}: {e}", out.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        let known = path
            .file_stem()
            .is_some_and(|stem| names.iter().any(|n| stem == n.as_str()));
        if !known {
            fs::remove_file(&path).map_err(|e| format!("cannot remove {}: {e}", path.display()))?;
        }
    }
    Ok(())
}
