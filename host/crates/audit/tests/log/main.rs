//! The audit log as a whole: what it keeps, what it refuses, and that nothing done to it
//! afterwards goes unseen.

// clippy.toml lets tests fail loudly, but does not see that what they call is a test's too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod anchors;
mod callers;
mod damage;
mod openings;
mod places;
mod rewriting;
mod segments;
mod support;
