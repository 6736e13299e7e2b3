//! One run as a child process: its start, its output and its end. It does not outlive the server.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use glovebox_audit::{Action, Event, Outcome};
use glovebox_catalog::{Beat, Claimed, Run, RunMode};
use glovebox_core::shown::is_invisible;
use glovebox_core::supervised::{Progress, SecretsUsed};
use tokio::runtime::Handle;

use super::super::audit::NotRecorded;
use super::super::config::Pipeline;
use super::{Runs, UploadKey};

/// A run that was told to stop ends with its current batch; after this long it is killed.
pub(super) const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// How often a server says that it lives.
const BEAT: Duration = Duration::from_secs(1);
/// How often it is looked whether the process has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// The longest text of a failure that is kept, in bytes.
const MAX_PROBLEM_LEN: usize = 4 << 10;
/// The longest line that is read.
const MAX_LINE_LEN: u64 = 64 << 10;

/// What a process is to run, and how.
#[derive(Debug)]
pub struct ChildRun<'r> {
    /// The pipeline's manifest.
    pub manifest: &'r Path,
    /// Where it writes its report.
    pub report: PathBuf,
    /// Where it writes what it rejects.
    pub rejects: PathBuf,
    /// The file that it reads instead of the one that the manifest names.
    pub input: Option<PathBuf>,
    /// That file is encrypted, and its key comes on standard input, before an empty line.
    pub input_key: bool,
    /// The list of rejects whose rows are run.
    pub rejects_of: Option<PathBuf>,
    /// What the sink calls the run that wrote the list; without it the sink is asked.
    pub of_run: Option<&'r str>,
    /// The server's name for the run: a process that has begun it is gone on with.
    pub request: &'r str,
    /// Where the audit log stood when the process was begun: number and hash of its last record.
    pub audit_head: Option<String>,
    /// It goes on with a run that did not finish.
    pub resume: bool,
    /// Even if that run's process seems to live.
    pub take_over: bool,
    /// It begins anew, even if rows of this input were added before.
    pub again: bool,
    /// It runs only the rows behind those that were added before.
    pub only_new: bool,
}

