//! `cargo xtask torture`: kills, cuts, crashes and takeovers, and what is stored in the end.

use std::process::Command;

use crate::run::{Outcome, finish, run_cargo, target};
use crate::{plugins, postgres};

/// Builds the program and the torturer in release mode, and runs the latter.
pub(crate) fn torture(args: &[String]) -> Outcome {
    postgres::ensure()?;
    plugins::standard()?;
    run_cargo(&[
        "build",
        "--release",
        "--package=glovebox",
        "--package=glovebox-tests",
        "--bin=glovebox",
        "--bin=glovebox-torture",
    ])?;
    let release = target().join("release");
    finish(
        Command::new(release.join("glovebox-torture"))
            .env("GLOVEBOX_BIN", release.join("glovebox"))
            .args(args),
    )
}
