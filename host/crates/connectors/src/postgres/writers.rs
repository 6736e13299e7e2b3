//! The connections that a run loads over, each with a thread that stores groups of chunks.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded};
use glovebox_core::{FinishedChunk, Reject, SinkError};

use sqlx::postgres::PgConnection;

use super::Options;
use super::group::Group;
use super::load::Load;
use super::refusal::Fault;
use super::retry::RetryBudget;
use super::runs::session_name;
use super::session::Session;
use super::writer::{Attempt, store};

/// Bytes gathered before they go out as one transaction: enough that its round trips do not show,
/// few enough that a death costs little.
const GROUP_BYTES: usize = 4 << 20;
/// The longest that a chunk waits for others.
const GROUP_WAIT: Duration = Duration::from_secs(1);
/// The most connections, unless said otherwise.
const MAX_CONNECTIONS: usize = 4;
/// How long a run that ends waits for what is under way, and then for it to be given up.
const GRACE: Duration = Duration::from_secs(3);
/// How often it is looked whether all is stored.
const FLUSH_INTERVAL: Duration = Duration::from_millis(2);
/// How often a failed writer is looked for while the others are busy.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

pub(super) struct Writers {
    options: Arc<Options>,
    load: Arc<Load>,
    most: usize,
    gathered: Group,
    since: Option<Instant>,
    groups: Option<Sender<Group>>,
    taken: Receiver<Group>,
    shared: Arc<Shared>,
    /// The session that began the run, until the first writer takes it.
    first: Option<Session>,
    threads: Vec<JoinHandle<Session>>,
    stop: Arc<AtomicBool>,
}

#[derive(Default)]
struct Shared {
    failure: Mutex<Option<SinkError>>,
    failed: AtomicBool,
    /// Groups that are not stored yet.
    under_way: AtomicUsize,
    /// Rows that the table refused; a run's budget bounds how many.
    refused: Mutex<Vec<Reject>>,
}

impl Shared {
    fn refused(&self) -> MutexGuard<'_, Vec<Reject>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writers {
    /// Writers of a run. The first takes the session that began it; all end with `stop`.
    pub(super) fn new(
        options: Arc<Options>,
        load: Load,
        first: Session,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let most = match options.connections {
            _ if options.ordered => 1,
            Some(connections) => connections.get(),
            None => {
                thread::available_parallelism().map_or(1, |cores| cores.get().min(MAX_CONNECTIONS))
            }
        };
        let (groups, taken) = bounded(1);
        Writers {
            options,
            load: Arc::new(load),
            most,
            gathered: Group::default(),
            since: None,
            groups: Some(groups),
            taken,
            shared: Arc::default(),
            first: Some(first),
            threads: Vec::new(),
            stop,
        }
    }

    /// Does something over the session that began the run, before its first chunk is handed over.
    pub(super) fn before_the_first<T>(
        &mut self,
        work: impl AsyncFnMut(&mut PgConnection) -> Result<T, Fault>,
    ) -> Result<Option<T>, SinkError> {
        let budget = RetryBudget::new(self.options.retry_for);
        match &mut self.first {
            Some(first) => first.attempt(&mut { budget }, work).map(Some),
            None => Ok(None),
        }
    }

    /// Takes a chunk, and hands its group to a writer once it is large or old enough.
    pub(super) fn push(&mut self, chunk: FinishedChunk) -> Result<(), SinkError> {
        self.failure()?;
        self.gathered
            .add(chunk)
            .map_err(|problem| self.internal(problem))?;
        let since = *self.since.get_or_insert_with(Instant::now);
        if self.gathered.bytes() >= GROUP_BYTES || since.elapsed() >= GROUP_WAIT {
            self.hand_over()?;
        }
        Ok(())
    }

