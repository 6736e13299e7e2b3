//! `cargo xtask test`: exactly what CI runs.

use std::process::Command;

use crate::run::{Outcome, root, run_cargo, succeeds};
use crate::{circles, plugins, postgres, tools};

/// Fails where a merge has left both sides of a conflict.
fn merged() -> Outcome {
    let marks = "^(<<<<<<<|>>>>>>>) ";
    let found = Command::new("git")
        .args(["grep", "--line-number", "--extended-regexp", marks])
        .current_dir(root())
        .output();
    match found {
        Ok(found) if found.status.success() => Err(format!(
            "both sides of a conflict are left:\n{}",
            String::from_utf8_lossy(&found.stdout)
        )),
        // Nothing was found, or this is no work tree of git's.
        _ => Ok(()),
    }
}

/// What is off by default and tested nevertheless.
const PARTS: &str = "--features=glovebox/cluster";

/// Runs every check; `filter` is handed to the tests.
pub(crate) fn test(filter: &[String]) -> Outcome {
    run_cargo(&["fmt", "--all", "--check"])?;
    circles::circles()?;
    merged()?;
    if succeeds("cargo", &["deny", "--version"]) {
        run_cargo(&["deny", "check", "bans", "licenses", "sources"])?;
        if succeeds("cargo", &["deny", "fetch", "db"]) {
            run_cargo(&["deny", "check", "--disable-fetch", "advisories"])?;
        } else {
            eprintln!(
                "SKIPPED: known vulnerabilities of dependencies; RustSec's database cannot be fetched"
            );
        }
    } else {
        eprintln!(
            "SKIPPED: licences, sources and known vulnerabilities of dependencies; cargo-deny is \
             not installed"
        );
    }
    postgres::ensure()?;
    plugins::standard()?;
    plugins::guests()?;
    tools::ensure()?;
    run_cargo(&[
        "clippy",
        "--workspace",
        PARTS,
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ])?;
    // The program as the demo has it, without its larger parts.
    run_cargo(&[
        "clippy",
        "--package=glovebox",
        "--no-default-features",
        "--",
        "--deny",
        "warnings",
    ])?;
    // The guests are components; as native libraries they would only take time to link.
    let all = ["--workspace", PARTS, "--exclude", "glovebox-guests"];
    // The end-to-end tests run the program as it is built, not as a test. With all targets,
    // dependencies get the features that they have in the tests, and are built once.
    run_cargo(&[&["build", "--all-targets"], &all[..]].concat())?;
    let mut args = [&["test"], &all[..]].concat();
    args.extend(filter.iter().map(String::as_str));
    run_cargo(&args)
}
