//! An issuer's published keys, as last fetched: when to fetch again, and how long old keys are
//! accepted.
//! Tokens with made-up keys do not cause more requests.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore, watch};

use super::keyset::KeySet;
use crate::metrics::escape;

/// How often an issuer is asked, and what its answers are worth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RefreshPolicy {
    /// The shortest time for which keys are good, whatever the issuer says.
    pub(crate) at_least: Duration,
    /// The longest.
    pub(crate) at_most: Duration,
    /// When it says nothing.
    pub(crate) unsaid: Duration,
    /// After a failure; twice as long after each further one, up to `at_least`.
    pub(crate) retry: Duration,
    /// Between two requests that unknown keys lead to.
    pub(crate) apart: Duration,
    /// The longest that a request waits for an unknown key.
    pub(crate) patience: Duration,
    /// Requests that wait for unknown keys at once; further ones are answered without.
    pub(crate) waiting: usize,
    /// After so long without an answer the keys are forgotten.
    pub(crate) keep: Duration,
}

impl Default for RefreshPolicy {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        RefreshPolicy {
            at_least: 5 * minute,
            // Half of `keep`, so that an answer that fails to come is asked for again in time.
            at_most: 12 * 60 * minute,
            unsaid: 60 * minute,
            retry: Duration::from_secs(2),
            apart: Duration::from_secs(10),
            patience: Duration::from_secs(10),
            waiting: 64,
            keep: 24 * 60 * minute,
        }
    }
}

/// What an issuer has answered.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(super) keys: KeySet,
    /// For how long, if it says so.
    pub(super) max_age: Option<Duration>,
}

/// Asks an issuer.
pub(crate) trait Loader: Send + Sync + 'static {
    /// Its keys now, or why there are none, in a sentence.
    fn load(&self) -> impl Future<Output = Result<Loaded, String>> + Send;
}

/// An issuer's keys.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) issuer: String,
    pace: RefreshPolicy,
    keys: RwLock<Arc<KeySet>>,
    state: Mutex<State>,
    waiting: Semaphore,
    wake: Notify,
    /// How often it has been asked, to the end.
    asked: watch::Sender<u64>,
    failed: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    under_way: bool,
    /// When an unknown key last led to a request.
    wanted: Option<Instant>,
    learned: Option<Instant>,
    failures: u32,
    /// When a failure was last logged.
    told: Option<Instant>,
}

/// A failure that goes on is logged so often.
const TOLD_EVERY: Duration = Duration::from_secs(300);

impl Remote {
    pub(crate) fn new(issuer: &str, pace: RefreshPolicy) -> Arc<Self> {
        Arc::new(Remote {
            issuer: issuer.to_owned(),
            keys: RwLock::default(),
            state: Mutex::default(),
            waiting: Semaphore::new(pace.waiting),
            wake: Notify::new(),
            asked: watch::Sender::new(0),
            failed: AtomicU64::new(0),
            pace,
        })
    }

    /// The keys that are believed now.
    pub(super) fn keys(&self) -> Arc<KeySet> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the issuer asked for keys that we do not know, unless it was just now, and waits for the
    /// answer. Returns whether it was worth waiting.
    pub(crate) async fn ask(&self) -> bool {
        let Ok(_place) = self.waiting.try_acquire() else {
            return false;
        };
        let mut asked = self.asked.subscribe();
        {
            let mut state = self.state();
            if !state.under_way {
                let recent = |at: Instant| at.elapsed() < self.pace.apart;
                if state.wanted.is_some_and(recent) {
                    return false;
                }
                state.wanted = Some(Instant::now());
                state.under_way = true;
                self.wake.notify_one();
            }
        }
        let answer = tokio::time::timeout(self.pace.patience, asked.changed());
        answer.await.is_ok_and(|changed| changed.is_ok())
    }

    /// Asks once. `differ` hears of new keys before they are used, and may refuse them.
    pub(crate) async fn renew<F>(&self, loader: &impl Loader, differ: F) -> Duration
    where
        F: AsyncFnOnce() -> Result<(), String>,
    {
        self.state().under_way = true;
        let loaded = match loader.load().await {
            Ok(loaded) if *self.keys() != loaded.keys => differ().await.map(|()| loaded),
            loaded => loaded,
        };
        let wait = match loaded {
            Ok(loaded) => self.learn(loaded),
            Err(problem) => self.fail(&problem),
        };
        self.state().under_way = false;
        self.asked.send_modify(|times| *times += 1);
        wait
    }

