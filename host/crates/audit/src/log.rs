//! The log's interface for many concurrent callers: one sync for all waiting records. After a
//! failed write every record is refused until the log has been reopened: automatically if the disk
//! was full, otherwise only by a new process.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::anchor::Anchor;
use crate::error::AuditError;
use crate::event::Event;
use crate::options::Options;
use crate::record::Receipt;
use crate::writer::Writer;

/// The most records that may wait for the disk.
const MAX_WAITING: usize = 1 << 16;

/// How often a log that had no room is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// An open log. Clones share it; it closes with the last one.
#[derive(Debug, Clone)]
pub struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<Result<(), AuditError>>>>,
    restored: Option<Anchor>,
}

#[derive(Debug)]
struct Shared {
    folder: String,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Waiting>,
    closing: bool,
    /// Why nothing is taken any more, or now.
    failed: Option<AuditError>,
    syncs: u64,
    /// The last record on the disk: its number and hash.
    head: Option<(u64, String)>,
}

#[derive(Debug)]
struct Waiting {
    event: Event,
    reply: oneshot::Sender<Result<Receipt, AuditError>>,
}

impl Log {
    /// Opens a log, or begins one: takes the folder's lock, sets a torn end aside, and records
    /// that it was opened.
    ///
    /// # Errors
    /// When another process writes it, when it does not hold together or lags behind its
    /// checkpoints or anchors, or when the disk refuses.
    pub fn open(options: Options) -> Result<Log, AuditError> {
        let shared = Arc::new(Shared {
            folder: options.folder.display().to_string(),
            state: Mutex::default(),
            wake: Condvar::new(),
        });
        let writer = Writer::open(options.clone())?;
        let restored = writer.restored().cloned();
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || theirs.serve(&options, writer))
            .map_err(|_| {
                AuditError::Options(
                    "the operating system provides no thread for the \
                                             audit log",
                )
            })?;
        Ok(Log(Arc::new(Inner {
            shared,
            thread: Mutex::new(Some(thread)),
            restored,
        })))
    }

    /// Records an event; it is on disk when this returns.
    ///
    /// # Errors
    /// When it could not be written, or an earlier one could not. What was to be recorded must
    /// then not happen.
    pub async fn record(&self, event: Event) -> Result<Receipt, AuditError> {
        self.submit(event)?.await.map_err(|_| AuditError::Closed)?
    }

    /// The same, for a thread that may block.
    ///
    /// # Errors
    /// As [`Log::record`].
    pub fn record_blocking(&self, event: Event) -> Result<Receipt, AuditError> {
        let reply = self.submit(event)?;
        reply.blocking_recv().map_err(|_| AuditError::Closed)?
    }

    /// The anchor that it was behind, of a log that was said to be restored.
    pub fn restored(&self) -> Option<&Anchor> {
        self.0.restored.as_ref()
    }

    /// Whether the log takes records.
    ///
    /// # Errors
    /// Why it does not.
    pub fn ready(&self) -> Result<(), AuditError> {
        self.0.shared.refusal(&self.0.shared.lock())
    }

    /// The last record on the disk since the log was opened: its number and hash, to which all later ones are
    /// chained.
    pub fn head(&self) -> Option<(u64, String)> {
        self.0.shared.lock().head.clone()
    }

    /// How often the disk was synced for records.
    pub fn syncs(&self) -> u64 {
        self.0.shared.lock().syncs
    }

    /// Writes what waits, makes the last checkpoint and lets the folder go.
    ///
    /// # Errors
    /// When the log failed, now or before.
    pub fn close(&self) -> Result<(), AuditError> {
        self.0.close()
    }

    fn submit(
        &self,
        event: Event,
    ) -> Result<oneshot::Receiver<Result<Receipt, AuditError>>, AuditError> {
        let shared = &self.0.shared;
        let mut state = shared.lock();
        shared.refusal(&state)?;
        if state.waiting.len() >= MAX_WAITING {
            return Err(AuditError::Busy {
                waiting: state.waiting.len(),
            });
        }
        let (reply, receipt) = oneshot::channel();
        state.waiting.push(Waiting { event, reply });
        drop(state);
        shared.wake.notify_one();
        Ok(receipt)
    }
}

