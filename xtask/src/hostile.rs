//! `cargo xtask hostile`: every hostile guest in a process of its own, measured and judged.

use std::process::Command;

use crate::plugins;
use crate::run::{Outcome, finish, run_cargo, target};

/// Builds the guests and the program that runs them, and runs it; `--release` builds it as users
/// have the host, all else is handed on.
pub(crate) fn hostile(args: &[String]) -> Outcome {
    plugins::guests()?;
    let (release, rest): (Vec<&String>, Vec<&String>) =
        args.iter().partition(|arg| *arg == "--release");
    let mut build = vec![
        "build",
        "--package=glovebox-tests",
        "--bin=glovebox-hostile",
    ];
    let profile = if release.is_empty() {
        "debug"
    } else {
        build.push("--release");
        "release"
    };
    run_cargo(&build)?;
    let program = target().join(profile).join("glovebox-hostile");
    finish(Command::new(program).args(rest))
}
