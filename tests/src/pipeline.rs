//! A pipeline in a folder of its own, and calls of the real `glovebox` program on it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Longer than any call of a test takes, on a slow and busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// The program as cargo built it, or `$GLOVEBOX_BIN`.
///
/// # Panics
/// When it is not there, with the commands that build it.
pub fn program() -> PathBuf {
    let built = || profile().join("glovebox");
    let path = std::env::var_os("GLOVEBOX_BIN").map_or_else(built, PathBuf::from);
    assert!(
        path.is_file(),
        "there is no {}; build it: cargo xtask plugins && cargo build -p glovebox",
        path.display()
    );
    path
}

/// Where all tests keep compiled components, so that each is compiled once.
fn cache() -> PathBuf {
    profile().join("../tmp/glovebox-tests-cache")
}

/// Where cargo puts programs of this profile: a test is PROFILE/deps/NAME-HASH, the torture
/// PROFILE/NAME.
fn profile() -> PathBuf {
    let here = std::env::current_exe().unwrap_or_default();
    let folder = here.parent().unwrap_or(Path::new("."));
    let profile = match folder.ends_with("deps") {
        true => folder.parent(),
        false => Some(folder),
    };
    profile.unwrap_or(folder).to_owned()
}

/// A manifest `manifest.yaml` and its files.
#[derive(Debug)]
pub struct Pipeline {
    folder: TempDir,
    environment: Vec<(OsString, OsString)>,
}

impl Pipeline {
    /// A folder with this manifest.
    pub fn new(manifest: &str) -> Pipeline {
        Pipeline::empty().file("manifest.yaml", manifest)
    }

    /// A folder without anything in it.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn empty() -> Pipeline {
        let folder = tempfile::Builder::new().prefix("glovebox-test-").tempdir();
        Pipeline {
            folder: told("a temporary folder", folder),
            environment: Vec::new(),
        }
    }

    /// Writes a file, and the folders above it.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.write(name, content);
        self
    }

    /// Sets a variable for all calls.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Writes a file, and the folders above it.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        let above = path.parent().unwrap_or(Path::new("/"));
        told(name, fs::create_dir_all(above));
        told(name, fs::write(&path, content));
        // The program warns of secrets that others may read, and any file may be one.
        let private = fs::Permissions::from_mode(0o600);
        told(name, fs::set_permissions(&path, private));
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// The text of a file.
    ///
    /// # Panics
    /// When it is not there or not UTF-8.
    pub fn read(&self, name: &str) -> String {
        told(name, fs::read_to_string(self.path(name)))
    }

    /// The names in the folder, hidden ones too, sorted.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn names(&self) -> Vec<String> {
        let entries = told("the folder", fs::read_dir(self.folder()));
        let mut names: Vec<String> = entries
            .map(|entry| told("an entry", entry).file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// A call of the program in the folder, with nothing of this process's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .current_dir(self.folder())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder())
            .env("GLOVEBOX_CACHE", cache())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Calls the program and waits for its end.
    ///
    /// # Panics
    /// When it cannot be started, or does not end.
    pub fn call(&self, arguments: &[&str]) -> Ran {
        self.start(arguments).end()
    }

    /// Calls the program with this on its standard input.
    ///
    /// # Panics
    /// As [`Pipeline::call`].
    pub fn call_with_input(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped());
        let mut running = Running::new(command);
        let pipe = running.child.stdin.take();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                if let Some(mut pipe) = pipe {
                    // A program that does not want all of it is no failure of the test.
                    let _ = pipe.write_all(input);
                }
            });
            running.end()
        })
    }

    /// `glovebox run manifest.yaml`, with the report.
    ///
    /// # Panics
    /// As [`Pipeline::call`], and when the report is not JSON.
    pub fn run(&self) -> Ran {
        self.run_with(&[])
    }

    /// The same with more arguments.
    ///
    /// # Panics
    /// As [`Pipeline::run`].
    pub fn run_with(&self, arguments: &[&str]) -> Ran {
        // Beside the folder's own files it would be one more to explain.
        let reports = told("a temporary folder", TempDir::new());
        let report = reports.path().join("report.json");
        let path = report.to_string_lossy().into_owned();
        let call = ["run", "manifest.yaml", "--report", &path];
        let mut ran = self.call(&[&call, arguments].concat());
        if let Ok(json) = fs::read(&report) {
            ran.report = told("the report", serde_json::from_slice(&json));
        }
        ran
    }

    /// Starts the program and does not wait for its end.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::new(self.command(arguments))
    }
}

