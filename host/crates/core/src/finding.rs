//! What is wrong with a row, from a validator's finding to the reject that is written.
//! None of these types has a field that could hold a cell.

use std::sync::Arc;

use serde::{Serialize, Serializer};

/// Rows that a `gather:` step made are numbered from a number of its own on, so that no two rows of a run have one;
/// a source has fewer.
const MADE_ROWS: u32 = 48;

/// The number of the first row that the `gather:` step made, of which so many have come before it.
pub fn first_made_row(before: u64) -> u64 {
    (before + 1) << MADE_ROWS
}

/// The number of a row among those of its source or of the step that made it, counted from 0.
pub fn shown_row(row: u64) -> u64 {
    row & ((1 << MADE_ROWS) - 1)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn serialize_row<S: Serializer>(row: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(shown_row(*row))
}

/// A rule that a step announced before it saw a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The rule's name, such as `required`.
    pub id: Arc<str>,
    /// The granted column that it is about, as an index; none for whole rows.
    pub column: Option<usize>,
    /// A sentence for whoever reads the reject.
    pub message: Arc<str>,
}

/// What a validator says of a batch: these rows break that rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Index of the announced rule.
    pub rule: usize,
    /// Rows of the batch, ascending.
    pub rows: Vec<u32>,
}

/// A finding resolved to the names that an operator knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The step that said so, or `source` or `sink`.
    pub step: Arc<str>,
    /// The column, where the rule is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<Arc<str>>,
    /// The rule's name.
    pub rule: Arc<str>,
    /// What is wrong, without the value.
    pub message: Arc<str>,
}

/// A row set aside, with its violations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reject {
    /// The row's number in its source, counted from 0, or from [`first_made_row`].
    #[serde(serialize_with = "serialize_row")]
    pub row: u64,
    /// The file that it stood in, where the source has several; `line` counts within it. Or the `gather:` step that
    /// made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Arc<str>>,
    /// The line at which it starts, counted from 1, where the source has lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Why; at least one.
    pub violations: Vec<Violation>,
}
