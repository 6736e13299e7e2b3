//! What a sink stores about a run in the same transaction as its rows, so that a failed run can be
//! resumed and no chunk is stored twice.
//!
//! Refuses cells: counts, digests, names and times only.

use std::fmt;

use crate::finding::Reject;
use crate::plan_identity::PlanIdentity;
use crate::report::RowCounts;
use crate::secret::Secret;

/// The longest name of a run, in bytes: the name of a staging table in PostgreSQL has 63, six of which
/// are before it.
pub const MAX_RUN_LEN: usize = 57;

/// HMAC-SHA-256 under the journal's key.
pub type Digest = [u8; 32];

/// What an input is up to a certain line: which lines came so far, in whatever order. It says the
/// same of the same lines however they were packed, named and split into files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    /// How many lines there were that are not blank; of a source without lines, chunks.
    pub lines: u64,
    /// Digest of them.
    pub digest: Digest,
}

/// A run, as its sink is told of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Job {
    /// The run's own name: of its first start, where it is resumed.
    pub run: String,
    /// Whether it goes on with a run that the sink knows.
    pub resume: bool,
    /// The pipeline's name.
    pub pipeline: String,
    /// What decides what a row becomes.
    pub plan: PlanIdentity,
    /// Digests of what the plan is made of, by their names, as JSON that a sink keeps and does not
    /// read.
    pub parts: String,
    /// Where the rows come from.
    pub source: String,
    /// Tells the journal's key from others; none if there is no journal yet.
    pub key: Option<u16>,
    /// What its chunks bring to keep beside their rows, for which there has to be a place.
    pub keeps: Keeps,
    /// Whether it is to be proven what was written: of a file, by its digest.
    pub proven: bool,
    /// How a chunk's summary is brought up to date when the sink sets more of its rows aside.
    pub revise: Revise,
    /// What was seen of the target's runs when this one was decided on. It is refused once that has
    /// changed: the decision was made for other journal.
    pub seen: Option<Seen>,
}

/// What a run keeps beside its rows and its journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keeps {
    /// Blocks of sealed rejects.
    pub sealed: bool,
    /// Tokens.
    pub tokens: bool,
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

/// How far a target's journal is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Runs that were begun, of whatever pipeline.
    pub begun: u64,
    /// Those of them that are not under way any more.
    pub ended: u64,
    /// How often one was begun or taken over.
    pub turns: u64,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RunState {
    /// It has neither finished nor been given up.
    #[default]
    Running,
    /// All its rows are there.
    Finished,
    /// Another one was begun in its place; in mode append its chunks are still there.
    Abandoned,
}

/// A run that a sink remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Earlier {
    /// Its name.
    pub run: String,
    /// Its pipeline.
    pub pipeline: String,
    /// Its [`Job::plan`].
    pub plan: PlanIdentity,
    /// Its [`Job::parts`].
    pub parts: String,
    /// Its [`Job::source`].
    pub source: String,
    /// Its [`Job::key`]; none of one from before there were keys.
    pub key: Option<u16>,
    /// When it was started, in UTC.
    pub started: String,
    /// How far it is.
    pub state: RunState,
    /// What it runs as, in words, if it is running now.
    pub living: Option<String>,
    /// Whether its rows were added to those that were there.
    pub appends: bool,
    /// Whether its chunks are in the target as they come, before it has finished.
    pub shows_chunks: bool,
    /// Its whole input; none of a run that did not finish.
    pub whole: Option<Mark>,
    /// The first chunk of its input, as soon as that was read.
    pub beginning: Option<Mark>,
    /// Rows of its committed chunks.
    pub rows: RowCounts,
}

/// A run that a sink remembers, for people who ask what ran.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// The run.
    pub run: Earlier,
    /// When it finished, in UTC; none of one that did not.
    pub finished: Option<String>,
    /// The process that worked on it last, in words.
    pub runner: String,
}

/// What a sink remembers of the runs into its target.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Whether a run's rows are added to those that are there, so that a second run doubles them.
    pub appends: bool,
    /// How far the journal is.
    pub seen: Seen,
    /// The key of the journal's digests; none if there is no journal yet.
    pub key: Option<Secret>,
    /// The runs that did not finish and were not given up, the last first.
    pub running: Vec<Earlier>,
    /// The runs whose rows the target holds by the journal, whole or in part, the last first: all
    /// since it was last replaced, at most a thousand.
    pub held: Vec<Earlier>,
}

/// A chunk in a sink's journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChunkRecord {
    /// Its place among the chunks, counted from 0.
    pub index: u64,
    /// The number of its first row.
    pub first_row: u64,
    /// Its rows by their fate.
    pub rows: RowCounts,
    /// Digest of its lines, in their order.
    pub digest: Digest,
    /// The input up to its end; none of a chunk from before there were keys.
    pub upto: Option<Mark>,
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

/// What the journal says of a whole run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows by their fate.
    pub rows: RowCounts,
    /// The whole input.
    pub input: Mark,
}

/// A chunk of an earlier run that has the very lines of one that was asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The run.
    pub run: String,
    /// Its [`ChunkRecord::digest`].
    pub digest: Digest,
    /// Rows that were read from it.
    pub read: u64,
}

/// A reject as a sink's journal gives it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReject {
    /// The row's number, as a [`Reject`] has it.
    pub row: u64,
    /// The file that it stood in, where the source has several.
    pub file: Option<String>,
    /// The line at which it starts, counted from 1, where the source has lines.
    pub line: Option<u64>,
    /// Its violations, as the JSON array that they were written as.
    pub violations: String,
}
