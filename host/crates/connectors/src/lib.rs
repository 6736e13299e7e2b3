//! Sources and sinks. A folder a kind.

#![cfg_attr(
    not(all(feature = "delta", feature = "parquet", feature = "postgres")),
    allow(dead_code, unused_imports, reason = "what only one of these uses")
)]

#[cfg(feature = "age")]
pub mod age;
#[cfg(not(feature = "age"))]
#[path = "no_age.rs"]
pub mod age;
mod calendar;
pub mod cell;
mod chunks;
pub mod contain;
pub mod csv;
pub mod database;
mod declarable;
#[cfg(feature = "delta")]
pub mod delta;
pub mod discover;
mod draw;
pub mod file;
mod formats;
pub mod input;
pub mod jsonl;
mod names;
pub mod outlet;
#[cfg(feature = "parquet")]
pub mod parquet;
mod parts;
#[cfg(test)]
mod places_tests;
#[cfg(feature = "postgres")]
pub mod postgres;
mod rows;
mod spread;
pub mod sqlite;
pub mod text;
mod values;
mod years;
