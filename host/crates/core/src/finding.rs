//! What is wrong with a row, from a validator's finding to the reject that is written.
//! None of these types has a field that could hold a cell.

use std::sync::Arc;

use serde::Serialize;

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
    /// The row's number in its source, counted from 0.
    pub row: u64,
    /// The file that it stood in, where the source has several; `line` counts within it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Arc<str>>,
    /// The line at which it starts, counted from 1, where the source has lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Why; at least one.
    pub violations: Vec<Violation>,
}