    /// Until it is time to ask again, or somebody asks for an unknown key.
    pub(crate) async fn rest(&self, wait: Duration) {
        let _ = tokio::time::timeout(wait, self.wake.notified()).await;
    }

    fn learn(&self, loaded: Loaded) -> Duration {
        let count = loaded.keys.len();
        let fresh = Arc::new(loaded.keys);
        let before = {
            let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *keys, Arc::clone(&fresh))
        };
        let mut state = self.state();
        state.learned = Some(Instant::now());
        if state.failures > 0 || *before != *fresh {
            tracing::info!(
                issuer = self.issuer,
                count,
                "the issuer's keys were fetched"
            );
        }
        (state.failures, state.told) = (0, None);
        let age = loaded.max_age.unwrap_or(self.pace.unsaid);
        age.clamp(self.pace.at_least, self.pace.at_most)
    }

    fn fail(&self, problem: &str) -> Duration {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state();
        let stale = state
            .learned
            .is_some_and(|at| at.elapsed() >= self.pace.keep);
        if stale {
            *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::default();
            state.learned = None;
            tracing::error!(
                issuer = self.issuer,
                "the issuer's keys are too old, so none of its tokens is accepted"
            );
        }
        if state.told.is_none_or(|at| at.elapsed() >= TOLD_EVERY) {
            state.told = Some(Instant::now());
            let believed = self.keys().len();
            tracing::warn!(
                issuer = self.issuer,
                believed,
                "the issuer's keys cannot be fetched: {problem}"
            );
        }
        let doubled = self.pace.retry.saturating_mul(1 << state.failures.min(16));
        state.failures = state.failures.saturating_add(1);
        doubled.min(self.pace.at_least)
    }

    /// For Prometheus: samples of the three families of [`FAMILIES`].
    fn samples(&self) -> [String; 3] {
        let issuer = escape(&self.issuer);
        let failed = self.failed.load(Ordering::Relaxed);
        let done = self.asked.borrow().saturating_sub(failed);
        let since = self.state().learned.map(|at| at.elapsed().as_secs());
        let age = since.map_or_else(String::new, |age| {
            format!("glovebox_issuer_keys_age_seconds{{issuer=\"{issuer}\"}} {age}\n")
        });
        [
            format!(
                "glovebox_issuer_keys{{issuer=\"{issuer}\"}} {}\n",
                self.keys().len()
            ),
            age,
            format!(
                "glovebox_issuer_fetches_total{{issuer=\"{issuer}\",outcome=\"success\"}} {done}\n\
                 glovebox_issuer_fetches_total{{issuer=\"{issuer}\",outcome=\"failure\"}} {failed}\n"
            ),
        ]
    }
}

const FAMILIES: [&str; 3] = [
    "# HELP glovebox_issuer_keys Keys of an issuer that are accepted.\n\
     # TYPE glovebox_issuer_keys gauge\n",
    "# HELP glovebox_issuer_keys_age_seconds Time since an issuer last responded.\n\
     # TYPE glovebox_issuer_keys_age_seconds gauge\n",
    "# HELP glovebox_issuer_fetches_total Requests to issuers, by outcome.\n\
     # TYPE glovebox_issuer_fetches_total counter\n",
];

/// All of these issuers for Prometheus; nothing if there are none.
pub(crate) fn metrics<'r>(remotes: impl Iterator<Item = &'r Arc<Remote>>) -> String {
    let samples: Vec<[String; 3]> = remotes.map(|r| r.samples()).collect();
    let mut text = String::new();
    if samples.is_empty() {
        return text;
    }
    for (place, head) in FAMILIES.iter().enumerate() {
        let _ = text.write_str(head);
        text.extend(
            samples
                .iter()
                .filter_map(|s| s.get(place).map(String::as_str)),
        );
    }
    text
}

#[cfg(test)]
#[path = "remote_tests.rs"]
mod tests;
