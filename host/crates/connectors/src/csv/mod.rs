//! CSV files: a source that many workers decode, and a sink that is published at once.
//!
//! Owns the `csv` crate's reading of a file, proven against it; refuses to guess types, to trim
//! cells, or to lose a row: what cannot be read is a reject with its row and line.

mod bounds;
pub(crate) mod cells;
mod columns;
mod decode;
mod encode;
mod layout;
mod options;
mod records;
mod sink;
mod source;
#[cfg(test)]
mod tests;

pub use options::Options;
pub use sink::{Sink, SinkOptions};
pub use source::Source;

pub use crate::file::Mode;
pub use crate::input::Input;
