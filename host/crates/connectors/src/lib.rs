//! Sources and sinks. A folder a kind; the only crate that names sqlx.
//!
//! Owns files and connections; refuses to know manifests, steps or where a password came from.

mod calendar;
mod chunks;
pub mod contain;
pub mod csv;
pub mod database;
pub mod discover;
pub mod file;
mod formats;
pub mod input;
pub mod jsonl;
mod names;
pub mod page;
pub mod parquet;
mod parts;
pub mod postgres;
mod rows;
pub mod sqlite;
mod values;
mod years;
