//! The Parquet sink: what a file is written as, and when it takes its place.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use glovebox_core::{
    ChunkRecord, Earlier, Encoder, FinishedChunk, History, Job, Keeps, KeptReject, Payload,
    Published, Schema, SinkError, Totals,
};
use parquet::errors::ParquetError;

use super::file::Opened;
use super::key::{Key, Keys};
use super::writing::{Columns, Compression, Writing, failed};
use crate::outlet::{Outlet, Target};

/// Rows to a Parquet file, which takes its place when it is whole.
///
/// Text is a string, a decimal a decimal, a date days, a timestamp microseconds in UTC, and bytes
/// are bytes; every column may have nulls. A row group has 131,072 rows, or fewer where they are
/// large.
pub struct Sink {
    target: Target,
    compression: Compression,
    replace_with_nothing: bool,
    /// Who alone can read what is written, at no moment anybody else.
    key: Option<Key>,
    writing: Option<Writing<Outlet>>,
    stored: u64,
}

impl Sink {
    /// A sink that will write to `path`; nothing is opened yet.
    pub fn new(path: impl Into<PathBuf>, compression: Compression) -> Self {
        Sink::to(Target::File(path.into()), compression)
    }

    /// A sink that will write to `target`; nothing is opened yet.
    pub fn to(target: Target, compression: Compression) -> Self {
        Sink {
            target,
            compression,
            replace_with_nothing: false,
            key: None,
            writing: None,
            stored: 0,
        }
    }

    /// Whether a run without rows takes the rows away that are there; it does not.
    pub fn replace_with_nothing(mut self, does: bool) -> Self {
        self.replace_with_nothing = does;
        self
    }

    /// Encrypts the file by that key, footer and all.
    pub fn encrypt_with(mut self, key: Option<Key>) -> Self {
        self.key = key;
        self
    }

    fn place(&self) -> String {
        self.target.to_string()
    }

    fn io(&self, problem: io::Error) -> SinkError {
        SinkError::Io {
            place: self.place(),
            problem,
        }
    }

    fn internal(&self, problem: &str) -> SinkError {
        SinkError::Internal {
            place: self.place(),
            problem: problem.into(),
        }
    }

    fn failed(&self, error: ParquetError) -> SinkError {
        failed(&self.place(), error)
    }

    fn check(&self, schema: &Schema) -> Result<(), SinkError> {
        if schema.fields.is_empty() {
            return Err(SinkError::Shape {
                place: self.place(),
                problem: "there are no columns to write; name some in `columns`".into(),
            });
        }
        Ok(())
    }
}

/// Whether the file that is there may have rows; one that is no Parquet file may.
fn may_have_rows(outlet: &Outlet) -> io::Result<bool> {
    let Some((file, length)) = outlet.existing()? else {
        return Ok(false);
    };
    if length == 0 {
        return Ok(false);
    }
    let opened = Opened::open(file, String::new(), &Schema::default(), &Keys::default());
    Ok(opened.ok().map(|opened| opened.rows()) != Some(0))
}

impl glovebox_core::Sink for Sink {
    fn describe(&self) -> String {
        format!("Parquet in {}", self.place())
    }

    fn probe(&mut self, schema: &Schema, _: Keeps) -> Result<Vec<String>, SinkError> {
        self.check(schema)?;
        self.target.probe().map_err(|e| self.io(e))?;
        Ok(Vec::new())
    }

    /// A file keeps no journal: it is whole or not there.
    fn history(&mut self) -> Result<Option<History>, SinkError> {
        Ok(None)
    }

    fn past(&mut self, _: &str) -> Result<Option<Vec<Earlier>>, SinkError> {
        Ok(None)
    }

    fn open(&mut self, job: &Job, schema: &Schema) -> Result<Vec<ChunkRecord>, SinkError> {
        self.check(schema)?;
        let outlet = self.target.create(job.proven).map_err(|e| self.io(e))?;
        self.stored = 0;
        let begun = Writing::begin(outlet, schema, self.compression, self.key.as_ref());
        self.writing = Some(begun.map_err(|e| self.failed(e))?);
        Ok(Vec::new())
    }

    fn encoder(&self) -> Box<dyn Encoder> {
        let arrow = self.writing.as_ref().map(|w| Arc::clone(w.arrow()));
        Box::new(Columns {
            place: self.place(),
            arrow,
        })
    }

    fn write(&mut self, chunk: FinishedChunk) -> Result<(), SinkError> {
        let Some(writing) = &mut self.writing else {
            return Err(self.internal("rows came before the sink was opened"));
        };
        self.stored += chunk.encoded.rows;
        let added = match chunk.encoded.payload {
            Payload::Empty => Ok(()),
            Payload::Batches(batches) => batches.into_iter().try_for_each(|b| writing.add(b)),
            Payload::Bytes(_) => return Err(self.internal("row groups take columns, not bytes")),
        };
        added.map_err(|e| self.failed(e))
    }

    fn appends(&self) -> bool {
        false
    }

    fn commit(&mut self, _: &Totals) -> Result<Published, SinkError> {
        let Some(writing) = self.writing.take() else {
            return Err(self.internal("committed before the sink was opened"));
        };
        let outlet = writing.finish().map_err(|e| self.failed(e))?;
        let kept = self.stored == 0
            && !self.replace_with_nothing
            && may_have_rows(&outlet).map_err(|e| self.io(e))?;
        let files = match kept {
            true => Vec::new(),
            false => outlet.publish().map_err(|e| self.io(e))?,
        };
        Ok(Published {
            kept,
            files,
            ..Published::default()
        })
    }

    fn withhold(&mut self, _: &Totals) -> Result<Published, SinkError> {
        self.writing = None;
        Ok(Published::nothing())
    }

    fn rejects(&mut self, _: &str, _: &mut dyn FnMut(KeptReject)) -> Result<(), SinkError> {
        Ok(())
    }

    fn abort(&mut self) -> u64 {
        self.writing = None;
        0
    }
}
