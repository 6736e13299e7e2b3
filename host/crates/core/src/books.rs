//! What a sink keeps of a run beside its rows, in the same transaction, so that a run that died
//! goes on where it stood and no chunk is stored twice.
//!
//! Refuses cells: counts, digests, names and times only.

use std::fmt;

use crate::finding::Reject;
use crate::report::RowCounts;
use crate::sink::Encoded;

/// SHA-256.
pub type Digest = [u8; 32];

/// A run, as its sink is told of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Job {
    /// The run's own name: of its first start, where it is resumed.
    pub run: String,
    /// Whether it goes on with a run that the sink knows.
    pub resume: bool,
    /// The pipeline's name.
    pub pipeline: String,
    /// SHA-256 of all that decides what a row becomes, in hexadecimal.
    pub plan: String,
    /// Where the rows come from.
    pub source: String,
    /// The source's length in bytes, where that is known.
    pub length: Option<u64>,
    /// How a chunk's summary is brought up to date when the sink sets more of its rows aside.
    pub revise: Revise,
    /// What was seen of the pipeline's runs when this one was decided on. A new run is refused once
    /// that has changed: the decision was made for other books.
    pub seen: Option<Seen>,
}

/// Makes a chunk's summary and the rejects that it does not count yet a new summary: the engine's
/// word, for sinks that keep summaries and do not read them.
#[derive(Clone, Copy)]
pub struct Revise(pub fn(&str, &[Reject]) -> String);

impl Default for Revise {
    fn default() -> Self {
        Revise(|summary, _| summary.to_owned())
    }
}

impl fmt::Debug for Revise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Revise")
    }
}

/// There is one engine.
impl PartialEq for Revise {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Revise {}

/// How far a pipeline's books are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Runs that were begun, into whatever target.
    pub begun: u64,
    /// Those of them that are not under way any more.
    pub ended: u64,
}

/// A run that a sink remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Earlier {
    /// Its name.
    pub run: String,
    /// Its [`Job::plan`].
    pub plan: String,
    /// Its [`Job::length`].
    pub length: Option<u64>,
    /// When it was started, in UTC.
    pub started: String,
    /// Digest of the whole input; none of a run that did not finish.
    pub digest: Option<Digest>,
    /// Digest of the input's first chunk, if that is stored.
    pub first_chunk: Option<Digest>,
    /// Rows of its committed chunks.
    pub rows: RowCounts,
}

/// What a sink remembers of a pipeline's runs into its target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Whether a run's rows are added to those that are there, so that a second run doubles them.
    pub appends: bool,
    /// How far the books are.
    pub seen: Seen,
    /// The last run, if it did not finish.
    pub unfinished: Option<Earlier>,
    /// The finished runs by the same plan, the last first; at most a hundred.
    pub finished: Vec<Earlier>,
}

/// A chunk in a sink's books.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChunkRecord {
    /// Its place among the chunks, counted from 0.
    pub index: u64,
    /// The number of its first row.
    pub first_row: u64,
    /// Its rows by their fate.
    pub rows: RowCounts,
    /// Digest of its bytes, cut to what a reader of the books may know.
    pub digest: Digest,
    /// The engine's counts for the report, as JSON that a sink keeps and does not read.
    pub summary: String,
}

impl ChunkRecord {
    /// Counts rows that its target refused as rejected, after they had counted as stored.
    pub fn refuse(&mut self, refused: &[Reject], revise: Revise) {
        let count = refused.len() as u64;
        self.rows.stored = self.rows.stored.saturating_sub(count);
        self.rows.rejected += count;
        self.summary = (revise.0)(&self.summary, refused);
    }
}

/// A chunk that has been through the steps: its rows, its rejects, its line in the books.
#[derive(Debug, Default)]
pub struct FinishedChunk {
    /// The books' line.
    pub record: ChunkRecord,
    /// The rows.
    pub encoded: Encoded,
    /// All rejects of the chunk, in the order of their rows.
    pub rejects: Vec<Reject>,
}

/// What the books say of a whole run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows by their fate.
    pub rows: RowCounts,
    /// Digest of the whole input.
    pub digest: Digest,
}

/// A reject as a sink's books give it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReject {
    /// The row's number in its source, counted from 0.
    pub row: u64,
    /// The file that it stood in, where the source has several.
    pub file: Option<String>,
    /// The line at which it starts, counted from 1, where the source has lines.
    pub line: Option<u64>,
    /// Its violations, as the JSON array that they were written as.
    pub violations: String,
}
