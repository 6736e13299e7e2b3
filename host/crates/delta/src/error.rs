//! Why a table cannot be read, or a version not added: sentences that repeat no text of the log but names.

use std::io;

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum DeltaError {
    /// A file of the table could not be read or written.
    #[error("{name}: {problem}")]
    Io {
        /// The file, within the table's folder.
        name: String,
        /// What the system or the store said.
        problem: io::Error,
    },
    /// The table is not one that rows can be added to: what it is, and what to do.
    #[error("{0}")]
    Unfit(String),
    /// Others have changed the table since it was read, so that what was decided by it does not hold any more.
    #[error("{0}")]
    Conflict(String),
    /// A version was sent, and whether it is there cannot be told.
    #[error("{name}: {problem}")]
    Unknown {
        /// The file of that version.
        name: String,
        /// What the system or the store said.
        problem: io::Error,
    },
}

impl DeltaError {
    pub(crate) fn io(name: &str) -> impl FnOnce(io::Error) -> DeltaError {
        let name = name.to_owned();
        move |problem| DeltaError::Io { name, problem }
    }

    /// A file of the log that is not what the protocol says.
    pub(crate) fn broken(name: &str, what: &str) -> DeltaError {
        DeltaError::Unfit(format!(
            "{name} in its folder {what}; repair or restore the table first"
        ))
    }
}
