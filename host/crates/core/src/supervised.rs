//! What a run, or an explanation, under another program's eyes says: lines of JSON.
//!
//! Both sides read and write them by these types; none has room for a cell.

use serde::{Deserialize, Serialize};

/// A line of progress.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Rows that have been through the steps.
    #[serde(rename = "progress-rows")]
    pub rows: u64,
    /// Bytes of the source that are behind us.
    pub bytes: u64,
    /// Bytes of the source, where that is known.
    pub of: Option<u64>,
}

/// A line that names the secrets which a run has fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretsUsed {
    /// Their names.
    #[serde(rename = "secrets-used")]
    pub secrets: Vec<String>,
}

/// Why a cell is not explained, on standard output in place of the explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unexplained {
    /// What stands in the way.
    #[serde(rename = "not-explained")]
    pub why: NotExplained,
    /// A sentence about it that does not repeat what was asked.
    pub detail: String,
}

/// What may stand in the way of an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotExplained {
    /// The manifest, or a key that it names.
    Manifest,
    /// The journal does not have the run.
    Run,
    /// There is no such column.
    Column,
}
