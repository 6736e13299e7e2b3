//! Sources and sinks. A folder a kind; the only crate that names sqlx.
//!
//! Owns files and connections; refuses to know manifests, steps or where a password came from.

mod calendar;
pub mod csv;
pub mod database;
pub mod file;
pub mod jsonl;
pub mod page;
pub mod postgres;
pub mod sqlite;
mod staged;
mod values;
