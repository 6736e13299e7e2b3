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
        "{place} names more than {most} rows; run a part of it at a time, or the whole input with `--again` and `mode: replace` or `upsert`"
    )]
    TooMany {
        /// The file.
        place: String,
        /// How many are.
        most: usize,
    },
    /// A line of it is no reject.
    #[error(
        "line {number} of {place} is no reject as `glovebox run` writes them, with `row` and `violations`; name the list that a run left, whole or some of its lines"
    )]
    Foreign {
        /// The file.
        place: String,
        /// The line, counted from 1.
        number: u64,
    },
    /// Its lines cannot be of one run.
    #[error(
        "the rows of {place} are in files in a way that those of one run cannot be; name the list of one run"
    )]
    Mixed {
        /// The file.
        place: String,
    },
    /// The source is a database.
    #[error(
        "the source is a database, whose rows have no numbers that last, so those that were rejected cannot be found again; correct them there and run it with `mode: upsert`, or with a `query` for them"
    )]
    Database,
    /// The source can be read only once.
    #[error(
        "the source can be read only once, and whether it has the rejected rows has to be known before the first; save it as a file and name that with `--input`"
    )]
    ReadOnce,
    /// The sink would lose the rows that are not run again.
    #[error(
        "the sink would hold nothing but the rows that are run again: {why}; run the whole input, or {instead}"
    )]
    Loses {
        /// What takes the others away.
        why: &'static str,
        /// What to write.
        instead: &'static str,
    },
    /// The input does not have so many rows.
    #[error(
        "{place} names row {row}, and the input has {rows} rows; name the input that they were rejected from, or the list of this one"
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
        "{place} has row {row} in {then}, and now it is in {now}: files were added, taken away or renamed since; put them back as they were"
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
        "the input is not the one from which run {run}, started {started}, rejected the rows of {place}, or its format is described otherwise by now
put it back; if it is that one corrected, with every row in its place, name it with `--input`; `--again` takes its rows by their numbers all the same"
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
name the list of a run of this input; `--again` adds the rows all the same"
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
name the list of rejects that it left; `--again` adds the rows of this one all the same"
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
