//! Why a run failed.

use glovebox_core::{Fault, KeyError, SinkError, SourceError};

/// A run that failed: nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The source could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The sink could not be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A plugin failed too often for single rows to be the reason.
    #[error(
        "step `{step}` gave up after {limit} faults of its plugin; the last: {last}\nif single rows are the reason, raise the step's `limits: {{ faults: … }}`"
    )]
    TooManyFaults {
        /// The step.
        step: String,
        /// Its limit.
        limit: u64,
        /// The last fault.
        last: Fault,
    },
    /// A plugin announced one thing at plan time and another in the run.
    #[error(
        "step `{step}`: its plugin announces other rules or fields each time it is opened; report it to the plugin's author"
    )]
    Fickle {
        /// The step.
        step: String,
    },
    /// A keyed mask could not be computed.
    #[error("step `{step}`: {error}")]
    Key {
        /// The step.
        step: String,
        /// Why.
        error: KeyError,
    },
    /// The rejects could not be written down.
    #[error("cannot write the rejects to {place}: {problem}")]
    Rejects {
        /// The file.
        place: String,
        /// What the system said.
        problem: std::io::Error,
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
