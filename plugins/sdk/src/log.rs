//! Log messages for a plugin's author. During a run the host drops them, since they may contain
//! cells; still, a plugin must never log a cell.
//!
//! Natively, as in unit tests, messages go to standard error.

#[cfg(target_arch = "wasm32")]
use crate::bindings::glovebox::plugin::log::{Level, log};

/// Says something that helps while a plugin is being written.
pub fn debug(message: &str) {
    log(Level::Debug, message);
}

/// Says something that a run's reader may want to know.
pub fn info(message: &str) {
    log(Level::Info, message);
}

/// Says that something is off, but was dealt with.
pub fn warn(message: &str) {
    log(Level::Warn, message);
}

/// Says that something is wrong.
pub fn error(message: &str) {
    log(Level::Error, message);
}

#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug)]
enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

#[cfg(not(target_arch = "wasm32"))]
fn log(level: Level, message: &str) {
    eprintln!("{level:?}: {message}");
}
