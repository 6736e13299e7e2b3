//! Hostile plugins against the sandbox: each is stopped within its limits, with a message that says
//! what it did and what to do, and that holds no cell.

// clippy.toml lets tests fail loudly, but does not see that what they call is a test's too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod announcements;
mod cache;
mod columns;
mod escapes;
mod findings;
mod honest;
mod loading;
mod masks;
mod memory;
mod room;
mod stops;
mod watched;
