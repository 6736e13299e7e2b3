//! What happens to rejected rows, and how many there may be.

use std::path::PathBuf;

use glovebox_core::SecretName;

use crate::span::Spanned;

/// What happens to rejected rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejects {
    /// The file that lists them.
    pub path: Spanned<PathBuf>,
    /// How many there may be; none is any number.
    pub at_most: Option<Spanned<AtMost>>,
    /// Where their cells are kept, encrypted; none if they are not.
    pub sealed: Option<SealedTo>,
}

/// Where the cells of rejected rows are kept, and who can open them.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedTo {
    /// The file.
    pub path: Spanned<PathBuf>,
    /// The secrets that hold the recipients' public keys; at least one.
    pub recipients: Vec<Spanned<SecretName>>,
}

/// How many rows may be rejected before a run counts as failed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AtMost {
    /// That many rows.
    Rows(u64),
    /// That share of the rows read, 0 to 1.
    Share(f64),
}

impl AtMost {
    /// Whether so many rejects are too many.
    pub fn exceeded_by(self, rejected: u64, read: u64) -> bool {
        match self {
            AtMost::Rows(rows) => rejected > rows,
            // Row counts are far below 2^53, where f64 stops being exact.
            AtMost::Share(share) => rejected as f64 > share * read as f64,
        }
    }
}
