//! How a file takes its place: claimed by one run at a time, written aside, put there when it is
//! whole and what is there is still what was met.
//!
//! Owns locks, staged files and their renaming; refuses to know what is in them.

mod claim;
mod staged;

pub use claim::{Claim, Holder, folder, resolve};
pub use staged::{Base, Staged, Stamp};