/// A call under way; killed if it is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    output: TempDir,
}

impl Running {
    /// Starts a command with its output in files.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn new(mut command: Command) -> Running {
        // Files, since a full pipe would stop the program until somebody reads it.
        let output = told("a temporary folder", TempDir::new());
        let file = |name| told(name, File::create(output.path().join(name)));
        command.stdout(file("stdout")).stderr(file("stderr"));
        Running {
            child: told("the program", command.spawn()),
            output,
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        self.text("stderr")
    }

    /// What it has written to standard output so far.
    pub fn stdout(&self) -> String {
        self.text("stdout")
    }

    /// Writes to its standard input, which stays open; its command must have a pipe there.
    ///
    /// # Panics
    /// When it does not take all.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Some(pipe) = self.child.stdin.as_mut() else {
            panic!("the program's standard input is no pipe");
        };
        told("standard input", pipe.write_all(bytes));
    }

    /// Ends its standard input.
    pub fn close_input(&mut self) {
        self.child.stdin = None;
    }

    /// Sends it a signal, such as `INT`.
    ///
    /// # Panics
    /// When `kill` fails.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([format!("-{name}"), self.id().to_string()])
            .status();
        assert!(told("kill", status).success(), "kill -{name} failed");
    }

    /// Waits until `there` holds.
    ///
    /// # Panics
    /// When the program ends before, or nothing happens for minutes.
    pub fn until(&mut self, what: &str, mut there: impl FnMut(&Running) -> bool) {
        let started = Instant::now();
        while !there(self) {
            let ended = told("the program", self.child.try_wait());
            assert!(
                ended.is_none(),
                "ended before {what}:\n{}",
                self.text("stderr")
            );
            assert!(started.elapsed() < PATIENCE, "waited too long for {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether it has not ended yet.
    ///
    /// # Panics
    /// When the system does not know.
    pub fn is_running(&mut self) -> bool {
        told("the program", self.child.try_wait()).is_none()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end in minutes.
    pub fn end(mut self) -> Ran {
        let started = Instant::now();
        let status: ExitStatus = loop {
            if let Some(status) = told("the program", self.child.try_wait()) {
                break status;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "the program does not end; so far:\n{}",
                self.text("stderr")
            );
            std::thread::sleep(Duration::from_millis(5));
        };
        Ran {
            code: status.code(),
            stdout: self.text("stdout"),
            stderr: self.text("stderr"),
            report: Value::Null,
        }
    }

    fn text(&self, name: &str) -> String {
        let bytes = fs::read(self.output.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A call that has ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The report, if the call wrote one.
    pub report: Value,
}

impl Ran {
    /// The call, if it ended with this code.
    ///
    /// # Panics
    /// When it did not, with what it said.
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Ran {
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// The call, if standard error has this in it.
    ///
    /// # Panics
    /// When it has not.
    #[track_caller]
    pub fn says(self, text: &str) -> Ran {
        assert!(
            self.stderr.contains(text),
            "`{text}` is not in:\n{}",
            self.stderr
        );
        self
    }

    /// The call, if standard output has this in it.
    ///
    /// # Panics
    /// When it has not.
    #[track_caller]
    pub fn prints(self, text: &str) -> Ran {
        assert!(
            self.stdout.contains(text),
            "`{text}` is not in:\n{}",
            self.stdout
        );
        self
    }

    /// A count of the report's `rows`: `read`, `stored`, `filtered` or `rejected`.
    ///
    /// # Panics
    /// When there is no report.
    #[track_caller]
    pub fn rows(&self, fate: &str) -> u64 {
        let count = self.report.pointer(&format!("/rows/{fate}"));
        match count.and_then(Value::as_u64) {
            Some(count) => count,
            None => panic!("no count of rows {fate}; stderr:\n{}", self.stderr),
        }
    }

    /// Whether the report's sum holds: each row that was read has exactly one fate.
    ///
    /// # Panics
    /// When there is no report.
    pub fn is_balanced(&self) -> bool {
        let withheld = self.report.get("withheld-rows");
        let withheld = withheld.and_then(Value::as_u64).unwrap_or(0);
        let fates = self.rows("stored") + self.rows("filtered") + self.rows("rejected");
        self.rows("read") == fates + withheld
    }
}

#[track_caller]
fn told<T, E: std::fmt::Display>(what: &str, result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(problem) => panic!("{what}: {problem}"),
    }
}
