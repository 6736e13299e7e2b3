//! The tamper-evident audit log: who did what, when, from where, how many rows, which columns.
//!
//! A record is a line of JSON in the field names of the Elastic Common Schema. Its `event.hash` is
//! `SHA-256(hash of the record before, as 32 bytes ‖ the line's bytes before ,"event.hash":)`, so
//! that whoever has the lines can check them with a few lines of any language.

mod action;
mod anchor;
mod chain;
mod checkpoint;
mod error;
mod event;
mod examine;
mod key;
mod lines;
mod log;
mod open;
mod options;
mod pace;
mod record;
mod retention;
mod segment;
mod show;
mod tail;
mod time;
pub mod verify;
mod when;
mod writer;

pub use action::{Action, Outcome};
pub use anchor::{Anchor, Anchorage, Restored};
pub use error::AuditError;
pub use event::{Event, WatchedFile};
pub use examine::examine;
pub use key::{PublicKey, SigningKey};
pub use log::Log;
pub use options::{CheckpointPolicy, Checkpoints, Options};
pub use record::Receipt;
pub use show::{Entry, Shown, Wanted, show};
pub use tail::Tail;
pub use verify::{Anchors, Trust, Verification, verify};
pub use when::When;
