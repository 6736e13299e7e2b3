//! What the machine has: PostgreSQL's programs, and a user who may run them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::told;

/// The oldest version that is tested.
const OLDEST: u32 = 15;

/// The folder of the newest server programs.
///
/// # Errors
/// When there are none, with what to install.
pub fn binaries() -> Result<PathBuf, String> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        for version in versions.flatten() {
            let number = version.file_name().to_string_lossy().parse();
            let folder = version.path().join("bin");
            if let (Ok(number), true) = (number, has_all(&folder)) {
                found.push((number, folder));
            }
        }
    }
    for folder in std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()) {
        if has_all(&folder) {
            found.push((version(&folder).unwrap_or(0), folder));
        }
    }
    found
        .into_iter()
        .filter(|(number, _)| *number >= OLDEST)
        .max()
        .map(|(_, folder)| folder)
        .ok_or_else(|| {
            format!(
                "no PostgreSQL {OLDEST} or newer is installed (initdb, postgres and psql in \
                 /usr/lib/postgresql/*/bin or PATH); on Debian run: apt-get install postgresql"
            )
        })
}

fn has_all(folder: &Path) -> bool {
    ["initdb", "postgres", "psql"]
        .iter()
        .all(|program| folder.join(program).is_file())
}

/// The major version that `postgres --version` tells.
fn version(folder: &Path) -> Option<u32> {
    let output = Command::new(folder.join("postgres"))
        .arg("--version")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let number = text
        .split_whitespace()
        .find(|w| w.starts_with(|c: char| c.is_ascii_digit()))?;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Whom to run the server as: PostgreSQL refuses root. `None` is ourselves.
///
/// # Errors
/// When we are root and there is nobody else.
pub fn owner() -> Result<Option<(u32, u32)>, String> {
    let output = Command::new("id")
        .arg("-u")
        .output()
        .map_err(told("id -u"))?;
    if String::from_utf8_lossy(&output.stdout).trim() != "0" {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").map_err(told("/etc/passwd"))?;
    let find = |wanted: &str| {
        users.lines().find_map(|line| {
            let mut parts = line.split(':');
            let name = parts.next()?;
            let ids = (parts.nth(1)?.parse().ok()?, parts.next()?.parse().ok()?);
            (name == wanted).then_some(ids)
        })
    };
    match find("postgres").or_else(|| find("nobody")) {
        Some(ids) => Ok(Some(ids)),
        None => Err("it does not run as root, and there is no user `postgres` or `nobody`".into()),
    }
}