/// Makes the command by which a process does a run, says on standard error what
/// [`glovebox_core::supervised`] has lines for, and stops when its standard input ends.
pub type Launch = fn(&ChildRun<'_>) -> std::io::Result<Command>;

/// How a run ended, for its server.
pub(super) enum Ended {
    Done(String),
    Rejected(String),
    Failed(String),
    Cancelled,
    /// Another server has it.
    Lost,
    /// The server stops, and another one may go on.
    Released,
}

/// What a process has said so far.
#[derive(Default)]
struct ChildOutput {
    told: Option<Progress>,
    /// Secrets whose use is not recorded yet.
    secrets: Vec<String>,
    problem: String,
}

/// Why a process was told to stop.
#[derive(Clone, Copy, PartialEq)]
enum Stop {
    Cancelled,
    Released,
    Lost,
    /// What it did could not be recorded.
    Unrecorded,
}

/// Starts a run and stays with it.
pub(super) fn follow(
    runs: &Arc<Runs>,
    claimed: &Claimed,
    pipeline: &Pipeline,
    runtime: &Handle,
) -> Ended {
    let run = &claimed.run;
    if let Err(error) = runs.folder().make(&run.id) {
        return Ended::Failed(format!("its folder cannot be created: {error}"));
    }
    let earlier = run.of.as_deref().and_then(|of| {
        let report = runtime.block_on(runs.catalog.report(of)).ok()??;
        let report: serde_json::Value = serde_json::from_str(&report).ok()?;
        Some(report.get("run")?.as_str()?.to_owned())
    });
    let upload = run.upload.then(|| runs.folder().uploaded(&run.id));
    let upload = upload.flatten();
    let key = match upload.as_ref().is_some_and(|(_, is_sealed)| *is_sealed) {
        false => None,
        true => match runtime.block_on(use_key(runs, run)) {
            Ok(key) => Some(key),
            Err(problem) => return Ended::Failed(problem.into()),
        },
    };
    let input = upload.map(|(path, _)| path);
    let command = command(
        runs,
        claimed,
        pipeline,
        earlier.as_deref(),
        (input, key.is_some()),
    );
    let process = command.and_then(|mut command| {
        let mut process = command.spawn()?;
        if let Some((key, stdin)) = key.zip(process.stdin.as_mut()) {
            // One that has ended already says itself why.
            let _ = key.tell(stdin);
        }
        Ok(process)
    });
    let mut process = match process {
        Ok(process) => process,
        Err(error) => return Ended::Failed(format!("it could not be started: {error}")),
    };
    let said = Arc::new(Mutex::new(ChildOutput::default()));
    let listener = process.stderr.take().map(|pipe| {
        let said = Arc::clone(&said);
        std::thread::spawn(move || listen(pipe, &said))
    });
    let (status, stopped) = watch(runs, run, &mut process, &said, runtime);
    if let Some(listener) = listener {
        // It ends with the pipe; what it had to say is in `said` already.
        let _ = listener.join();
    }
    let code = status.and_then(|s| s.code());
    let report = matches!(code, Some(0 | 3)).then(|| report(runs, run));
    if let Some(Ok(report)) = &report {
        // A short run is over before it has told anything.
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        let before = said.told.unwrap_or_default();
        said.told = super::rows(report, "read").map(|rows| Progress { rows, ..before });
    }
    // The last that was told. A short run's secrets may not have been recorded yet.
    let _ = runtime.block_on(beat(runs, run, &said));
    if runtime.block_on(record_secrets(runs, run, &said)).is_err() {
        tracing::error!(
            run = run.id,
            "a run's use of secrets is not in the audit log"
        );
    }
    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
    match (code, stopped) {
        (Some(0), _) => ended(report, Ended::Done),
        (Some(_), _) if report.is_some() => ended(report, Ended::Rejected),
        (_, Some(Stop::Lost)) => Ended::Lost,
        (_, Some(Stop::Cancelled)) => Ended::Cancelled,
        (_, Some(Stop::Released)) => Ended::Released,
        (_, Some(Stop::Unrecorded)) => {
            Ended::Failed("its use of secrets could not be recorded in the audit log".into())
        }
        (Some(_), None) => Ended::Failed(problem(std::mem::take(&mut said.problem))),
        (None, None) => Ended::Failed("its process was killed; perhaps memory ran out".into()),
    }
}

/// The key of uploads, whose use is recorded.
async fn use_key<'r>(runs: &'r Runs, run: &Run) -> Result<&'r UploadKey, &'static str> {
    let key = runs.upload_key().ok_or(
        "its uploaded file is encrypted, and this server has no `uploads-key` for it; upload it again",
    )?;
    let event = Event::new(Action::SecretUsed, Outcome::Success)
        .key(key.name.as_str())
        .run(&run.id);
    let recorded = runs.audit.record(super::by(run, event)).await;
    recorded.map_err(|_| "its use of a secret could not be recorded in the audit log")?;
    Ok(key)
}

fn command(
    runs: &Runs,
    claimed: &Claimed,
    pipeline: &Pipeline,
    named: Option<&str>,
    (input, input_key): (Option<PathBuf>, bool),
) -> std::io::Result<Command> {
    let folder = runs.folder();
    let (run, taken_over) = (&claimed.run, claimed.begun);
    let mut command = (runs.launch)(&ChildRun {
        manifest: &pipeline.manifest,
        report: folder.report(&run.id),
        rejects: folder.rejects(&run.id),
        input,
        input_key,
        rejects_of: run.of.as_deref().map(|of| folder.rejects(of)),
        of_run: named.filter(|_| run.of.is_some()),
        request: &run.id,
        audit_head: runs.audit.head(),
        resume: run.mode == RunMode::Resume,
        // The process of a server that died may take its time to notice; no other one of this
        // pipeline is under way, by the catalog.
        take_over: taken_over,
        again: run.mode == RunMode::Again,
        only_new: run.mode == RunMode::OnlyNew,
    })?;
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    Ok(command)
}

