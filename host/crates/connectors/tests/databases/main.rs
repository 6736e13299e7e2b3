//! The database sinks against real databases: a PostgreSQL server that the test harness starts,
//! and SQLite files.

// clippy.toml lets tests fail loudly, but does not see that what they call is a test's too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod data;
mod kinds_of_tables;
mod postgres_cable;
mod postgres_connect;
mod postgres_effects;
mod postgres_faults;
mod postgres_modes;
mod postgres_rows;
mod postgres_runs;
mod postgres_shared;
mod postgres_source;
mod postgres_swaps;
mod postgres_table;
mod refused_rows;
mod sqlite;
mod sqlite_effects;
mod sqlite_journal;
mod tokens;
