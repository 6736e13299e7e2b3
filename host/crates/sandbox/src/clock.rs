//! Time for guests: an epoch for time limits, and frozen clocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use wasmtime::Engine;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// How often the epoch rises: the precision of a call's time limit.
pub(crate) const TICK: Duration = Duration::from_millis(5);
/// The most ticks that are made up for at once. A sleep is always a little too long, which over
/// seconds would add up; a process that was stopped for an hour has not run for an hour.
const CATCH_UP: u128 = 10;

/// Raises the engine's epoch until it is dropped.
pub(crate) struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (engine, stopped) = (engine.clone(), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("glovebox-epoch".into())
            .spawn(move || {
                let (started, mut ticks) = (Instant::now(), 0);
                while !stopped.load(Ordering::Relaxed) {
                    std::thread::park_timeout(TICK);
                    let due = started.elapsed().as_nanos() / TICK.as_nanos();
                    for _ in 0..(due - ticks).min(CATCH_UP) {
                        engine.increment_epoch();
                    }
                    ticks = due;
                }
            })?;
        Ok(Ticker {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A ticker that panicked has nothing left to stop.
            let _ = thread.join();
        }
    }
}

/// A clock that always shows the same instant, so that a step is a function of its input.
pub(crate) struct Frozen;

impl HostWallClock for Frozen {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Frozen {
    fn resolution(&self) -> u64 {
        1_000_000_000
    }

    fn now(&self) -> u64 {
        0
    }
}
