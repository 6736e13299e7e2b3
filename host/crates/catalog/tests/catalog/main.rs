//! The catalog against SQLite and PostgreSQL: every behaviour in both.

// clippy.toml lets tests fail loudly, but does not see that what they call is a test's too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod anchors;
mod behaviours;
mod databases;
mod runs;
