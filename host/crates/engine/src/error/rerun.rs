//! Why rejected rows are not run again.

/// Why rejected rows are not run again.
#[derive(Debug, thiserror::Error)]
pub enum RerunError {
    /// The list of rejects could not be read.
    #[error("cannot read the rejects {place}: {problem}")]
    Unread {
        /// The file.
        place: String,
        /// What the system said.
        problem: std::io::Error,
    },
    /// It names no row.
    #[error("{place} names no rows: nothing was rejected, so there is nothing to run again")]
    Empty {
        /// The file.
        place: String,
    },
    /// It names more rows than are kept in memory.
    #[error(
        "{place} names more than {most} rows; split it, or run the whole input with `--again` and \
        `mode: replace` or `upsert`"
    )]
    TooMany {
        /// The file.
        place: String,
        /// How many are.
        most: usize,
    },
    /// A line of it is no reject.
    #[error(
        "line {number} of {place} is not a reject as `glovebox run` writes it, with `row` and \
        `violations`; name a rejects file of a run, or some of its lines"
    )]
    Foreign {
        /// The file.
        place: String,
        /// The line, counted from 1.
        number: u64,
    },
    /// Its lines cannot be of one run.
    #[error(
        "the file names and row numbers in {place} cannot come from a single run; name the \
        rejects file of one run"
    )]
    Mixed {
        /// The file.
        place: String,
    },
    /// The source is a database.
    #[error(
        "the source is a database, where row numbers are not stable, so the rejected rows cannot \
        be found again; correct them there and run with `mode: upsert`, or with a `query` that \
        selects them"
    )]
    Database,
    /// A step is over all rows.
    #[error(
        "a `gather:` step is over all rows, and not over those that were rejected; correct these in the source, and \
        run all rows"
    )]
    NeedsAllRows,
    /// The source can be read only once.
    #[error(
        "the source can be read only once, but the rejected rows must be located before the run; \
        save the rows to a file and name it with `--input`"
    )]
    ReadOnce,
    /// The sink would lose the rows that are not run again.
    #[error(
        "the sink would only contain the rows that are run again: {why}; run the whole input, or \
        {instead}"
    )]
    Loses {
        /// What takes the others away.
        why: &'static str,
        /// What to write.
        instead: &'static str,
    },
    /// The input does not have so many rows.
    #[error(
        "{place} names row {row}, but the input has {rows} rows; name the input from which they \
        were rejected, or the rejects file of this input"
    )]
    Missing {
        /// The list.
        place: String,
        /// The last row that it names.
        row: u64,
        /// How many there are.
        rows: u64,
    },
    /// A row is in another file than when it was rejected.
    #[error(
        "{place} has row {row} in {then}, but now that row is in {now}: files were added, removed \
        or renamed since; restore them"
    )]
    Elsewhere {
        /// The list.
        place: String,
        /// The row.
        row: u64,
        /// The file that the list names.
        then: String,
        /// The file that has the row of this number.
        now: String,
    },
    /// The input is not the one that they were rejected from.
    #[error(
        "the input is not the one from which run {run}, started {started}, rejected the rows of \
        {place}, or the manifest now describes its format differently
restore that input; if this is a corrected version with every row at the same position, name it \
    with `--input`; `--again` selects its rows by number without this check"
    )]
    OtherInput {
        /// The list.
        place: String,
        /// The run.
        run: String,
        /// When it began.
        started: String,
    },
    /// The journal knows the input, and that not all of these rows were rejected from it.
    #[error(
        "{place} names rows that no run of this input rejected, so they may be stored already (the last one: run {run}, started {started})
name the rejects file of a run of this input; `--again` adds the rows anyway"
    )]
    NotRejected {
        /// The list.
        place: String,
        /// The last run of this input.
        run: String,
        /// When it began.
        started: String,
    },
    /// Another run over rejects has stored some of the same input since.
    #[error(
        "run {run}, started {started}, has added {stored} rows of this input since, and rows of {place} may be among them
name the rejects file of that run; `--again` adds the rows of this one anyway"
    )]
    AddedSince {
        /// The list.
        place: String,
        /// The later run.
        run: String,
        /// When it began.
        started: String,
        /// Its rows.
        stored: u64,
    },
}
