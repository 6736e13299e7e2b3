//! A process that works on ranges, as the one that started it sees it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use glovebox_engine::{Joining, Range};

use super::lines::{Asked, Said, line};

/// A process that says nothing for so long is stopped, or as good as dead.
const SILENCE: Duration = Duration::from_secs(15);
/// How often it is looked whether to go on waiting.
const TICK: Duration = Duration::from_millis(100);
/// How long it may take to end once it has nothing to do.
const GOODBYE: Duration = Duration::from_secs(3);
/// What it may say that was not heard yet.
const MOST_SAID: usize = 64;

/// Why a process is of no more use.
#[derive(Debug)]
pub(in crate::cli) enum Ended {
    /// It said why: another one would fail, too.
    Failed(String),
    /// It is gone, in words; another one may do what it did not.
    Died(String),
    /// It was not waited for.
    Halted,
}

/// A process that has joined the run. It ends with this.
pub(in crate::cli) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    said: Receiver<Said>,
}

impl Process {
    /// Starts one, which joins the run.
    pub(in crate::cli) fn start(
        mut command: Command,
        joining: &Joining,
        is_over: &dyn Fn() -> bool,
    ) -> Result<Self, Ended> {
        let started = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for the one that began the run, which tells the others.
            .process_group(0)
            .spawn();
        let failed = |e: std::io::Error| Ended::Failed(format!("cannot start a process: {e}"));
        let mut child = started.map_err(failed)?;
        let (tell, said) = sync_channel(MOST_SAID);
        let output = child.stdout.take();
        let input = child.stdin.take();
        let mut process = Process { child, input, said };
        if let Some(output) = output {
            let listens = thread::Builder::new().name("shard".into()).spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let Ok(said) = serde_json::from_str(&line) else {
                        return;
                    };
                    if tell.send(said).is_err() {
                        return;
                    }
                }
            });
            listens.map_err(failed)?;
        }
        process.ask(&Asked::Join(joining.clone()))?;
        match process.hear(is_over, &mut |_, _| {})? {
            Said::Joined => Ok(process),
            _ => Err(Ended::Died("answered something else".into())),
        }
    }

    /// Has it work on a range, and returns how many rows that had and the declared columns that no record had.
    pub(in crate::cli) fn work(
        &mut self,
        range: &Range,
        is_over: &dyn Fn() -> bool,
        show: &mut dyn FnMut(u64, u64),
    ) -> Result<(u64, Vec<String>), Ended> {
        self.ask(&Asked::Work(Box::new(range.clone())))?;
        match self.hear(is_over, show)? {
            Said::Done { rows, absent } => Ok((rows, absent)),
            _ => Err(Ended::Died("answered something else".into())),
        }
    }

    fn ask(&mut self, asked: &Asked) -> Result<(), Ended> {
        let written = match &mut self.input {
            Some(input) => input
                .write_all(line(asked).as_bytes())
                .and_then(|()| input.flush()),
            None => Ok(()),
        };
        match written {
            Ok(()) => Ok(()),
            // It may have said why it does not listen.
            Err(_) => Err(self.last_words()),
        }
    }

    /// Its next answer.
    fn hear(
        &mut self,
        is_over: &dyn Fn() -> bool,
        show: &mut dyn FnMut(u64, u64),
    ) -> Result<Said, Ended> {
        let mut heard = Instant::now();
        loop {
            match self.said.recv_timeout(TICK) {
                Ok(Said::Alive { rows, bytes }) => {
                    heard = Instant::now();
                    show(rows, bytes);
                }
                Ok(Said::Failed(problem)) => return Err(Ended::Failed(problem)),
                Ok(said) => return Ok(said),
                Err(RecvTimeoutError::Disconnected) => return Err(self.last_words()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if is_over() {
                return Err(Ended::Halted);
            }
            if heard.elapsed() > SILENCE {
                return Err(Ended::Died("did not answer any more".into()));
            }
        }
    }

    /// Why it ended.
    fn last_words(&mut self) -> Ended {
        while let Ok(said) = self.said.recv_timeout(TICK) {
            if let Said::Failed(problem) = said {
                return Ended::Failed(problem);
            }
        }
        let _ = self.child.kill();
        match self.child.wait() {
            Ok(status) => Ended::Died(format!("ended ({status})")),
            Err(_) => Ended::Died("ended".into()),
        }
    }

    /// Lets it end by itself.
    pub(in crate::cli) fn finish(mut self) {
        self.input = None;
        let since = Instant::now();
        while since.elapsed() < GOODBYE && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Also one that was stopped: what it holds at the sink goes with its connections.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
