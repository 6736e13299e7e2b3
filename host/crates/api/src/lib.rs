//! The API behind `glovebox serve`: masked rows, runs and users, behind tokens.
//!
//! It knows neither plugins nor the engine: a run is a process that the program begins for it
//! ([`Launch`]), and so is the explanation of a cell ([`Explains`]); how masks are undone ([`Reveals`]), and whether a
//! manifest can be run is for the program to say ([`Loads`]).
//!
//! A tour: [`serve`] opens everything and listens; `listener`, `connections` and `connection` take a
//! connection; `gate` is before all routes and asks `rules` who may call what, `access` and `tokens`
//! who calls; `routes` has a file for each group of routes; `datasets` reads rows, `runs` has them
//! made; `audit` records what was done before the answer goes. [`config`] is `glovebox.yaml`,
//! [`examine`] is `serve --check`.

mod access;
mod alerts;
pub mod anchors;
pub mod audit;
mod caller;
mod catalog;
mod client;
pub mod config;
mod connection;
mod connections;
mod datasets;
mod described;
mod examine;
mod explain;
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
mod reveal;
mod routes;
mod rules;
mod runs;
mod serve;
mod slots;
mod standings;
mod state;
mod tally;
mod tap;
mod tokens;
mod traces;

use std::time::{SystemTime, UNIX_EPOCH};

pub use alerts::test_alerts;
pub use examine::{Loads, examine};
pub use explain::{CellAsked, Explains};
pub use places::{Secrets, database_place};
pub use reveal::{Answer, Request, Reveals};
pub use runs::{ChildRun, Launch, SealUploads, SealedUpload, UploadSeals};
pub use serve::serve;

/// What this machine is called.
pub(crate) fn machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "this machine".into(),
        name => name.into(),
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}
