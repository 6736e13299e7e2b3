//! Installs the programs that the benchmark is compared with, in pinned versions.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::run::{Outcome, finish, root, target};

/// Python with the packages of `bench/peers/requirements.txt`.
pub(crate) fn python() -> Outcome<PathBuf> {
    let pins = root().join("bench/peers/requirements.txt");
    let told = |e: std::io::Error| format!("{}: {e}", pins.display());
    let wanted = fs::read_to_string(&pins).map_err(told)?;
    let folder = target().join("tools/peers");
    let (python, mark) = (folder.join("bin/python"), folder.join("installed"));
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    finish(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder),
    )?;
    finish(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--requirement"])
            .arg(&pins),
    )?;
    fs::write(&mark, wanted).map_err(told)?;
    Ok(python)
}
