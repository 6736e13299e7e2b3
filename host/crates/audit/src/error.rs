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
    #[error("cannot {what} {path}: no space is left on its disk")]
    Full {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: String,
    },
    /// There was no room for an earlier record, and there is none yet.
    #[error(
        "the audit log in {folder} cannot take records: {problem}; it continues automatically \
        when there is space"
    )]
    Waits {
        /// The log's folder.
        folder: String,
        /// The first failure.
        problem: String,
    },
    /// Another process writes this log.
    #[error(
        "another process writes the audit log in {folder}; stop it, or use another folder for \
        this one"
    )]
    Locked {
        /// The log's folder.
        folder: String,
    },
    /// What is there does not hold together.
    #[error(
        "{place}: {problem}; `glovebox audit verify` says more. Keep the folder as evidence, and \
        start a new log in another one"
    )]
    Broken {
        /// File, and line where there is one.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// Another place remembers more of the log than there is.
    #[error(
        "{folder}: {problem}. Keep the folder as evidence. If the log was restored from a backup, \
        declare that with `glovebox audit restored --because TEXT`, which records it and lets the \
        log continue"
    )]
    Behind {
        /// The log's folder.
        folder: String,
        /// What is missing.
        problem: String,
    },
    /// A log was said to be restored that is not behind.
    #[error("{folder}: the log is not behind the catalog; there is nothing to record")]
    NotBehind {
        /// The log's folder.
        folder: String,
    },
    /// An earlier write failed.
    #[error("the audit log in {folder} has stopped: {problem}; fix that and restart")]
    Failed {
        /// The log's folder.
        folder: String,
        /// The first failure.
        problem: String,
    },
    /// More callers wait than can be served.
    #[error("{waiting} records are already waiting for the audit log's disk; try again later")]
    Busy {
        /// How many wait.
        waiting: usize,
    },
    /// A record that would be longer than a line may be.
    #[error("a record has {bytes} bytes, more than the audit log's limit of {most}")]
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
