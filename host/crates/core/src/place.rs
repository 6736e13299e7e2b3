//! Where a chunk begins, so that another reader of the same source can begin there.

use serde::{Deserialize, Serialize};

/// All that a reader knows between two chunks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The index of the chunk that begins here.
    pub index: u64,
    /// The number of its first row.
    pub row: u64,
    /// Which of the source's files it is of, counted from 0.
    pub part: usize,
    /// Where in that file.
    pub within: Within,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Within {
    /// Bytes before it; of a file that is read by groups of rows, groups.
    pub offset: u64,
    /// Rows of the file before it.
    pub row: u64,
    /// The line that begins here, counted from 1; 0 where the source has no lines, and at a file's start.
    pub line: u64,
}

impl Within {
    /// Whether it is the file's start.
    pub fn is_start(&self) -> bool {
        *self == Within::default()
    }
}
