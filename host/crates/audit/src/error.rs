//! Why a record could not be kept, or a log not be opened.

use std::io;
use std::path::Path;

/// Why the audit log does not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuditError {
    /// The system refused something about a file.
    #[error("cannot {what} {path}: {problem}")]
    File {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: String,
        /// What the system said.
        problem: String,
    },
    /// There is no room for what was to be written.
    #[error("cannot {what} {path}: no room is left on its disk")]
    Full {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: String,
    },
    /// There was no room for an earlier record, and there is none yet.
    #[error(
        "the audit log in {folder} takes no records now, because of: {problem}; it goes on by itself when there is room"
    )]
    Waits {
        /// The log's folder.
        folder: String,
        /// The first failure.
        problem: String,
    },
    /// Another process writes this log.
    #[error(
        "another process writes the audit log in {folder}; stop it, or give this one a folder of its own"
    )]
    Locked {
        /// The log's folder.
        folder: String,
    },
    /// What is there does not hold together.
    #[error(
        "{place}: {problem}; `glovebox audit verify` says more. Keep the folder as evidence, and begin a new log in another"
    )]
    Broken {
        /// File, and line where there is one.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// Another place remembers more of the log than there is.
    #[error(
        "{folder}: {problem}. Keep the folder as evidence. If the log was restored from a backup, say so by `glovebox audit restored --because TEXT`, which records it and lets the log go on"
    )]
    Behind {
        /// The log's folder.
        folder: String,
        /// What is missing.
        problem: String,
    },
    /// A log was said to be restored that is not behind.
    #[error("{folder}: the log is as far as the catalog knows it; nothing is to be recorded")]
    NotBehind {
        /// The log's folder.
        folder: String,
    },
    /// An earlier write failed.
    #[error(
        "the audit log in {folder} takes no more records, because of: {problem}; put that right and start again"
    )]
    Failed {
        /// The log's folder.
        folder: String,
        /// The first failure.
        problem: String,
    },
    /// More callers wait than can be served.
    #[error("{waiting} records wait for the audit log's disk already; try again later")]
    Busy {
        /// How many wait.
        waiting: usize,
    },
    /// A record that would be longer than a line may be.
    #[error(
        "a record of {bytes} bytes is longer than {most}, the longest that the audit log takes"
    )]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// A key that is none.
    #[error("{0}")]
    Key(&'static str),
    /// Options that do not go together.
    #[error("{0}")]
    Options(&'static str),
    /// The log was closed.
    #[error("the audit log is closed")]
    Closed,
}

impl AuditError {
    pub(crate) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |e| match e.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                AuditError::Full { what, path }
            }
            _ => AuditError::File {
                what,
                path,
                problem: e.to_string(),
            },
        }
    }

    /// After a sync that failed nobody knows what the disk holds, whatever the reason was.
    pub(crate) fn sync(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |e| AuditError::File {
            what: "sync",
            path,
            problem: e.to_string(),
        }
    }
}
