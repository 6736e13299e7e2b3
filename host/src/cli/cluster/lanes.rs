//! Where an executor's ranges are worked on: a process for each slot, which has joined a run and stays for its next range.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, TryLockError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use glovebox_cluster::{Done, Ended, Task, Work};
use glovebox_engine::Joining;

use crate::cli::in_cluster::digest;
use crate::cli::manifest::Text;
use crate::cli::shards::{self, Process, Shard};

/// How long a process waits for another range of its run before it ends.
const IDLE: Duration = Duration::from_secs(10);

pub(super) struct Lanes {
    shards: BTreeMap<String, Shard>,
    slots: Arc<Vec<Mutex<Option<Joined>>>>,
}

/// A process that has joined a run.
struct Joined {
    manifest: String,
    joining: Joining,
    process: Process,
    /// When it was done with its last range.
    since: Instant,
}

impl Lanes {
    pub(super) fn new(slots: usize, shards: BTreeMap<String, Shard>) -> anyhow::Result<Self> {
        let slots: Arc<Vec<_>> = Arc::new((0..slots).map(|_| Mutex::default()).collect());
        let watched = Arc::downgrade(&slots);
        let started = thread::Builder::new()
            .name("idle".into())
            .spawn(move || end_idle(&watched));
        started.context("cannot start a thread")?;
        Ok(Lanes { shards, slots })
    }

    /// The manifest that this executor has of a pipeline, if it is the one that the run began with.
    fn shard(&self, task: &Task) -> Result<&Shard, Ended> {
        let failed = |problem: &str| Err(Ended::Failed(problem.into()));
        if task.version != Task::VERSION {
            return failed(
                "an executor is another version of Glovebox than the one that began the run",
            );
        }
        let Some(shard) = self.shards.get(&task.pipeline) else {
            return failed(
                "an executor does not have this pipeline's manifest: name it to `glovebox cluster executor`",
            );
        };
        match Text::read(&shard.manifest) {
            Some(text) if digest(&text) == task.manifest => Ok(shard),
            Some(_) => failed(
                "an executor has another manifest of this pipeline than the one that began the run",
            ),
            None => failed("an executor cannot read this pipeline's manifest"),
        }
    }
}

impl Work for Lanes {
    fn work(
        &self,
        slot: usize,
        task: &Task,
        is_over: &dyn Fn() -> bool,
        show: &mut dyn FnMut(u64, u64),
    ) -> Result<Done, Ended> {
        let Some(slot) = self.slots.get(slot) else {
            return Err(Ended::Died("had no such slot".into()));
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let shard = self.shard(task)?;
        let same = |j: &Joined| j.manifest == task.manifest && j.joining == task.joining;
        let mut process = match slot.take() {
            Some(joined) if same(&joined) => joined.process,
            other => {
                if let Some(other) = other {
                    other.process.finish();
                }
                let command = shard.command();
                let command = command.map_err(|e| Ended::Died(format!("could not start: {e}")))?;
                Process::start(command, &task.joining, &is_over).map_err(ended)?
            }
        };
        tracing::info!(run = %task.joining.run, row = task.range.begins.row, "works on a range");
        let (rows, absent) = process.work(&task.range, &is_over, show).map_err(ended)?;
        *slot = Some(Joined {
            manifest: task.manifest.clone(),
            joining: task.joining.clone(),
            process,
            since: Instant::now(),
        });
        Ok(Done { rows, absent })
    }
}

fn ended(ended: shards::Ended) -> Ended {
    match ended {
        shards::Ended::Failed(problem) => Ended::Failed(problem),
        shards::Ended::Died(how) => Ended::Died(how),
        shards::Ended::Halted => Ended::Halted,
    }
}

/// Lets processes end that wait for nothing: they hold connections to the sink.
fn end_idle(slots: &Weak<Vec<Mutex<Option<Joined>>>>) {
    while let Some(slots) = slots.upgrade() {
        for slot in slots.iter() {
            let mut slot = match slot.try_lock() {
                Ok(slot) => slot,
                Err(TryLockError::Poisoned(slot)) => slot.into_inner(),
                // It works.
                Err(TryLockError::WouldBlock) => continue,
            };
            if let Some(joined) = slot.take_if(|joined| joined.since.elapsed() > IDLE) {
                joined.process.finish();
            }
        }
        drop(slots);
        thread::sleep(IDLE / 4);
    }
}
