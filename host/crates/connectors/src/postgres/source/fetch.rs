//! One connection's work: the rows of a statement, in pieces, as fast as they are taken.
//!
//! Owns a thread's session; refuses to hold more than the piece at hand and those that wait.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender};
use futures_util::TryStreamExt;
use glovebox_core::SourceError;

use super::cut::{Bounds, Cutter, Malformed, Piece};
use super::refusal::{malformed, refused};
use super::session::{Session, ended};

/// How often a reader that does not take is asked whether it will.
const LOOK: Duration = Duration::from_millis(50);

/// A statement and where its rows go.
pub(super) struct Task {
    /// COPY … TO STDOUT.
    pub(super) sql: String,
    pub(super) out: Sender<Result<Piece, SourceError>>,
}

/// Works on tasks until there are no more.
pub(super) fn fetch_all(
    mut session: Session,
    tasks: &Receiver<Task>,
    width: usize,
    bounds: Bounds,
) {
    while let Ok(task) = tasks.recv() {
        if let Err(error) = fetch(&mut session, &task, width, bounds) {
            // Nobody may be left who wants to know.
            let _ = task.out.send_timeout(Err(error), LOOK);
            return;
        }
    }
}

fn fetch(
    session: &mut Session,
    task: &Task,
    width: usize,
    bounds: Bounds,
) -> Result<(), SourceError> {
    let options = session.options.clone();
    let stop = session.stop.clone();
    let give = |piece: Piece| {
        let mut piece = Ok(piece);
        loop {
            match task.out.send_timeout(piece, LOOK) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Timeout(back)) if !stop.load(Ordering::Relaxed) => {
                    piece = back;
                }
                Err(_) => return Err(ended(&options)),
            }
        }
    };
    session.work(async |connection| {
        let place = options.place();
        let broken = |Malformed| malformed(&place);
        let lost = |e| refused(e, &place);
        let mut cutter = Cutter::new(width, bounds);
        let mut full = Vec::new();
        let mut rows = connection.copy_out_raw(&task.sql).await.map_err(lost)?;
        while let Some(message) = rows.try_next().await.map_err(lost)? {
            cutter.take(&message, &mut full).map_err(broken)?;
            full.drain(..).try_for_each(&give)?;
        }
        give(cutter.finish().map_err(broken)?)
    })
}
