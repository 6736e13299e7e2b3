//! Why a run failed.

use glovebox_core::{Fault, KeyError, RowCounts, SinkError, SourceError};

mod rerun;
mod shards;

pub use self::rerun::RerunError;
pub use self::shards::ShardsError;

/// An earlier run, as messages name it: no word that a guest or a file chose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub run: String,
    /// Its pipeline.
    pub pipeline: String,
    /// When it began.
    pub started: String,
    /// Its rows that are stored.
    pub stored: u64,
    /// What it had otherwise, by names; nothing if nothing.
    pub differs: String,
}

impl std::fmt::Display for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Known {
            run,
            pipeline,
            started,
            ..
        } = self;
        write!(f, "run {run} of pipeline `{pipeline}`, started {started},")
    }
}

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
        "step `{step}` has lost more than {} s to faults of its plugin; the last one: {last}\nif \
        only a few rows cause them, raise the step's `limits: {{ lost-time: … }}`",
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
        "step `{step}`: its plugin announces different rules or fields each time it is opened; \
        report this to the plugin's author"
    )]
    Nondeterministic {
        /// The step.
        step: String,
    },
    /// A server did not compute with a key that it keeps.
    #[error("step `{step}`: {problem}")]
    RemoteKey {
        /// The step.
        step: String,
        /// The server, and what is wrong.
        problem: String,
    },
    /// The rejected rows could not be encrypted.
    #[error("cannot encrypt the rejected rows: {0}")]
    Unsealed(#[from] KeyError),
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
        "the rows are stored, but the rejects file could not be written: {0}\na database sink \
        keeps the rejects, too: `glovebox run --resume` writes the file again"
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
        "run {run} cannot be resumed like this: it works on other rows of its input than this \
        call selects
resume it with the `--rejects-of` that it began with, or without one if it had none; or start \
    over with `--again`"
    )]
    OtherRows {
        /// The run.
        run: String,
    },
    /// An earlier run has added a part of its rows, and may go on.
    #[error(
        "{0} did not finish: {stored} of its rows are stored{other}
`--resume` continues it, with its own pipeline; `--again` starts over and leaves those rows in \
    the table",
        stored = .0.stored, other = otherwise(.0)
    )]
    Unfinished(Box<Known>),
    /// An earlier run has added a part of its rows, and was given up.
    #[error(
        "{0} had this input and was abandoned: {stored} of its rows are stored
`--again` adds all rows of the input to them; to avoid duplicates, delete those rows first",
        stored = .0.stored
    )]
    GivenUp(Box<Known>),
    /// A run is under way.
    #[error(
        "{known} is running now: {living}{}",
        beside(*.own)
    )]
    Running {
        /// It.
        known: Box<Known>,
        /// What it runs as.
        living: String,
        /// Whether it is of the same pipeline.
        own: bool,
    },
    /// The same input was added before.
    #[error(
        "{0} has already added the rows of this input ({stored} of them){other}
`--again` adds them a second time",
        stored = .0.stored, other = otherwise(.0)
    )]
    Already(Box<Known>),
    /// An upsert would find none of the rows that are there.
    #[error(
        "{known} masked `{columns}`, by which mode upsert finds rows, with another key or method: this \
        run would find none of its rows, and add each a second time
mask with the key of that run (write its version in `keys`), or empty the table and load all rows with `--again`"
    )]
    FoundOtherwise {
        /// The run that stored them.
        known: Box<Known>,
        /// The columns.
        columns: String,
    },
    /// The input of an earlier run is the beginning of this one.
    #[error(
        "the first {rows} rows of this input were already added: {known} has added them{}
`--only-new` adds only the rows after them; `--again` adds all rows", otherwise(.known)
    )]
    Grown {
        /// The run.
        known: Box<Known>,
        /// How many rows its input had.
        rows: u64,
    },
    /// Parts of the input were added before.
    #[error(
        "at least {rows} rows of this input were already added from another input: {known} has \
        the same lines{}
name an input without them with `--input`; `--again` adds all rows anyway", otherwise(.known)
    )]
    Shared {
        /// The run.
        known: Box<Known>,
        /// How many rows the two have in common.
        rows: u64,
    },
    /// There is no journal by which new rows could be told from old ones.
    #[error(
        "the sink is a file and keeps no journal, so `--only-new` cannot tell which rows are new; \
        write to a database instead"
    )]
    NothingKnown,
    /// Nothing would come twice.
    #[error(
        "`--only-new` is for `mode: append`; this sink's mode updates the target from the whole \
        input, so run without `--only-new`"
    )]
    BringsUpToDate,
    /// Only some of the rows are to be run, and a step is over all.
    #[error(
        "a `gather:` step is over all rows, and `--only-new` is for some of them; run without \
        `--only-new`"
    )]
    NeedsAllRows,
    /// The source can be read only once, or is another one each time.
    #[error(
        "the source cannot be read before the run, so `--only-new` cannot tell which rows are \
        new; save the rows to a file and name it with `--input`, or use `mode: upsert`"
    )]
    CannotLookAhead,
    /// A run may not go on by another plan.
    #[error(
        "run {run} cannot be resumed: its columns, steps, plugins or keys have changed since it \
        began{}
