//! Why a run over several processes failed, or may not begin.

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ShardsError {
    /// A run that cannot be shared out among processes.
    #[error("this run cannot be shared out among processes: {0}")]
    OneProcess(&'static str),
    /// A process that was to join a run would do something else with its rows.
    #[error(
        "run {run} cannot be joined: the manifest, a plugin or a key is another one here than \
        where it began"
    )]
    OtherPlan {
        /// The run.
        run: String,
    },
    /// The input was changed while it was read.
    #[error(
        "the input of run {run} was changed while it was read
restore it and continue with `--resume`, or start over with `--again`"
    )]
    InputChanging {
        /// The run.
        run: String,
    },
    /// A process that works on ranges of the run does not come to its end.
    #[error("{0}")]
    Ended(String),
    /// A source that has ranges cannot be entered where one begins, which is a fault of Glovebox's.
    #[error("internal error: the source cannot be entered where a range begins; please report it")]
    NoPlace,
    /// All ranges were worked on, and the journal does not have what they held, which is a fault of
    /// Glovebox's.
    #[error(
        "internal error: the journal does not have exactly the chunks of the input; please report \
        it"
    )]
    Untiled,
}
