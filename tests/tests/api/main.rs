//! The real `glovebox serve`, from the outside: what a client gets, and what an attacker does not.

// clippy.toml lets tests fail loudly, but does not see that what they call is a test's too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod alerts;
mod attacks;
mod bodies;
mod configuration;
mod connections;
mod datasets;
mod defences;
mod ecs;
mod examples;
mod explain;
mod full_disk;
mod issuers;
mod newcomer;
mod pages;
mod reruns;
mod reveal;
mod room;
mod rotations;
mod rules;
mod runs;
mod secure;
mod servers;
mod stores;
mod timing;
mod tokens;
mod traces;
mod uploads;
mod users;
mod waiting;
