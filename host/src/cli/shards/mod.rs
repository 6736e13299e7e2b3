//! `glovebox run --shards N`: processes on this machine that work on ranges of one run.

mod common;
mod lane;
mod lines;
pub(super) mod member;
mod process;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use glovebox_engine::{Joining, Ranges, Shards, Worked};

use self::common::{Common, locked};
pub(super) use self::common::{Processes, Shard};
use self::lane::Lane;
#[cfg(feature = "cluster")]
pub(super) use self::process::{Ended, Process};

/// How often progress is told and a request to stop is looked at.
const TICK: Duration = Duration::from_millis(20);

impl Shards for Processes {
    fn count(&self) -> usize {
        self.count
    }

    fn work(
        &mut self,
        joining: &Joining,
        ranges: &Ranges,
        stop: &AtomicBool,
        show: &mut dyn FnMut(Worked),
    ) -> Result<Vec<Arc<str>>, String> {
        let common = Common {
            processes: self,
            joining,
            halt: AtomicBool::new(false),
            problem: Mutex::default(),
            absent: Mutex::default(),
        };
        let lanes: Vec<Lane<'_>> = (0..self.count).map(|_| Lane::new(&common)).collect();
        thread::scope(|scope| {
            let threads: Vec<_> = lanes
                .iter()
                .map(|lane| scope.spawn(|| lane.work(ranges)))
                .collect();
            while threads.iter().any(|thread| !thread.is_finished()) {
                if stop.load(Ordering::Relaxed) {
                    common.halt.store(true, Ordering::Relaxed);
                }
                let worked = lanes.iter().map(Lane::worked);
                show(worked.fold(Worked::default(), |all, one| Worked {
                    rows: all.rows + one.rows,
                    bytes: all.bytes + one.bytes,
                }));
                thread::sleep(TICK);
            }
        });
        drop(lanes);
        if let Some(problem) = locked(&common.problem).take() {
            return Err(problem);
        }
        let absent = locked(&common.absent).take().unwrap_or_default();
        Ok(absent.into_iter().map(Arc::from).collect())
    }
}
