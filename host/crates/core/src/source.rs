//! A source of rows, read in two halves: one thread cuts it into chunks of bytes, many decode.
//!
//! Refuses to lose a row: whatever a chunk's bytes hold becomes a batch's row or a reject.

use crate::batch::Batch;
use crate::finding::Reject;
use crate::schema::Schema;

/// Where rows come from.
pub trait Source: Send + Sync {
    /// Kind and place in one line, without credentials.
    fn describe(&self) -> String;

    /// How its bytes become rows: format and options, without where it is. Sources of the same
    /// bytes and the same dialect have the same rows.
    fn dialect(&self) -> String;

    /// The columns it yields.
    fn schema(&self) -> &Schema;

    /// Its size in bytes, where that is known before reading.
    fn size_bytes(&self) -> Option<u64>;

    /// About how many rows it has, where that can be told before reading.
    fn estimate_rows(&self) -> Option<u64>;

    /// Opens it for one pass.
    ///
    /// # Errors
    /// When it cannot be opened or does not have the declared columns.
    fn chunks(&self) -> Result<Box<dyn ChunkReader>, SourceError>;

    /// A decoder for one worker.
    ///
    /// # Errors
    /// As [`Source::chunks`].
    fn decoder(&self) -> Result<Box<dyn Decoder>, SourceError>;
}

/// Cuts a source into chunks whose bounds are a function of its bytes.
pub trait ChunkReader: Send {
    /// The next chunk, or none at the end.
    ///
    /// # Errors
    /// When the source cannot be read on.
    fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError>;
}

/// A contiguous piece of a source, whole records only.
#[derive(Debug, Clone, Default)]
pub struct Chunk {
    /// Its place among the chunks, counted from 0.
    pub index: u64,
    /// Which of the source's files it is of, counted from 0.
    pub part: usize,
    /// The number of its first row.
    pub first_row: u64,
    /// How many rows its bytes hold.
    pub rows: u64,
    /// The line at which its bytes start, counted from 1, where the source has lines.
    pub first_line: Option<u64>,
    /// The records.
    pub bytes: Vec<u8>,
    /// Rows that follow these bytes, were too large to hold, and are rejected already; their
    /// numbers go on from `first_row + rows`.
    pub rejects: Vec<Reject>,
    /// Bytes of the source read so far, for progress.
    pub position: u64,
}

/// Turns chunks into batches; one for each worker.
pub trait Decoder: Send {
    /// The rows of a chunk. `rows read = rows of the batches + rejects`.
    ///
    /// # Errors
    /// When the chunk breaks the source's format as a whole.
    fn decode(&mut self, chunk: Chunk) -> Result<Decoded, SourceError>;
}

/// What a chunk held.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Rows that could be read, in order, in batches of bounded size.
    pub batches: Vec<Batch>,
    /// Rows that could not.
    pub rejects: Vec<Reject>,
}

/// Why a source cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file could not be opened or read.
    #[error("cannot read {place}: {problem}")]
    Io {
        /// The file.
        place: String,
        /// What the system said.
        problem: std::io::Error,
    },
    /// The source does not have what the manifest declares.
    #[error("{place}: {problem}")]
    Shape {
        /// The source.
        place: String,
        /// What is missing and what to do.
        problem: String,
    },
}
