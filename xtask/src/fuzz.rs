//! `cargo xtask fuzz | wast`: mutated components against the sandbox; the component model's own
//! tests.

use std::process::Command;

use crate::plugins;
use crate::run::{Outcome, finish, run_cargo, target};

/// Builds what is mutated and what is attacked, and starts the campaign.
pub(crate) fn fuzz(args: &[String]) -> Outcome {
    plugins::standard()?;
    plugins::guests()?;
    run_cargo(&[
        "build",
        "--release",
        "--package=glovebox-fuzz",
        "--features=tools",
    ])?;
    finish(Command::new(target().join("release/glovebox-fuzz")).args(args))
}

/// Runs wasmtime's and the specification's tests under our engine's configuration.
pub(crate) fn wast() -> Outcome {
    run_cargo(&[
        "test",
        "--package=glovebox-fuzz",
        "--features=wast",
        "--test=wast",
        "--",
        "--nocapture",
    ])
}
