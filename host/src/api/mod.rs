//! `glovebox serve`: masked rows behind tokens.
//!
//! Owns the only part of the program that names poem; refuses whatever no rule allows.

mod access;
pub(crate) mod anchors;
pub(crate) mod audit;
mod client;
pub(crate) mod config;
mod connection;
mod connections;
mod datasets;
mod examine;
mod gate;
mod issuers;
mod limits;
mod listener;
mod metrics;
// The document is of our own making, and a `Value` indexed by a name that is not there is null.
#[allow(clippy::indexing_slicing)]
mod openapi;
mod pace;
mod places;
mod problem;
mod routes;
mod rules;
mod runs;
mod serve;
mod slots;
mod state;
mod tally;
mod tokens;
mod traces;

use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) use examine::examine;
pub(crate) use places::{Secrets, catalog_place};
pub(crate) use serve::serve;

/// What this machine is called.
pub(crate) fn machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "this machine".into(),
        name => name.into(),
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}
