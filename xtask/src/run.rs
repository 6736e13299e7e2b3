//! Runs commands in the workspace's root and says which one failed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Done, or a sentence.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    // What cargo says now comes first: a warm target folder may hold a program that was built in
    // another clone.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = here.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    here.parent().unwrap_or(&here).to_owned()
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Says what happens next, what it is for and about how long it takes, does it, and says how long
/// it took.
pub(crate) fn step(what: &str, work: impl FnOnce() -> Outcome) -> Outcome {
    eprintln!("\n==> {what}");
    let begun = Instant::now();
    work()?;
    let seconds = begun.elapsed().as_secs();
    eprintln!("    took {} min {:02} s", seconds / 60, seconds % 60);
    Ok(())
}

/// A cargo call, not yet run.
pub(crate) fn cargo(args: &[&str]) -> Outcome<Command> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(args).current_dir(root());
    Ok(command)
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Outcome {
    let shown = shown(command);
    eprintln!("$ {shown}");
    let status = command
        .status()
        .map_err(|e| format!("cannot start `{shown}`: {e}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{shown}` failed ({status})"))
    }
}

/// Runs a cargo call to its end.
pub(crate) fn run_cargo(args: &[&str]) -> Outcome {
    finish(&mut cargo(args)?)
}

/// Whether a command starts and succeeds, without its output.
pub(crate) fn succeeds(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .current_dir(root())
        .output()
        .is_ok_and(|output| output.status.success())
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program());
    std::iter::once(name)
        .chain(command.get_args())
        .map(|part| part.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
