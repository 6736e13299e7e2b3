//! A PostgreSQL server's programs for the tests, installed where that is allowed.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::run::{Outcome, finish, succeeds};

/// The oldest server that the tests run against.
const OLDEST: u32 = 15;

/// Makes sure that `initdb` and `postgres` are on this machine.
pub(crate) fn ensure() -> Outcome {
    if installed() {
        return Ok(());
    }
    if !is_root() || !succeeds("apt-get", &["--version"]) {
        return Err(format!(
            "the tests start a PostgreSQL server of their own; install version {OLDEST} or newer \
             (Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql)"
        ));
    }
    finish(Command::new("apt-get").args(["update", "-q"]))?;
    finish(
        Command::new("apt-get")
            .args([
                "install",
                "-q",
                "-y",
                "--no-install-recommends",
                "postgresql",
            ])
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

fn installed() -> bool {
    let debian = fs::read_dir("/usr/lib/postgresql").is_ok_and(|versions| {
        versions.flatten().any(|version| {
            let new_enough = version
                .file_name()
                .to_string_lossy()
                .parse::<u32>()
                .is_ok_and(|v| v >= OLDEST);
            new_enough && version.path().join("bin/initdb").is_file()
        })
    });
    debian || on_path("initdb")
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

fn is_root() -> bool {
    // `/proc/self` belongs to the user whom this process runs as.
    use std::os::unix::fs::MetadataExt;
    fs::metadata(Path::new("/proc/self")).is_ok_and(|meta| meta.uid() == 0)
}
