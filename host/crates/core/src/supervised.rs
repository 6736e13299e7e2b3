//! What a run under another program's eyes says on standard error: lines of JSON.
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
