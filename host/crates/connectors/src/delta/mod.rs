//! A Delta table as a sink: rows go into Parquet files that no reader of the table sees, and one version of its log
//! makes them the table's, all at once.

mod checkpoints;
mod entry;
mod kept;
mod parts;
mod place;
mod rows;
mod shared;
mod sink;
#[cfg(test)]
mod tests;

use glovebox_core::Secret;

use crate::outlet::Target;
use crate::parquet::Compression;

pub use sink::Sink;

/// What happens to the rows that a table already holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// They stay.
    #[default]
    Append,
    /// The version that has the new ones is without them.
    Replace,
}

/// [`Options::file_bytes`], unless somebody knows better.
pub const FILE_BYTES: usize = 256 << 20;

/// How a table is written.
#[derive(Debug, Clone)]
pub struct Options {
    /// The table's folder.
    pub target: Target,
    /// What happens to its rows.
    pub mode: Mode,
    /// How the pages of its files are compressed.
    pub compression: Compression,
    /// With [`Mode::Replace`]: whether a run without rows takes the rows away that are there.
    pub replace_with_nothing: bool,
    /// Bytes of a file of rows behind which another is begun.
    pub file_bytes: usize,
    /// The key of the digests of inputs, where the table is not to keep one.
    pub identity_key: Option<Secret>,
}
