//! How a log is kept: where, for how long, and by whom it is witnessed.

use std::path::PathBuf;
use std::time::Duration;

use crate::anchor::Anchorage;
use crate::key::SigningKey;

/// How a log is kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where; one writer a folder.
    pub folder: PathBuf,
    /// Bytes after which a new segment begins.
    pub segment_size: u64,
    /// Time after which a new segment begins.
    pub segment_age: Duration,
    /// Time after which a segment is deleted; none keeps them all. Needs checkpoints.
    pub keep_for: Option<Duration>,
    /// Signed statements in a second place.
    pub checkpoints: Option<Checkpoints>,
    /// What a third place remembers, and is told.
    pub anchorage: Option<Anchorage>,
}

impl Options {
    /// Segments of 64 MiB or a day, all of them kept, without checkpoints and anchors.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Options {
            folder: folder.into(),
            segment_size: 64 << 20,
            segment_age: Duration::from_secs(24 * 3600),
            keep_for: None,
            checkpoints: None,
            anchorage: None,
        }
    }
}

/// Where checkpoints go, by which key, and how often.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    /// The second place: another disk, another machine, write-once storage.
    pub folder: PathBuf,
    /// Who signs.
    pub key: SigningKey,
    /// How often.
    pub pace: CheckpointPolicy,
}

/// A checkpoint after so many records, or so much time in which there were any.
#[derive(Debug, Clone, Copy)]
pub struct CheckpointPolicy {
    /// Records; 1 makes a checkpoint before each group of records is acknowledged.
    pub records: u64,
    /// Time.
    pub time: Duration,
}

impl Default for CheckpointPolicy {
    fn default() -> Self {
        CheckpointPolicy {
            records: 256,
            time: Duration::from_secs(1),
        }
    }
}
