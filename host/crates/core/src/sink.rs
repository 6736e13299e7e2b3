//! Where clean rows go: encoded by many workers, written in order by one, published at once.
//!
//! Refuses halves: until [`Sink::commit`] returns, readers of the target see what was there before.

use arrow_array::RecordBatch;

use crate::batch::Batch;
use crate::finding::Reject;
use crate::schema::Schema;

/// A target for rows.
pub trait Sink: Send {
    /// Kind and place in one line, without credentials.
    fn describe(&self) -> String;

    /// Connects and checks that a table or file of this schema can be written there, changing
    /// nothing.
    ///
    /// # Errors
    /// What stands in the way, and what to do.
    fn probe(&mut self, schema: &Schema) -> Result<(), SinkError>;

    /// Connects, checks as [`Sink::probe`] does, and begins.
    ///
    /// # Errors
    /// What stands in the way, before the first row.
    fn open(&mut self, schema: &Schema) -> Result<(), SinkError>;

    /// An encoder for one worker; after [`Sink::open`].
    fn encoder(&self) -> Box<dyn Encoder>;

    /// Writes what an encoder made of a chunk. Chunks come in their order.
    ///
    /// # Errors
    /// When the target refuses; the run ends and nothing is published.
    fn write(&mut self, encoded: Encoded) -> Result<(), SinkError>;

    /// Publishes all that was written.
    ///
    /// # Errors
    /// When the target refuses; nothing is published.
    fn commit(&mut self) -> Result<(), SinkError>;

    /// Drops all that was written; the target is as before.
    fn abort(&mut self);
}

/// Encodes batches for a sink; one for each worker.
pub trait Encoder: Send {
    /// The sink's form of these batches.
    ///
    /// # Errors
    /// When the batches do not have the schema that the sink was opened with.
    fn encode(&mut self, batches: &[Batch]) -> Result<Encoded, SinkError>;
}

/// Rows in a sink's form.
#[derive(Debug, Default)]
pub struct Encoded {
    /// How many rows the payload holds.
    pub rows: u64,
    /// The rows.
    pub payload: Payload,
    /// Rows that this sink cannot store, such as text with a NUL for PostgreSQL.
    pub rejects: Vec<Reject>,
}

/// The form in which a sink takes rows.
#[derive(Debug, Default)]
pub enum Payload {
    /// Nothing.
    #[default]
    Empty,
    /// Bytes of a file or of a COPY stream.
    Bytes(Vec<u8>),
    /// Columns.
    Batches(Vec<RecordBatch>),
}

/// Why a sink cannot take rows.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// A file could not be written.
    #[error("cannot write {place}: {problem}")]
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
    /// The target exists and does not fit.
    #[error("{place} does not fit: {problem}")]
    Shape {
        /// The table or file.
        place: String,
        /// What differs and what to do.
        problem: String,
    },
    /// The database refused a statement. Its message is reduced to what holds no cell.
    #[error("{place} refused the rows: {problem}")]
    Refused {
        /// The table.
        place: String,
        /// SQLSTATE and what it means.
        problem: String,
    },
    /// The connection was lost while the rows were being published.
    #[error("{place}: the outcome is unknown: {problem}")]
    Unknown {
        /// The table.
        place: String,
        /// What to look at before running again.
        problem: String,
    },
    /// Batches of another schema than the sink was opened with.
    #[error("{place}: internal error: {problem}")]
    Internal {
        /// The sink.
        place: String,
        /// What was expected.
        problem: String,
    },
}
