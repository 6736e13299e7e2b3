//! Why a run failed.

use glovebox_core::{Fault, RowCounts, SinkError, SourceError};

/// A run that failed. Nothing was published, unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The source could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The sink could not be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A plugin failed too long for single rows to be the reason.
    #[error(
        "step `{step}` has lost more than {} s to faults of its plugin; the last: {last}\nif single rows are the reason, raise the step's `limits: {{ lost-time: … }}`",
        .limit.as_secs_f64()
    )]
    TooManyFaults {
        /// The step.
        step: String,
        /// Its limit.
        limit: std::time::Duration,
        /// The last fault.
        last: Box<Fault>,
    },
    /// A plugin announced one thing at plan time and another in the run.
    #[error(
        "step `{step}`: its plugin announces other rules or fields each time it is opened; report it to the plugin's author"
    )]
    Fickle {
        /// The step.
        step: String,
    },
    /// The rejects could not be written down.
    #[error("cannot write the rejects to {place}: {problem}")]
    Rejects {
        /// The file.
        place: String,
        /// What the system said.
        problem: std::io::Error,
    },
    /// The rows are published, and the rejects are not.
    #[error(
        "the rows are stored, but the rejects could not be put in place: {0}\nwith `mode: append`, do not run it again before you have looked"
    )]
    RejectsAfterCommit(Box<RunError>),
    /// The books do not balance, which is a fault of Glovebox's.
    #[error(
        "internal error: {} rows read, {} stored, {} filtered, {} rejected do not add up; nothing was published; please report it",
        .rows.read, .rows.stored, .rows.filtered, .rows.rejected
    )]
    Unbalanced {
        /// The counts.
        rows: RowCounts,
    },
    /// A chunk's rows and what was decoded of them differ, which is a fault of Glovebox's.
    #[error(
        "internal error: a chunk of {due} rows was read as {read}; nothing was published; please report it"
    )]
    Undecoded {
        /// Rows that the reader counted.
        due: u64,
        /// Rows that the decoder found.
        read: u64,
    },
    /// The operator stopped it.
    #[error("stopped on request; nothing was published")]
    Cancelled,
    /// Columns did not fit together. Arrow's own text may quote a value, so only its kind is kept.
    #[error("internal error: columns do not fit together ({0}); please report it")]
    Columns(&'static str),
    /// A worker panicked.
    #[error("internal error: a worker panicked; nothing was published; please report it")]
    Panicked,
}

impl RunError {
    /// The same, for a failure that came after the commit.
    pub(crate) fn after_commit(self) -> Self {
        RunError::RejectsAfterCommit(Box::new(self))
    }
}

impl From<arrow_schema::ArrowError> for RunError {
    fn from(error: arrow_schema::ArrowError) -> Self {
        use arrow_schema::ArrowError as E;
        RunError::Columns(match error {
            E::SchemaError(_) => "schema",
            E::InvalidArgumentError(_) => "argument",
            E::ComputeError(_) => "compute",
            E::CastError(_) => "cast",
            _ => "arrow",
        })
    }
}
