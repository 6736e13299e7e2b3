//! Many mutants on all cores, until they are through, the time is up or the host did wrong.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use crate::mutant::Breeder;
use crate::tally::Tally;
use crate::trial::{Bench, Outcome};

/// No mutant.
const IDLE: u64 = u64::MAX;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// The first mutant's number.
    pub from: u64,
    /// How many.
    pub count: u64,
    /// Threads.
    pub workers: usize,
    /// Ends it before all are through.
    pub until: Option<Instant>,
    /// A mutant that takes longer than this did not come back.
    pub patience: Duration,
}

/// How it ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// What became of them.
    pub tally: Tally,
    /// The mutant with which the host did wrong, and what.
    pub wrong: Option<(u64, String)>,
    /// Mutants of which the host did not come back.
    pub stuck: Vec<Stuck>,
}

/// A mutant that is still there after the campaign's patience, and its thread with it.
#[derive(Debug, Clone)]
pub struct Stuck {
    /// Its number.
    pub number: u64,
}

struct Shared {
    next: AtomicU64,
    stop: AtomicBool,
    /// What each worker tries, and since when.
    tried: Vec<Mutex<(u64, Instant)>>,
    tally: Mutex<Tally>,
    wrong: Mutex<Option<(u64, String)>>,
}

impl Campaign {
    /// Runs it. `begins` hears the worker and the number of each mutant before it is tried;
    /// `progress` hears once a second how many are through.
    pub fn run(
        &self,
        breeder: &Breeder,
        bench: &Bench,
        begins: impl Fn(usize, u64) + Send + Sync + Clone + 'static,
        mut progress: impl FnMut(u64),
    ) -> Ended {
        let shared = std::sync::Arc::new(Shared {
            next: AtomicU64::new(self.from),
            stop: AtomicBool::new(false),
            tried: (0..self.workers)
                .map(|_| Mutex::new((IDLE, Instant::now())))
                .collect(),
            tally: Mutex::default(),
            wrong: Mutex::new(None),
        });
        let (done, all_done) = mpsc::channel::<()>();
        for worker in 0..self.workers {
            let (shared, campaign) = (shared.clone(), self.clone());
            let (breeder, bench) = (breeder.clone(), bench.clone());
            let (done, begins) = (done.clone(), begins.clone());
            // Not scoped: one that is stuck must not keep the campaign from ending.
            std::thread::spawn(move || {
                campaign.work(worker, &shared, &breeder, &bench, begins);
                drop(done);
            });
        }
        drop(done);
        let stuck = loop {
            match all_done.recv_timeout(Duration::from_secs(1)) {
                Err(RecvTimeoutError::Timeout) => {}
                _ => break Vec::new(),
            }
            progress(lock(&shared.tally).all());
            let stuck = self.stuck(&shared);
            if !stuck.is_empty() {
                shared.stop.store(true, Ordering::Relaxed);
                break stuck;
            }
        };
        Ended {
            tally: lock(&shared.tally).clone(),
            wrong: lock(&shared.wrong).clone(),
            stuck,
        }
    }

    fn work(
        &self,
        worker: usize,
        shared: &Shared,
        breeder: &Breeder,
        bench: &Bench,
        begins: impl Fn(usize, u64),
    ) {
        let late = || self.until.is_some_and(|until| Instant::now() >= until);
        while !shared.stop.load(Ordering::Relaxed) && !late() {
            let number = shared.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.from.saturating_add(self.count) {
                break;
            }
            let Some(mutant) = breeder.mutant(number) else {
                break;
            };
            begins(worker, number);
            self.mark(shared, worker, number);
            let outcome = bench.run(&mutant);
            self.mark(shared, worker, IDLE);
            if let Outcome::Wrong(what) = &outcome {
                lock(&shared.wrong).get_or_insert((number, what.clone()));
                shared.stop.store(true, Ordering::Relaxed);
            }
            lock(&shared.tally).add(mutant.recipe, outcome);
        }
    }

    fn mark(&self, shared: &Shared, worker: usize, number: u64) {
        if let Some(tried) = shared.tried.get(worker) {
            *lock(tried) = (number, Instant::now());
        }
    }

    fn stuck(&self, shared: &Shared) -> Vec<Stuck> {
        let tried = shared.tried.iter().map(|tried| *lock(tried));
        tried
            .filter(|&(number, since)| number != IDLE && since.elapsed() > self.patience)
            .map(|(number, _)| Stuck { number })
            .collect()
    }
}

/// What a thread that panicked left is still a count.
fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