    fn hand_over(&mut self) -> Result<(), SinkError> {
        self.since = None;
        let mut group = std::mem::take(&mut self.gathered);
        if group.is_empty() {
            return Ok(());
        }
        // A writer is opened when all are busy: a small run needs one.
        let under_way = self.shared.under_way.fetch_add(1, Ordering::AcqRel);
        if under_way >= self.threads.len() && self.threads.len() < self.most {
            self.spawn()?;
        }
        let Some(groups) = &self.groups else {
            return Err(self.internal("written to while no run is open"));
        };
        loop {
            match groups.send_timeout(group, POLL_INTERVAL) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Timeout(back) | SendTimeoutError::Disconnected(back)) => {
                    group = back;
                }
            }
            self.failure()?;
        }
    }

    fn spawn(&mut self) -> Result<(), SinkError> {
        let session = match self.first.take() {
            Some(first) => first,
            None => self.session()?,
        };
        let writer = Writer {
            session,
            spare: !self.threads.is_empty(),
            budget: RetryBudget::new(self.options.retry_for),
            load: self.load.clone(),
            groups: self.taken.clone(),
            shared: self.shared.clone(),
        };
        let thread = thread::Builder::new()
            .name(format!("postgres-{}", self.threads.len()))
            .spawn(move || writer.run())
            .map_err(|problem| SinkError::Io {
                place: self.load.place.clone(),
                problem,
            })?;
        self.threads.push(thread);
        Ok(())
    }

    fn session(&self) -> Result<Session, SinkError> {
        Session::new(
            self.options.clone(),
            session_name(&self.load.lease.run),
            self.stop.clone(),
        )
    }

    /// Waits until all that came so far is stored.
    pub(super) fn flush(&mut self) -> Result<(), SinkError> {
        self.hand_over()?;
        while self.shared.under_way.load(Ordering::Acquire) > 0 {
            self.failure()?;
            thread::sleep(FLUSH_INTERVAL);
        }
        self.failure()?;
        // The journal has them, and whoever ends the run reads them there.
        self.shared.refused().clear();
        Ok(())
    }

    /// Waits until all is stored, and returns a session of the run.
    pub(super) fn finish(&mut self) -> Result<Session, SinkError> {
        self.failure()?;
        self.hand_over()?;
        self.groups = None;
        let mut session = self.first.take();
        for thread in std::mem::take(&mut self.threads) {
            match thread.join() {
                Ok(joined) => session = session.or(Some(joined)),
                Err(_) => return Err(self.internal("a writer ended unexpectedly")),
            }
        }
        self.failure()?;
        match session {
            Some(session) => Ok(session),
            None => self.session(),
        }
    }

    /// Takes the session back that [`Writers::finish`] returned.
    pub(super) fn keep(&mut self, session: Session) {
        self.first = Some(session);
    }

    /// The rows that the table has refused since this was asked last.
    pub(super) fn refused(&self) -> Vec<Reject> {
        let mut refused = std::mem::take(&mut *self.shared.refused());
        refused.sort_by_key(|reject| reject.row);
        refused
    }

    /// Lets writers end what they are at, or give it up when that takes long.
    pub(super) fn end(&mut self) {
        self.groups = None;
        while self.taken.try_recv().is_ok() {}
        self.settle();
        self.stop.store(true, Ordering::Relaxed);
        self.settle();
    }

    fn settle(&mut self) {
        let start = Instant::now();
        loop {
            self.threads.retain(|thread| !thread.is_finished());
            if self.threads.is_empty() || start.elapsed() >= GRACE {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn failure(&self) -> Result<(), SinkError> {
        if !self.shared.failed.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut failure = self
            .shared
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Err(failure
            .take()
            .unwrap_or_else(|| self.internal("written to after an error")))
    }

    fn internal(&self, problem: &str) -> SinkError {
        SinkError::Internal {
            place: self.load.place.clone(),
            problem: problem.into(),
        }
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

struct Writer {
    session: Session,
    /// Whether the run can do without it.
    spare: bool,
    budget: RetryBudget,
    load: Arc<Load>,
    groups: Receiver<Group>,
    shared: Arc<Shared>,
}

impl Writer {
    fn run(mut self) -> Session {
        // Where the server has no connection left for it, the others do the work.
        if self.spare {
            let connected = self
                .session
                .attempt(&mut RetryBudget::none(), async |_| Ok(()));
            if connected.is_err() {
                return self.session;
            }
        }
        while let Ok(group) = self.groups.recv() {
            if self.shared.failed.load(Ordering::Acquire) {
                break;
            }
            let mut attempt = Attempt::default();
            let load = &self.load;
            let stored = self.session.attempt(&mut self.budget, async |connection| {
                store(connection, load, &group, &mut attempt).await
            });
            if let Err(error) = stored {
                self.fail(error);
                break;
            }
            self.shared.refused().extend(attempt.into_rejects());
            self.shared.under_way.fetch_sub(1, Ordering::AcqRel);
        }
        self.session
    }

    fn fail(&self, error: SinkError) {
        let mut failure = self
            .shared
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // The first tells why; those after it may be its consequences.
        if !self.shared.failed.swap(true, Ordering::AcqRel) {
            *failure = Some(error);
        }
    }
}
