//! Why a run failed.

use glovebox_core::{Fault, RowCounts, SinkError, SourceError};

use crate::rerun::RerunError;

/// A run that failed, or may not begin.
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
        "the rows are stored, but the rejects could not be put in place: {0}\na database sink keeps them too: `glovebox run --resume` writes them anew"
    )]
    RejectsAfterCommit(Box<RunError>),
    /// A run ended early.
    #[error("{error}{}", remains(.error, *.stored))]
    Ended {
        /// Why.
        error: Box<RunError>,
        /// Rows of it that are stored.
        stored: u64,
    },
    /// The rows that an earlier run rejected may not be run again so.
    #[error(transparent)]
    Rerun(#[from] RerunError),
    /// An unfinished run works on other rows of its input.
    #[error(
        "run {run} cannot go on so: it works on other rows of its input than this call names
go on with it with the `--rejects-of` that it began with, or without one if it had none; or start anew with `--again`"
    )]
    OtherRows {
        /// The run.
        run: String,
    },
    /// An earlier run of the pipeline has added a part of its rows.
    #[error(
        "run {run} of this pipeline, started {started}, did not finish: {stored} of its rows are stored
`--resume` goes on with it; `--again` starts anew and leaves those rows where they are"
    )]
    Unfinished {
        /// Its name.
        run: String,
        /// When it began.
        started: String,
        /// Its rows.
        stored: u64,
    },
    /// The same input went through the same plan before.
    #[error(
        "run {run}, started {started}, has added the rows of this very input already ({stored} of them)
`--again` adds them a second time"
    )]
    Already {
        /// Its name.
        run: String,
        /// When it began.
        started: String,
        /// Its rows.
        stored: u64,
    },
    /// A run may not go on by another plan.
    #[error(
        "run {run} cannot go on: since it began, its columns, steps, plugins or keys have changed
put them back, or start anew with `--again`"
    )]
    PlanChanged {
        /// The run.
        run: String,
    },
    /// A run may not go on with another input.
    #[error(
        "run {run} cannot go on: its input is not the one that it began with
put it back, or start anew with `--again`"
    )]
    InputChanged {
        /// The run.
        run: String,
    },
    /// A run may not go on, since its source has other rows by now.
    #[error(
        "run {run} cannot go on: since it began, rows of its source were changed, deleted or moved, or came in another order
start anew with `--again`; where nothing may come twice, write `mode: replace` or `mode: upsert`"
    )]
    RowsChanged {
        /// The run.
        run: String,
    },
    /// A source that changes was loaded before.
    #[error(
        "run {run}, started {started}, has added this source's rows already ({stored} of them), and mode append would add them once more
`--again` does that; `mode: replace` or `mode: upsert` brings the target up to date"
    )]
    Loaded {
        /// Its name.
        run: String,
        /// When it began.
        started: String,
        /// Its rows.
        stored: u64,
    },
    /// The system gives no random numbers for the run's name.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// The books do not balance, which is a fault of Glovebox's.
    #[error(
        "internal error: {} rows read, {} stored, {} filtered, {} rejected do not add up; please report it",
        .rows.read, .rows.stored, .rows.filtered, .rows.rejected
    )]
    Unbalanced {
        /// The counts.
        rows: RowCounts,
    },
    /// A chunk's rows and what was decoded of them differ, which is a fault of Glovebox's.
    #[error("internal error: a chunk of {due} rows was read as {read}; please report it")]
    Undecoded {
        /// Rows that the reader counted.
        due: u64,
        /// Rows that the decoder found.
        read: u64,
    },
    /// The operator stopped it.
    #[error("stopped on request")]
    Cancelled,
    /// Columns did not fit together. Arrow's own text may quote a value, so only its kind is kept.
    #[error("internal error: columns do not fit together ({0}); please report it")]
    Columns(&'static str),
    /// A worker panicked.
    #[error("internal error: a worker panicked; please report it")]
    Panicked,
}

impl RunError {
    /// Whether the call is to be changed, rather than what it works on.
    pub fn is_about_the_call(&self) -> bool {
        matches!(
            self,
            RunError::Unfinished { .. }
                | RunError::Already { .. }
                | RunError::PlanChanged { .. }
                | RunError::InputChanged { .. }
                | RunError::RowsChanged { .. }
                | RunError::Loaded { .. }
                | RunError::OtherRows { .. }
                | RunError::Rerun(_)
        )
    }

    /// The same, for a failure that came after the commit.
    pub(crate) fn after_commit(self) -> Self {
        RunError::RejectsAfterCommit(Box::new(self))
    }
}

/// What is left of a run that ended early.
fn remains(error: &RunError, stored: u64) -> String {
    let other = matches!(
        error,
        RunError::InputChanged { .. } | RunError::RowsChanged { .. }
    );
    match stored {
        0 => "\nnothing was stored".into(),
        n if other => format!("\n{n} rows of the run are stored"),
        1 => "\n1 row is stored; `glovebox run --resume` goes on with the rest".into(),
        n => format!("\n{n} rows are stored; `glovebox run --resume` goes on with the rest"),
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
