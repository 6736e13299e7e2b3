//! Replacing a table by another one that is loaded beside it and takes its name, so that rows are stored once.
//!
//! Where anything hangs on the table, or its twin does not come out as it is, rows are moved into the table as
//! they are for an upsert: docs/decisions/0046-swapped-tables.md.

mod exchange;
mod hangs;
mod horizon;
mod likeness;
mod ready;
mod twin;

use std::time::Duration;

pub(super) use exchange::exchange;
pub(super) use hangs::obstacle;
pub(super) use ready::ready;
pub(super) use twin::{is_twin, make};

/// How it went with a table that was to take another one's place.
pub(super) enum Swap {
    /// It has.
    Done,
    /// The rows have to be moved instead, and why.
    Not(String),
}

/// How many bytes of rows a second are moved into a table, about: as long as that would take, and no longer, it is
/// worth waiting for what is in the way of a swap.
const MOVED_A_SECOND: u64 = 16 << 20;
/// The least and the longest of such waits.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// How long to wait rather than to move a table of so many bytes.
fn patience(bytes: u64) -> Duration {
    let millis = bytes.saturating_mul(1000) / MOVED_A_SECOND;
    Duration::from_millis(millis).clamp(PATIENCE.0, PATIENCE.1)
}
