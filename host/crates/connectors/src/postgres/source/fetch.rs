//! One connection's work: the rows of a statement, in pieces, as fast as they are consumed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender};
use futures_util::TryStreamExt;
use glovebox_core::SourceError;

use super::Options;
use super::cut::{Bounds, Cutter, Malformed, Piece};
use super::refusal::{malformed, refused};
use super::session::{Session, ended};

/// How often a reader that does not take is asked whether it will.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A piece, or why there is none.
pub(super) type Fetched = Result<Piece, SourceError>;

/// A statement and where its rows go.
pub(super) struct Task {
    /// COPY … TO STDOUT.
    pub(super) sql: String,
    pub(super) out: Sender<Fetched>,
}

impl Task {
    /// Hands over, and waits until there is room; an error if nobody wants it any more.
    fn give(&self, piece: Fetched, session: &Shared) -> Result<(), SourceError> {
        let mut piece = piece;
        loop {
            match self.out.send_timeout(piece, POLL_INTERVAL) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Timeout(back)) if !session.stop.load(Ordering::Relaxed) => {
                    piece = back;
                }
                Err(_) => return Err(ended(&session.options)),
            }
        }
    }
}

/// What a task has to know of the session that works on it.
struct Shared {
    options: Arc<Options>,
    stop: Arc<AtomicBool>,
}

/// Works on tasks until there are no more.
pub(super) fn fetch_all(
    mut session: Session,
    tasks: &Receiver<Task>,
    width: usize,
    bounds: Bounds,
) {
    let shared = Shared {
        options: session.options.clone(),
        stop: session.stop.clone(),
    };
    while let Ok(task) = tasks.recv() {
        if let Err(error) = fetch(&mut session, &shared, &task, width, bounds) {
            // Nobody may be left who wants to know.
            let _ = task.give(Err(error), &shared);
            return;
        }
    }
}

fn fetch(
    session: &mut Session,
    shared: &Shared,
    task: &Task,
    width: usize,
    bounds: Bounds,
) -> Result<(), SourceError> {
    session.work(async |connection| {
        let place = shared.options.place();
        let broken = |Malformed| malformed(&place);
        let lost = |e| refused(e, &place);
        let mut cutter = Cutter::new(width, bounds);
        let mut full = Vec::new();
        let mut rows = connection.copy_out_raw(&task.sql).await.map_err(lost)?;
        while let Some(message) = rows.try_next().await.map_err(lost)? {
            cutter.take(&message, &mut full).map_err(broken)?;
            for piece in full.drain(..) {
                task.give(Ok(piece), shared)?;
            }
        }
        task.give(Ok(cutter.finish().map_err(broken)?), shared)
    })
}
