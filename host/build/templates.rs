//! Embeds what `glovebox plugin new` writes: the templates, the contract, and the SDK as a
//! standalone crate. There is no list of files to maintain: everything in the folders is embedded.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The code of a table of paths and texts: `templates/…`, `sdk/…`, `wit/plugin.wit`, `Cargo.lock`.
pub(crate) fn table(root: &Path) -> io::Result<String> {
    let mut rows = String::from("pub(crate) const FILES: &[(&str, &str)] = &[\n");
    let mut add = |name: &str, text: &str| writeln!(rows, "    ({name:?}, {text}),").is_ok();
    for (folder, name) in [("templates", "templates"), ("plugins/sdk/src", "sdk/src")] {
        for path in files(&root.join(folder))? {
            let inside = path.strip_prefix(root.join(folder)).unwrap_or(&path);
            add(&format!("{name}/{}", inside.display()), &include(&path));
        }
    }
    for (file, name) in [
        // The SDK's documentation includes it.
        (
            "plugins/sdk/examples/email_domain.rs",
            "sdk/examples/email_domain.rs",
        ),
        ("wit/plugin.wit", "wit/plugin.wit"),
        ("Cargo.lock", "Cargo.lock"),
    ] {
        add(name, &include(&root.join(file)));
    }
    let manifest = stand_alone(
        &read(&root.join("plugins/sdk/Cargo.toml"))?,
        &read(&root.join("Cargo.toml"))?,
    )?;
    add("sdk/Cargo.toml", &format!("{manifest:?}"));
    rows.push_str("];\n");
    Ok(rows)
}

fn include(path: &Path) -> String {
    println!("cargo::rerun-if-changed={}", path.display());
    format!("include_str!({:?})", path.display().to_string())
}

fn read(path: &Path) -> io::Result<String> {
    println!("cargo::rerun-if-changed={}", path.display());
    fs::read_to_string(path)
}

/// All files below a folder, sorted.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.append(&mut files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A member's manifest with what it has from the workspace written out; without lints, which are
/// ours, and without tests and examples, which stay here.
fn stand_alone(member: &str, workspace: &str) -> io::Result<String> {
    let mut written = String::new();
    let mut section = "";
    for line in member.lines() {
        if line.starts_with('[') {
            section = line;
        }
        let ours = ["[lints]", "[dev-dependencies]", "[[example]]"].contains(&section);
        if ours || line.starts_with('#') {
            continue;
        }
        let Some(key) = line.strip_suffix(".workspace = true") else {
            written.push_str(line);
            written.push('\n');
            continue;
        };
        let table = match section {
            "[package]" => "[workspace.package]",
            _ => "[workspace.dependencies]",
        };
        let inherited = workspace
            .split_once(table)
            .map_or("", |(_, rest)| rest)
            .lines()
            .skip(1)
            .take_while(|line| !line.starts_with('['))
            .find(|line| line.starts_with(&format!("{key} =")))
            .ok_or_else(|| io::Error::other(format!("Cargo.toml has no {key} in {table}")))?;
        written.push_str(inherited);
        written.push('\n');
    }
    Ok(written)
}
