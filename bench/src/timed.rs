//! Runs one contender to its end.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};

/// Wall time in seconds.
pub(crate) fn seconds(command: &mut Command) -> anyhow::Result<f64> {
    let program = command.get_program().to_string_lossy().into_owned();
    let started = Instant::now();
    let output = command
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    let seconds = started.elapsed().as_secs_f64();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} failed: {said}");
    }
    Ok(seconds)
}
