//! `cargo xtask demo` and `cargo xtask serve`: from a fresh clone to three masked rows, and to an
//! API over them.
//!
//! `cargo xtask install` builds all of it.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::plugins;
use crate::run::{Outcome, cargo, finish, root, step, target};

/// Of `Cargo.toml`.
const PROFILE: &str = "demo";
const MANIFEST: &str = "data/sales.yaml";

pub(crate) fn demo() -> Outcome {
    step(
        "1 of 3: the standard plugins, as WebAssembly components; a minute on two cores, the first time",
        plugins::standard,
    )?;
    step(
        "2 of 3: the program, unoptimised and without the API, PostgreSQL, Parquet and the keyring;\n    \
         two to three minutes on two cores, the first time",
        || program(&["--no-default-features"]),
    )?;
    step(
        "3 of 3: data/sales.yaml, and the rows that it stored; seconds",
        run,
    )?;
    println!(
        "\nThe rejected rows are in data/sales.rejects.jsonl, with their rules and without their values.\n\
         Change {MANIFEST} and run again: {} run {MANIFEST}\n\
         cargo xtask serve serves these rows over an API; cargo xtask install puts the whole \
             program on your PATH.",
        path().display()
    );
    Ok(())
}

pub(crate) fn serve() -> Outcome {
    step(
        "1 of 2: the standard plugins and the program with all its parts; ten minutes on two cores,\n    \
         the first time",
        || plugins::standard().and_then(|()| program(&[])),
    )?;
    if !root().join("data/sales.db").is_file() {
        run()?;
    }
    eprintln!("\n==> 2 of 2: the API, until Ctrl-C");
    finish(
        Command::new(path())
            .args(["serve", "--config", "data/glovebox.yaml", "--demo"])
            .current_dir(root()),
    )
}

/// Where the program is.
fn path() -> PathBuf {
    target().join(PROFILE).join("glovebox")
}

fn program(features: &[&str]) -> Outcome {
    finish(cargo(&["build", "--profile", PROFILE, "--package", "glovebox"])?.args(features))
}

/// Runs the manifest and shows what it stored.
fn run() -> Outcome {
    // A clone gives every file to everyone, and a secret deserves better, even this one.
    let salt = root().join("data/demo-secrets/sales/customer-salt");
    set_permissions(&salt, Permissions::from_mode(0o600))
        .map_err(|e| format!("cannot protect {}: {e}", salt.display()))?;
    for command in ["run", "rows"] {
        println!();
        finish(
            Command::new(path())
                .args([command, MANIFEST])
                .current_dir(root()),
        )?;
    }
    Ok(())
}
