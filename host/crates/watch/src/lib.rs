//! Which files of a folder are whole: renamed into it, or unchanged for a time; and what wakes
//! whoever waits for them.
//!
//! What is there is always found by looking. The system's notices say when to look, and which files
//! were renamed in; a notice that is lost costs time and no file. Opens no file and keeps nothing on
//! disk.

mod notices;
mod settling;
mod version;

pub use notices::{Notices, Renamed};
pub use settling::{Change, Settling};
pub use version::Version;