restore them, or start over with `--again`", in_what(.differs)
    )]
    PlanChanged {
        /// The run.
        run: String,
        /// What, by names.
        differs: String,
    },
    /// A proof would name a manifest that the run did not have.
    #[error(
        "run {run} cannot be proven under this manifest: it had another one
restore that, start over with `--again`, or leave out `--proof`"
    )]
    OtherManifest {
        /// The run.
        run: String,
    },
    /// The journal's digests were made with another key.
    #[error(
        "run {run} cannot be resumed: it began with another `identity-key`, so its input cannot \
        be recognised
restore that secret, or start over with `--again`"
    )]
    KeyChanged {
        /// The run.
        run: String,
    },
    /// The run is older than its journal's form.
    #[error(
        "{0} cannot be resumed: it was started by an earlier version of glovebox, which recorded \
        less about its input ({stored} rows are stored)
finish it with that version, or start over with `--again`",
        stored = .0.stored
    )]
    OlderJournal(Box<Known>),
    /// A run may not go on with another input.
    #[error(
        "run {run} cannot be resumed: its input is not the one that it began with
restore that input, or start over with `--again`"
    )]
    InputChanged {
        /// The run.
        run: String,
    },
    /// A run may not go on, since its source has other rows by now.
    #[error(
        "run {run} cannot be resumed: since it began, rows of its source were changed, deleted, \
        moved or reordered
start over with `--again`; to avoid duplicate rows, use `mode: replace` or `mode: upsert`"
    )]
    RowsChanged {
        /// The run.
        run: String,
    },
    /// A source that changes was loaded before.
    #[error(
        "{0} has already added this source's rows ({stored} of them), and mode append would add \
        them again{other}
`--again` adds them again; `mode: replace` or `mode: upsert` updates the target instead",
        stored = .0.stored, other = otherwise(.0)
    )]
    Loaded(Box<Known>),
    /// Several processes cannot do it, or one of them did not.
    #[error(transparent)]
    Shards(#[from] ShardsError),
    /// The system gives no random numbers for the run's name.
    #[error("the operating system provides no random numbers: {0}")]
    Random(getrandom::Error),
    /// The journal does not balance, which is a fault of Glovebox's.
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
            RunError::Unfinished(_)
                | RunError::GivenUp(_)
                | RunError::Running { .. }
                | RunError::Already(_)
                | RunError::FoundOtherwise { .. }
                | RunError::Grown { .. }
                | RunError::Shared { .. }
                | RunError::NothingKnown
                | RunError::BringsUpToDate
                | RunError::NeedsAllRows
                | RunError::CannotLookAhead
                | RunError::Shards(ShardsError::OneProcess(_))
                | RunError::KeyChanged { .. }
                | RunError::OlderJournal(_)
                | RunError::PlanChanged { .. }
                | RunError::OtherManifest { .. }
                | RunError::InputChanged { .. }
                | RunError::RowsChanged { .. }
                | RunError::Loaded(_)
                | RunError::OtherRows { .. }
                | RunError::Rerun(_)
        )
    }

    /// The same, for a failure that came after the commit.
    pub(crate) fn after_commit(self) -> Self {
        RunError::RejectsAfterCommit(Box::new(self))
    }
}

/// What another run had otherwise.
fn otherwise(known: &Known) -> String {
    match known.differs.as_str() {
        "" => String::new(),
        differs => format!("; changed since then: {differs}"),
    }
}

fn in_what(differs: &str) -> String {
    match differs {
        "" => String::new(),
        differs => format!(": {differs}"),
    }
}

fn beside(own: bool) -> &'static str {
    if own {
        "\nlet it finish, or stop it; if you cannot reach that process, take the run over with \
        `--resume --take-over`"
    } else {
        "\nthe two runs would mix, or have rows in common; run again when it has finished"
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
        1 => "\n1 row is stored; `glovebox run --resume` continues with the rest".into(),
        n => format!("\n{n} rows are stored; `glovebox run --resume` continues with the rest"),
    }
}

/// Why a step has nothing to say of a batch.
#[derive(Debug)]
pub(crate) enum StepError {
    /// Its plugin's fault, which the rows that cause it pay for.
    Fault(Fault),
    /// Something that ends the run.
    Run(RunError),
}

impl From<Fault> for StepError {
    fn from(fault: Fault) -> Self {
        StepError::Fault(fault)
    }
}

impl<E: Into<RunError>> From<E> for StepError {
    fn from(error: E) -> Self {
        StepError::Run(error.into())
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
