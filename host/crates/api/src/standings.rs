//! What the catalog said of sessions a moment ago, so that it is not asked for each request.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use glovebox_catalog::Standing;

/// How long a session's standing is believed. Revocation has to work within a second.
const FRESH: Duration = Duration::from_millis(500);
/// Standings remembered at most.
const REMEMBERED: usize = 10_000;

/// Standings of the last half second.
#[derive(Debug, Default)]
pub(crate) struct Standings(Mutex<HashMap<String, (Instant, Standing)>>);

impl Standings {
    pub(crate) fn recall(&self, session: &str) -> Option<Standing> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, standing) = known.get(session)?;
        (since.elapsed() < FRESH).then(|| standing.clone())
    }

    pub(crate) fn remember(&self, session: &str, asked: Instant, standing: &Standing) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.retain(|_, (since, _)| since.elapsed() < FRESH);
        }
        if known.len() < REMEMBERED {
            known.insert(session.to_owned(), (asked, standing.clone()));
        }
    }

    /// After a change on this server there is nothing to wait for.
    pub(crate) fn forget(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}
