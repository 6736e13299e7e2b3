//! A source of rows, read in two halves: one thread cuts it into chunks of bytes, many decode.
//! No row is lost: everything in a chunk's bytes becomes a row of a batch or a reject.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::batch::Batch;
use crate::finding::Reject;
use crate::place::{Place, Within};
use crate::schema::{Field, Native, Schema};

/// Where rows come from.
pub trait Source: Send + Sync {
    /// Kind and place in one line, without credentials.
    fn describe(&self) -> String;

    /// How its bytes become rows: format and options, without where it is. Sources of the same
    /// bytes and the same dialect have the same rows.
    fn dialect(&self) -> String;

    /// The columns it yields.
    fn schema(&self) -> &Schema;

    /// Its size in bytes, where that is known before reading; for progress.
    fn size_bytes(&self) -> Option<u64>;

    /// By what it is recognised before it is read.
    fn identity(&self) -> Identity {
        match self.size_bytes() {
            Some(_) => Identity::Lines,
            None => Identity::Beginning,
        }
    }

    /// Whether others may change its rows at any time, so that two readings may differ.
    fn is_live(&self) -> bool {
        false
    }

    /// What a file of it is called, counted from 0, if it has several; known once
    /// [`Source::chunks`] has opened it.
    fn file(&self, _part: usize) -> Option<Arc<str>> {
        None
    }

    /// What its opaque columns are, by name; known once [`Source::chunks`] has opened it.
    fn natives(&self) -> Vec<(Arc<str>, Arc<Native>)> {
        Vec::new()
    }

    /// Opens it and looks whether it has the declared columns, as far as that shows at its start.
    ///
    /// # Errors
    /// As [`Source::chunks`], and when a column is in none of the first records.
    fn probe(&self) -> Result<(), SourceError> {
        self.chunks().map(drop)
    }

    /// Declared columns that no record had of those that were decoded, where a record may do
    /// without.
    fn absent(&self) -> Vec<Arc<str>> {
        Vec::new()
    }

    /// What could be said in the manifest of a column most of whose cells were not of its type; none
    /// where there is nothing to say.
    fn advice(&self, _column: &str) -> Option<String> {
        None
    }

    /// About how many rows it has, where that can be told before reading.
    fn estimate_rows(&self) -> Option<u64>;

    /// Whether what it would read is there and has the declared columns, as far as that can be told
    /// from how files begin and without connecting; a pipe is left alone.
    ///
    /// # Errors
    /// When a file is not there or cannot be opened; and as [`Source::probe`].
    fn is_there(&self) -> Result<(), SourceError> {
        Ok(())
    }

    /// Opens it for one pass.
    ///
    /// # Errors
    /// When it cannot be opened or does not have the declared columns.
    fn chunks(&self) -> Result<Box<dyn ChunkReader>, SourceError>;

    /// Opens it for a look at what it holds: chunks from all over it, chosen by `seed`, which end
    /// sooner or later and may leave rows out at their bounds; from its start where it cannot be
    /// entered elsewhere.
    ///
    /// # Errors
    /// As [`Source::chunks`].
    fn sample(&self, _seed: u64) -> Result<Sampled, SourceError> {
        let chunks = self.chunks()?;
        Ok(Sampled {
            chunks,
            is_spread: false,
        })
    }

    /// The columns that it has beside the declared ones, as far as its beginning or its catalogue
    /// shows, under names that a manifest takes; none where it cannot tell.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn undeclared(&self) -> Result<Vec<Field>, SourceError> {
        Ok(Vec::new())
    }

    /// A decoder for one worker.
    ///
    /// # Errors
    /// As [`Source::chunks`].
    fn decoder(&self) -> Result<Box<dyn Decoder>, SourceError>;
}

/// A source that is open for a look at what it holds.
pub struct Sampled {
    /// What is read, in an order of its own.
    pub chunks: Box<dyn ChunkReader>,
    /// Whether it comes from all over the source; else it is the source from its start.
    pub is_spread: bool,
}

