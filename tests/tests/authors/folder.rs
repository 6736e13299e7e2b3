//! A folder that `glovebox plugin new` made, and commands in it, as an author would type them.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use glovebox_tests::pipeline::program;

/// The target folder.
pub(crate) fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().to_owned()
}

/// What a command left.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) all: String,
}

impl Said {
    fn of(output: Output) -> Said {
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Said {
            code: output.status.code(),
            all: format!("{stdout}\n{stderr}"),
            stdout,
        }
    }

    #[track_caller]
    pub(crate) fn ends_with(self, code: i32) -> Said {
        assert_eq!(self.code, Some(code), "{}", self.all);
        self
    }
}

/// Runs a line in a shell. cargo builds into a folder that stays warm between runs; componentize-py
/// is on the PATH where xtask installed it.
pub(crate) fn shell(folder: &Path, line: &str) -> Said {
    let mut path = vec![target().join("tools/python/venv/bin")];
    path.push(program().parent().unwrap().to_owned());
    path.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    let output = Command::new("sh")
        .args(["-c", line])
        .current_dir(folder)
        .env("PATH", std::env::join_paths(path).unwrap())
        .env("CARGO_TARGET_DIR", target().join("tools/rust"))
        .env("GLOVEBOX_CACHE", target().join("tmp/glovebox-tests-cache"))
        // Names in the folder are the contract's; where this test was called from is nobody's.
        .env_remove("CARGO")
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    Said::of(output)
}

/// An empty folder of that name, always in the same place: cargo knows a path again.
pub(crate) fn empty(name: &str) -> PathBuf {
    let folder = target().join("tmp/authors").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Whether xtask installed what components of a language are made with; if not, says so where
/// also a test that passes is heard.
pub(crate) fn installed(language: &str) -> bool {
    let installed = target().join("tools").join(language).join("installed");
    if language == "rust" || installed.is_file() {
        return true;
    }
    let said =
        format!("\nnot run: plugins in {language}; `cargo xtask tools` installs what they need\n");
    std::io::stderr().write_all(said.as_bytes()).unwrap();
    false
}

/// Makes a new plugin, and returns its folder and the command that `plugin new` printed.
pub(crate) fn new_plugin(
    above: &Path,
    name: &str,
    language: &str,
    world: &str,
) -> (PathBuf, String) {
    let line = format!("glovebox plugin new {name} --world {world} --lang {language}");
    let said = shell(above, &line).ends_with(0);
    let printed = said.stdout.lines().find_map(|line| line.strip_prefix("  "));
    let folder = above.join(name);
    if language == "js" {
        // As `build.sh` would leave it, by the same lock file.
        let modules = target().join("tools/js/node_modules");
        std::os::unix::fs::symlink(modules, folder.join("node_modules")).unwrap();
    }
    (folder, printed.unwrap().to_owned())
}

/// Where the component of a folder like this one is kept, so that it need not be made again.
pub(crate) fn kept(folder: &Path, what: &str) -> PathBuf {
    let mut hash = DefaultHasher::new();
    let mut names: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .chain([folder.join("wit/plugin.wit")])
        .filter(|path| path.is_file())
        .collect();
    names.sort();
    for path in names {
        path.file_name().hash(&mut hash);
        fs::read(path).unwrap().hash(&mut hash);
    }
    let kept = target().join("tmp/authors/kept").join(what);
    let component = kept.join(format!("{:016x}.wasm", hash.finish()));
    if kept.exists() && !component.exists() {
        // That of an older template.
        fs::remove_dir_all(&kept).unwrap();
    }
    fs::create_dir_all(&kept).unwrap();
    component
}
