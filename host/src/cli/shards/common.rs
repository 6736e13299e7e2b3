//! What all lanes know: how processes are started, which run they join, and whether it is over.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use glovebox_engine::Joining;

use crate::cli::{logs, say};

/// Processes of this program.
pub(in crate::cli) struct Processes {
    /// How many at a time.
    pub(in crate::cli) count: usize,
    pub(in crate::cli) shard: Shard,
}

/// One that works on ranges.
pub(in crate::cli) struct Shard {
    /// Its worker threads.
    pub(in crate::cli) workers: usize,
    pub(in crate::cli) manifest: PathBuf,
    /// What is read instead of the source's files, if anything is.
    pub(in crate::cli) input: Option<PathBuf>,
    /// Whether plugins need pins.
    pub(in crate::cli) locked: bool,
}

impl Shard {
    pub(in crate::cli) fn command(&self) -> std::io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["--log", logs::chosen(), "--log-format", &say::format()])
            .arg("shard")
            .arg(&self.manifest)
            .args(["--workers", &self.workers.to_string()]);
        if let Some(input) = &self.input {
            command.arg("--input").arg(input);
        }
        if self.locked {
            command.arg("--locked");
        }
        Ok(command)
    }
}

/// What all lanes know.
pub(super) struct Common<'c> {
    pub(super) processes: &'c Processes,
    pub(super) joining: &'c Joining,
    pub(super) halt: AtomicBool,
    pub(super) problem: Mutex<Option<String>>,
    /// Declared columns that no record had, of any range; none before the first is done.
    pub(super) absent: Mutex<Option<BTreeSet<String>>>,
}

impl Common<'_> {
    pub(super) fn is_over(&self) -> bool {
        self.halt.load(Ordering::Relaxed)
    }

    /// The first problem tells why; those after it may be its consequences.
    pub(super) fn fail(&self, problem: String) {
        locked(&self.problem).get_or_insert(problem);
        self.halt.store(true, Ordering::Relaxed);
    }

    pub(super) fn absent_in_a_range(&self, columns: &[String]) {
        let columns = columns.iter().cloned().collect::<BTreeSet<_>>();
        let mut absent = locked(&self.absent);
        *absent = Some(match absent.take() {
            Some(before) => before.intersection(&columns).cloned().collect(),
            None => columns,
        });
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
