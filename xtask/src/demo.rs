//! `cargo xtask demo`: from a fresh clone to three masked rows.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::plugins;
use crate::run::{Outcome, debug, finish, root, run_cargo};

pub(crate) fn demo() -> Outcome {
    plugins::standard()?;
    run_cargo(&["build", "--package", "glovebox"])?;
    let manifest = "data/sales.yaml";
    // A clone gives every file to everyone, and a secret deserves better, even this one.
    let salt = root().join("data/demo-secrets/sales/customer-salt");
    set_permissions(&salt, Permissions::from_mode(0o600))
        .map_err(|e| format!("cannot protect {}: {e}", salt.display()))?;
    println!();
    finish(
        Command::new(debug("glovebox"))
            .args(["run", manifest])
            .current_dir(root()),
    )?;
    println!();
    finish(
        Command::new(debug("glovebox"))
            .args(["rows", manifest])
            .current_dir(root()),
    )?;
    println!(
        "\nThe rejected rows are in data/sales.rejects.jsonl, with their rules and without their values.\n\
         Change {manifest} and run again: {} run {manifest}",
        debug("glovebox").display()
    );
    Ok(())
}
