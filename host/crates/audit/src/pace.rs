//! When something is due that happens after so many records, or so much time in which there were
//! any.

use std::time::{Duration, Instant};

use crate::options::CheckpointPolicy;

#[derive(Debug)]
pub(crate) struct Due {
    pace: CheckpointPolicy,
    /// Records since it was done.
    since: u64,
    last: Instant,
}

impl Due {
    pub(crate) fn new(pace: CheckpointPolicy) -> Self {
        Due {
            pace,
            since: 0,
            last: Instant::now(),
        }
    }

    pub(crate) fn counted(&mut self, records: u64) {
        if self.since == 0 {
            self.last = Instant::now();
        }
        self.since += records;
    }

    pub(crate) fn done(&mut self) {
        self.since = 0;
        self.last = Instant::now();
    }

    pub(crate) fn now(&self) -> bool {
        self.since >= self.pace.records.max(1)
            || (self.since > 0 && self.last.elapsed() >= self.pace.time)
    }

    /// How long until it is due by time; none while there is nothing to do.
    pub(crate) fn wait(&self) -> Option<Duration> {
        (self.since > 0).then(|| self.pace.time.saturating_sub(self.last.elapsed()))
    }
}
