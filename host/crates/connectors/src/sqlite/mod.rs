//! Rows into an SQLite table, in one transaction a run; the embedded default.
//!
//! Owns the sink's life from opening the file to committing; refuses rows after an error, and
//! leaves no file behind that it made and did not fill.

mod head;
mod rows;
mod session;
mod table;

use std::path::PathBuf;

use arrow_array::RecordBatch;
use glovebox_core::{Encoded, Encoder, Payload, Schema, SinkError};

pub use crate::database::Mode;
pub use head::head;
use session::Session;

/// Where the rows go.
#[derive(Debug, Clone)]
pub struct Options {
    /// The database file; created, for its owner's eyes only, if it is missing.
    pub path: PathBuf,
    /// The table, taken to the letter: names are always quoted.
    pub table: String,
    /// What happens to the rows that the table already holds.
    pub mode: Mode,
}

impl Options {
    fn place(&self) -> String {
        format!(
            "table `{}` in SQLite file {}",
            self.table,
            self.path.display()
        )
    }
}

/// An SQLite table as a sink.
///
/// It blocks on a runtime of its own, so it may not be used from within an async task.
pub struct Sink {
    options: Options,
    session: Option<Session>,
    columns: Vec<rows::Column>,
}

impl Sink {
    /// A sink that has not opened its file yet.
    pub fn new(options: Options) -> Self {
        Sink {
            options,
            session: None,
            columns: Vec::new(),
        }
    }

    fn internal(&self, problem: &str) -> SinkError {
        SinkError::Internal {
            place: self.options.place(),
            problem: problem.into(),
        }
    }
}

impl glovebox_core::Sink for Sink {
    fn describe(&self) -> String {
        self.options.place()
    }

    fn probe(&mut self, schema: &Schema) -> Result<(), SinkError> {
        session::probe(&self.options, schema)
    }

    fn open(&mut self, schema: &Schema) -> Result<(), SinkError> {
        self.abort();
        let (session, columns) = Session::begin(&self.options, schema)?;
        self.columns = columns;
        self.session = Some(session);
        Ok(())
    }

    fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(rows::RowEncoder::new(
            self.options.place(),
            self.columns.clone(),
        ))
    }

    fn write(&mut self, encoded: Encoded) -> Result<(), SinkError> {
        let batches: Vec<RecordBatch> = match encoded.payload {
            Payload::Batches(batches) => batches,
            Payload::Empty => return Ok(()),
            Payload::Bytes(_) => return Err(self.internal("it takes columns, not bytes")),
        };
        // Taken, and given back only on success: after an error nothing may be committed.
        let Some(mut session) = self.session.take() else {
            return Err(self.internal("written to while no run is open"));
        };
        match session.insert(&batches) {
            Ok(()) => {
                self.session = Some(session);
                Ok(())
            }
            Err(e) => {
                session.rollback();
                Err(e)
            }
        }
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        match self.session.take() {
            Some(session) => session.commit(),
            None => Err(self.internal("committed while no run is open")),
        }
    }

    fn abort(&mut self) {
        if let Some(session) = self.session.take() {
            session.rollback();
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        glovebox_core::Sink::abort(self);
    }
}
