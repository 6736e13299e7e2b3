//! One range after the other, each by a process, and by another one where that ends before it is done.

use std::process::Command;
use std::sync::Mutex;

use glovebox_engine::{Range, Ranges, Worked};

use super::common::{Common, locked};
use super::process::{Ended, Process};
use crate::cli::say;

/// Processes that may end over one range.
const DEATHS: u32 = 3;

pub(super) struct Lane<'c> {
    common: &'c Common<'c>,
    /// How far it is: with ranges that are done, and in the one that is not.
    worked: Mutex<(Worked, Worked)>,
}

impl<'c> Lane<'c> {
    pub(super) fn new(common: &'c Common<'c>) -> Self {
        Lane {
            common,
            worked: Mutex::default(),
        }
    }

    pub(super) fn worked(&self) -> Worked {
        let (done, now) = *locked(&self.worked);
        Worked {
            rows: done.rows + now.rows,
            bytes: done.bytes + now.bytes,
        }
    }

    /// Takes ranges until there are no more.
    pub(super) fn work(&self, ranges: &Ranges) {
        let mut process = None;
        while let Some(range) = ranges.next() {
            match self.range(&range, process) {
                Some(lives) => process = Some(lives),
                None => return,
            }
        }
        if let Some(process) = process {
            process.finish();
        }
    }

    /// Has a range worked on; returns the process that did, or nothing if the run is over.
    fn range(&self, range: &Range, mut process: Option<Process>) -> Option<Process> {
        let mut deaths = 0;
        loop {
            if self.common.is_over() {
                return None;
            }
            match self.attempt(range, process.take()) {
                Ok(lives) => return Some(lives),
                Err(Ended::Halted) => return None,
                Err(Ended::Failed(problem)) => {
                    self.common.fail(problem);
                    return None;
                }
                Err(Ended::Died(how)) => {
                    locked(&self.worked).1 = Worked::default();
                    deaths += 1;
                    let row = range.begins.row;
                    if deaths == DEATHS {
                        self.common.fail(format!(
                            "{DEATHS} processes did not get through the rows from {row} on; the last one {how}; \
                             run without `--shards` to see whether these rows do it"
                        ));
                        return None;
                    }
                    say::note(&format!(
                        "a process that works on the rows from {row} on {how}; another one takes its place"
                    ));
                }
            }
        }
    }

    fn attempt(&self, range: &Range, process: Option<Process>) -> Result<Process, Ended> {
        let is_over = || self.common.is_over();
        let mut process = match process {
            Some(process) => process,
            None => {
                let started = Process::start(self.command()?, self.common.joining, &is_over)?;
                tracing::info!(run = %self.common.joining.run, "a process has joined the run");
                started
            }
        };
        let (rows, absent) = process.work(range, &is_over, &mut |rows, bytes| {
            locked(&self.worked).1 = Worked { rows, bytes };
        })?;
        let mut worked = locked(&self.worked);
        worked.0.rows += rows;
        worked.0.bytes += range.bytes;
        worked.1 = Worked::default();
        drop(worked);
        self.common.absent_in_a_range(&absent);
        Ok(process)
    }

    fn command(&self) -> Result<Command, Ended> {
        let command = self.common.processes.shard.command();
        command.map_err(|e| Ended::Failed(format!("cannot find this program: {e}")))
    }
}
