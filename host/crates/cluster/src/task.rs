//! What an executor is asked to do: one range of one run. It names the pipeline by its digests; what decides
//! over rows, and every secret, the executor has itself.

use glovebox_engine::{Joining, Range};
use serde::{Deserialize, Serialize};

/// Bytes of a task, of which nearly all are digests of chunks that are stored already.
pub(crate) const MOST: usize = 1 << 20;

/// A range to work on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Task {
    /// The program's version where the run began: what stands in the journal must mean the same to all.
    pub version: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// SHA-256 of the manifest's text, in hexadecimal.
    pub manifest: String,
    /// The run.
    pub joining: Joining,
    /// What is to be worked on.
    pub range: Range,
}

impl Task {
    /// The version of this program.
    pub const VERSION: &str = env!("CARGO_PKG_VERSION");

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        // These types have no map with other keys than text, and nothing else can fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// None if these bytes are not a task.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes.len() {
            0..=MOST => serde_json::from_slice(bytes).ok(),
            _ => None,
        }
    }
}
