//! Explanations of cells: by a process of this program that a request waits for, since it may read a source,
//! which this one never does. It ends with its request.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use glovebox_core::supervised::{SecretsUsed, Unexplained};
use serde_json::Value;

/// How often it is looked whether the process has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// The most that is read of an answer, in bytes: names of columns and steps.
const MAX_ANSWER: u64 = 4 << 20;
/// The most that is read of problems, in bytes.
const MAX_SAID: u64 = 64 << 10;

/// A cell of a run's that is asked about.
#[derive(Debug)]
pub struct CellAsked<'c> {
    /// The pipeline's manifest.
    pub manifest: &'c Path,
    /// What the sink calls the run.
    pub run: &'c str,
    /// The row's number in the source, counted from 0.
    pub row: u64,
    /// The column, as the caller spells it.
    pub column: &'c str,
    /// The run read something else than the manifest's source, which therefore is not asked.
    pub journal_only: bool,
}

/// Makes the command by which a process explains a cell: it reads the run's proof, or nothing, from the first line
/// of its standard input, answers on standard output, and stops when its standard input ends.
pub type Explains = fn(&CellAsked<'_>) -> io::Result<Command>;

/// What a process has said.
pub(crate) struct Told {
    /// The explanation, or why there is none.
    pub(crate) answer: Result<Value, NoAnswer>,
    /// Names of the secrets that it fetched, whatever it did then.
    pub(crate) secrets: Vec<String>,
}

/// Why there is no explanation.
pub(crate) enum NoAnswer {
    /// It cannot be had.
    Unexplained(Unexplained),
    /// The process failed, for this reason.
    Failed(String),
}

/// Ends a process when the request that waits for it is dropped.
#[derive(Default)]
pub(crate) struct Reins(Arc<AtomicBool>);

impl Reins {
    /// What is true once they are dropped.
    pub(crate) fn dropped(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Drop for Reins {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits for a process, which is told the run's proof; blocks.
pub(crate) fn ask(mut command: Command, proof: Option<&str>, dropped: &AtomicBool) -> Told {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = match command.spawn() {
        Ok(process) => process,
        Err(error) => {
            return Told {
                answer: Err(NoAnswer::Failed(format!(
                    "it could not be started: {error}"
                ))),
                secrets: Vec::new(),
            };
        }
    };
    let (answer, said) = std::thread::scope(|scope| {
        let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
        let answer = scope.spawn(|| read(stdout, MAX_ANSWER));
        let said = scope.spawn(|| read(stderr, MAX_SAID));
        let stdin = process.stdin.take().map(|mut stdin| {
            let line = proof.unwrap_or_default().trim_end();
            // One that has ended already says itself why.
            let _ = stdin.write_all(format!("{line}\n").as_bytes());
            stdin
        });
        wait(&mut process, dropped);
        drop(stdin);
        let joined = (answer.join(), said.join());
        (joined.0.unwrap_or_default(), joined.1.unwrap_or_default())
    });
    let code = process.wait().ok().and_then(|status| status.code());
    let (secrets, problem) = secrets(&said);
    let unexplained = |answer: &[u8]| serde_json::from_slice(answer).map(NoAnswer::Unexplained);
    let answer = match code {
        Some(0) => serde_json::from_slice(&answer).map_err(|_| NoAnswer::Failed(problem)),
        Some(2) => Err(unexplained(&answer).unwrap_or(NoAnswer::Failed(problem))),
        Some(_) => Err(NoAnswer::Failed(problem)),
        None => Err(NoAnswer::Failed("its process was killed".into())),
    };
    Told { answer, secrets }
}

/// Which secrets a process has fetched, and what else it said.
fn secrets(said: &[u8]) -> (Vec<String>, String) {
    let mut secrets = Vec::new();
    let mut problem = String::new();
    for line in String::from_utf8_lossy(said).lines() {
        match serde_json::from_str::<SecretsUsed>(line) {
            Ok(used) => secrets.extend(used.secrets),
            Err(_) => problem += line,
        }
    }
    secrets.sort();
    secrets.dedup();
    (secrets, problem)
}

/// Until the process has ended, by itself or since nobody waits for it any more.
fn wait(process: &mut Child, dropped: &AtomicBool) {
    while let Ok(None) = process.try_wait() {
        if dropped.load(Ordering::Relaxed) {
            // It may have ended just now.
            let _ = process.kill();
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

fn read(pipe: Option<impl Read>, at_most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Some(mut pipe) = pipe else { return bytes };
    // What was read before an error is judged as it is.
    let _ = pipe.by_ref().take(at_most).read_to_end(&mut bytes);
    // A full pipe would stop the process.
    let _ = io::copy(&mut pipe, &mut io::sink());
    bytes
}
