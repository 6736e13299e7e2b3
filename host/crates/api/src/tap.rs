//! Hands what was recorded on to whoever looks at it, and makes nobody wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use glovebox_audit::Event;
use tokio::sync::mpsc;

/// Events that wait to be looked at.
const MAX_WAITING: usize = 10_000;

/// Hands events on to be looked at.
#[derive(Debug, Clone)]
pub(crate) struct Tap {
    events: mpsc::Sender<Event>,
    missed: Arc<AtomicU64>,
}

impl Tap {
    /// One, and where its events arrive; those that find no room are counted.
    pub(crate) fn new(missed: Arc<AtomicU64>) -> (Self, mpsc::Receiver<Event>) {
        let (events, waiting) = mpsc::channel(MAX_WAITING);
        (Tap { events, missed }, waiting)
    }

    /// Hands an event on that has been recorded.
    pub(crate) fn hand_on(&self, event: Event) {
        if self.events.try_send(event).is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}