impl Inner {
    fn close(&self) -> Result<(), AuditError> {
        self.shared.lock().closing = true;
        self.shared.wake.notify_one();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match thread.map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(closed)) => closed,
            Some(Err(_)) => Err(AuditError::Closed),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "the audit log was not closed cleanly");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refusal(&self, state: &State) -> Result<(), AuditError> {
        match &state.failed {
            Some(failed) => Err(failed.clone()),
            None if state.closing => Err(AuditError::Closed),
            None => Ok(()),
        }
    }

    fn failed(&self, first: &AuditError) -> AuditError {
        let (folder, problem) = (self.folder.clone(), first.to_string());
        match first {
            AuditError::Full { .. } => AuditError::Waits { folder, problem },
            _ => AuditError::Failed { folder, problem },
        }
    }

    fn serve(&self, options: &Options, mut writer: Writer) -> Result<(), AuditError> {
        let _end = End(self);
        loop {
            let Err(error) = self.write(&mut writer) else {
                return Ok(());
            };
            tracing::error!(%error, "the audit log cannot take records");
            self.refuse(&error);
            if !matches!(error, AuditError::Full { .. }) {
                return Err(error);
            }
            // As a process that died there would find it: with the lock let go, and a torn end.
            drop(writer);
            writer = self.again(options, &error)?;
            self.lock().failed = None;
            tracing::warn!("the audit log accepts records again");
        }
    }

    /// The log opened anew, as soon as there is room.
    fn again(&self, options: &Options, first: &AuditError) -> Result<Writer, AuditError> {
        loop {
            let state = self.lock();
            let (state, _) = self
                .wake
                .wait_timeout_while(state, AGAIN, |s| !s.closing)
                .unwrap_or_else(PoisonError::into_inner);
            if state.closing {
                return Err(first.clone());
            }
            drop(state);
            match Writer::open(options.clone()) {
                // Somebody may look whether there is a writer.
                Err(AuditError::Full { .. } | AuditError::Locked { .. }) => {}
                Err(error) => {
                    tracing::error!(%error, "the audit log has stopped");
                    self.lock().failed = Some(self.failed(&error));
                    return Err(error);
                }
                Ok(writer) => return Ok(writer),
            }
        }
    }

    /// Tells all who wait, and all who come, why nothing is taken.
    fn refuse(&self, error: &AuditError) {
        let refusal = self.failed(error);
        let mut state = self.lock();
        for waiting in state.waiting.drain(..) {
            // Whoever waited may have gone.
            let _ = waiting.reply.send(Err(refusal.clone()));
        }
        state.failed = Some(refusal);
    }

    fn write(&self, writer: &mut Writer) -> Result<(), AuditError> {
        loop {
            let (batch, closing) = self.next(writer.wait());
            if !batch.is_empty() {
                self.commit(writer, batch)?;
            } else if closing {
                return writer.close();
            } else {
                writer.tend()?;
            }
        }
    }

    /// All that wait, at the latest after that time.
    fn next(&self, wait: Duration) -> (Vec<Waiting>, bool) {
        let state = self.lock();
        let (mut state, _) = self
            .wake
            .wait_timeout_while(state, wait, |s| s.waiting.is_empty() && !s.closing)
            .unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut state.waiting), state.closing)
    }

    fn commit(&self, writer: &mut Writer, batch: Vec<Waiting>) -> Result<(), AuditError> {
        let (events, replies): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|w| (w.event, w.reply)).unzip();
        let committed = writer.commit(events.into_iter());
        self.lock().syncs = writer.syncs();
        match committed {
            Ok(receipts) => {
                self.lock().head = Some(writer.head());
                for (reply, receipt) in replies.into_iter().zip(receipts) {
                    // Whoever waited may have gone; the record stays.
                    let _ = reply.send(receipt);
                }
                Ok(())
            }
            Err(error) => {
                for reply in replies {
                    let _ = reply.send(Err(self.failed(&error)));
                }
                Err(error)
            }
        }
    }
}

/// However the writer ends, nobody waits for it any longer.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if !state.closing && state.failed.is_none() {
            state.failed = Some(AuditError::Closed);
        }
        let refusal = self.0.refusal(&state).err();
        for waiting in state.waiting.drain(..) {
            let refusal = refusal.clone().unwrap_or(AuditError::Closed);
            // Whoever waited may have gone.
            let _ = waiting.reply.send(Err(refusal));
        }
    }
}
