//! What the process that began a run and one that joins it say to each other: lines of JSON over pipes. None has
//! room for a cell.

use glovebox_engine::{Joining, Range};
use serde::{Deserialize, Serialize};

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Asked {
    /// To join a run; the first line.
    Join(Joining),
    /// To work on a range.
    Work(Box<Range>),
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Said {
    /// It has joined.
    Joined,
    /// It lives, and is so far in its range; said all the time.
    Alive { rows: u64, bytes: u64 },
    /// All of the range is stored. With the declared columns that no record had so far.
    Done { rows: u64, absent: Vec<String> },
    /// Why it ends.
    Failed(String),
}

/// As a line.
pub(super) fn line(of: &impl Serialize) -> String {
    // These types have no map with other keys than text, and nothing else can fail.
    let mut line = serde_json::to_string(of).unwrap_or_default();
    line.push('\n');
    line
}
