//! The log of a Delta table: what the table is by its last version, whether rows may be added to it, and the one
//! request by which a version is added.
//!
//! As Delta's protocol says it (<https://github.com/delta-io/delta/blob/master/PROTOCOL.md>). Nothing here reads or
//! writes rows: checkpoints, which are Parquet files, are read by whoever can.

mod actions;
mod columns;
mod commit;
mod error;
mod folder;
mod local;
mod log;
mod protocol;
mod state;
mod stored;

pub use actions::CheckpointRow;
pub use columns::{Fitted, can_hold};
pub use commit::{Added, Change, commit, put};
pub use error::DeltaError;
pub use folder::{Entry, Folder, Fresh};
pub use local::Local;
pub use log::{Checkpoints, LOOKED_AT, Ran, Table, Want, name_of, read};
pub use stored::Stored;

#[cfg(test)]
mod tests;
