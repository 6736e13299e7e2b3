//! The catalog against SQLite and PostgreSQL: every behaviour in both.
//!
//! Owns what both have in common to show; refuses to know the API.

mod behaviours;
mod databases;
mod runs;
