//! JSON lines files: a sink that writes one object a row and is published at once.
//!
//! Owns how each type is shown in JSON; refuses to lose a digit to a reader's floating point.

mod encode;
mod sink;

pub use sink::{Sink, SinkOptions};

pub use crate::file::Mode;