/// By what an input is recognised that a run had before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// By its lines: it can be read before the run.
    Lines,
    /// By its first chunk: it can be read once only, or is another one each time.
    Beginning,
    /// By its place: it is the same input, whatever it holds by now.
    Place,
}

/// Cuts a source into chunks whose bounds are a function of its bytes.
pub trait ChunkReader: Send {
    /// The next chunk, or none at the end.
    ///
    /// # Errors
    /// When the source cannot be read on.
    fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError>;

    /// Goes to where a chunk begins, before the first was read: that one is next, and those after it are
    /// those that come after it anyway. Says no where it cannot.
    ///
    /// # Errors
    /// When the source cannot be read there.
    fn go_to(&mut self, _place: &Place) -> Result<bool, SourceError> {
        Ok(false)
    }
}

/// A contiguous piece of a source, whole records only.
#[derive(Debug, Clone, Default)]
pub struct Chunk {
    /// Its place among the chunks, counted from 0.
    pub index: u64,
    /// Which of the source's files it is of, counted from 0.
    pub part: usize,
    /// Where it begins in its file, if a reader can go there.
    pub within: Option<Within>,
    /// The number of its first row.
    pub first_row: u64,
    /// How many rows its bytes hold.
    pub rows: u64,
    /// The line at which its bytes start, counted from 1, where the source has lines.
    pub first_line: Option<u64>,
    /// The record that names the columns of its file, where there is one.
    pub head: Option<Arc<[u8]>>,
    /// The records.
    pub bytes: Vec<u8>,
    /// Rows that follow these bytes, were too large to hold, and are rejected already; their
    /// numbers go on from `first_row + rows`.
    pub rejects: Vec<Reject>,
    /// Bytes of the source read so far, for progress.
    pub position: u64,
}

impl Chunk {
    /// Where it begins, if a reader can begin there.
    pub fn place(&self) -> Option<Place> {
        Some(Place {
            index: self.index,
            row: self.first_row,
            part: self.part,
            within: self.within?,
        })
    }
}

/// Turns chunks into batches; one for each worker.
pub trait Decoder: Send {
    /// The rows of a chunk. `rows read = rows of the batches + rejects`.
    ///
    /// # Errors
    /// When the chunk breaks the source's format as a whole.
    fn decode(&mut self, chunk: Chunk) -> Result<Decoded, SourceError>;

    /// The records of these rows of a chunk as they stand in the source, by row, as far as it can tell;
    /// for rows of which there are no cells.
    fn records(&self, _chunk: &Chunk, _rows: &[u64]) -> BTreeMap<u64, Vec<u8>> {
        BTreeMap::new()
    }
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
    /// The database cannot be reached, or refuses us.
    #[error("cannot connect to {place}: {problem}")]
    Connect {
        /// The database.
        place: String,
        /// What went wrong and what to do.
        problem: String,
    },
    /// The database refused a statement. Its message is reduced to what holds no cell.
    #[error("cannot read {place}: {problem}")]
    Refused {
        /// The table or query.
        place: String,
        /// What it means and what to do.
        problem: String,
    },
    /// The source does not have what the manifest declares.
    #[error("{place}: {problem}")]
    Shape {
        /// The source.
        place: String,
        /// What is missing and what to do.
        problem: String,
    },
    /// A `gather:` step, from which the steps after it read, does not come to its end.
    #[error("step {step}: {problem}")]
    Gather {
        /// The step.
        step: String,
        /// Why not, and what to do; no text of the engine's.
        problem: String,
    },
}

impl SourceError {
    /// That the source does not have what the manifest declares.
    pub fn shape(place: impl Into<String>, problem: impl Into<String>) -> Self {
        SourceError::Shape {
            place: place.into(),
            problem: problem.into(),
        }
    }
}
