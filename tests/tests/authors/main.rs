//! What an author of plugins meets: new folders, templates in three languages, and the course.

// clippy.toml lets tests fail loudly, but does not see that what they call is a test's too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod course;
mod folder;
mod journeys;
mod refusals;