/// Until the process ends: how it ended, and why it was told to.
fn watch(
    runs: &Runs,
    run: &Run,
    process: &mut Child,
    said: &Mutex<ChildOutput>,
    runtime: &Handle,
) -> (Option<ExitStatus>, Option<Stop>) {
    // The end of its standard input tells it to stop, and comes by itself if the server dies.
    let mut reins = process.stdin.take();
    let mut told: Option<(Stop, Instant)> = None;
    let mut last = Instant::now();
    let mut stopping: Option<Instant> = None;
    loop {
        match process.try_wait() {
            Ok(None) => {}
            Ok(Some(status)) => return (Some(status), told.map(|(stop, _)| stop)),
            Err(_) => return (None, told.map(|(stop, _)| stop)),
        }
        let mut stop = None;
        if last.elapsed() >= BEAT {
            last = Instant::now();
            // A catalog that does not answer is no reason to stop; another server may take over.
            stop = match runtime.block_on(beat(runs, run, said)) {
                Ok(Beat::Lost) => Some(Stop::Lost),
                Ok(Beat::Cancel) => Some(Stop::Cancelled),
                Ok(Beat::On) | Err(_) => None,
            };
        }
        if runtime.block_on(record_secrets(runs, run, said)).is_err() {
            stop = Some(Stop::Unrecorded);
        }
        if runs.stopping.load(Ordering::Relaxed) {
            let since = *stopping.get_or_insert_with(Instant::now);
            if since.elapsed() >= runs.config.shutdown {
                stop = stop.or(Some(Stop::Released));
            }
        }
        if let (Some(stop), None) = (stop, told) {
            told = Some((stop, Instant::now()));
            reins = None;
        }
        let at_once = |stop| matches!(stop, Stop::Lost | Stop::Unrecorded);
        if told.is_some_and(|(stop, at)| at_once(stop) || at.elapsed() >= STOP_TIMEOUT) {
            // It may have ended just now.
            let _ = process.kill();
        }
        std::thread::sleep(POLL_INTERVAL);
        // Held until there is a reason to let go.
        let _ = &reins;
    }
}

async fn beat(
    runs: &Runs,
    run: &Run,
    said: &Mutex<ChildOutput>,
) -> Result<Beat, glovebox_catalog::Error> {
    let told = said.lock().unwrap_or_else(PoisonError::into_inner).told;
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let progress = told.map_or((run.rows, run.bytes, run.bytes_all), |told| {
        (number(told.rows), number(told.bytes), told.of.map(number))
    });
    runs.catalog
        .beat(&run.id, &runs.holder, progress, super::super::now())
        .await
}

/// What a run was let into, in the audit log.
async fn record_secrets(
    runs: &Runs,
    run: &Run,
    said: &Mutex<ChildOutput>,
) -> Result<(), NotRecorded> {
    let secrets = {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut said.secrets)
    };
    for name in secrets {
        let event = Event::new(Action::SecretUsed, Outcome::Success)
            .key(&name)
            .run(&run.id);
        let event = super::by(run, event);
        runs.audit.record(event).await?;
    }
    Ok(())
}

/// Reads what a process says: progress, or why it failed.
fn listen(pipe: ChildStderr, said: &Mutex<ChildOutput>) {
    let mut lines = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        match lines
            .by_ref()
            .take(MAX_LINE_LEN)
            .read_until(b'\n', &mut line)
        {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(told) = serde_json::from_slice::<Progress>(&line) {
            said.told = Some(told);
        } else if let Ok(told) = serde_json::from_slice::<SecretsUsed>(&line) {
            said.secrets.extend(told.secrets);
        } else if said.problem.len() < MAX_PROBLEM_LEN {
            said.problem.push_str(&String::from_utf8_lossy(&line));
        }
    }
}

/// What a person is told of a failure: what the program said, without its first word.
fn problem(said: String) -> String {
    let text = said.trim();
    let text = text.strip_prefix("error: ").unwrap_or(text);
    match text {
        "" => "it failed without giving a reason".into(),
        text => text
            .chars()
            .filter(|c| *c == '\n' || !(c.is_control() || is_invisible(*c)))
            .collect(),
    }
}

fn ended(report: Option<Result<String, String>>, how: fn(String) -> Ended) -> Ended {
    match report {
        Some(Ok(report)) => how(report),
        Some(Err(problem)) => Ended::Failed(problem),
        None => Ended::Failed("it left no report".into()),
    }
}

fn report(runs: &Runs, run: &Run) -> Result<String, String> {
    std::fs::read_to_string(runs.folder().report(&run.id))
        .map_err(|error| format!("its rows are stored, but its report is missing: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_in_the_programs_words() {
        assert_eq!(problem("error: no such file\n".into()), "no such file");
        assert_eq!(problem("\u{1b}[31mred\n".into()), "[31mred");
        assert_eq!(problem(" \n".into()), "it failed without giving a reason");
    }
}
