//! The files of rows that a run writes, which nobody knows before a version names them.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use glovebox_core::{Payload, Schema, SinkError};
use glovebox_delta::{Added, Fresh};

use super::place::Place;
use crate::parquet::{Compression, Writing, failed};

/// Files on their way.
pub(super) struct Parts {
    place: Place,
    schema: Schema,
    arrow: SchemaRef,
    compression: Compression,
    file_bytes: usize,
    writing: Option<Part>,
    done: Vec<Added>,
}

struct Part {
    name: String,
    rows: u64,
    file: Writing<Counted>,
}

impl Parts {
    /// Files of these columns; none is made before there is a row.
    pub(super) fn new(
        place: Place,
        schema: &Schema,
        compression: Compression,
        file_bytes: usize,
    ) -> Self {
        Parts {
            place,
            schema: schema.clone(),
            arrow: schema.to_arrow(),
            compression,
            file_bytes,
            writing: None,
            done: Vec::new(),
        }
    }

    /// Their columns.
    pub(super) fn arrow(&self) -> SchemaRef {
        SchemaRef::clone(&self.arrow)
    }

    fn begin(&self) -> Result<Part, SinkError> {
        let ending = match self.compression {
            Compression::Zstd => ".zstd",
            Compression::Snappy => ".snappy",
            Compression::Gzip => ".gz",
            Compression::Lz4 => ".lz4",
            Compression::None => "",
        };
        let number = self.done.len();
        let name = format!("part-{number:05}-{}{ending}.parquet", random(&self.place)?);
        let file = self.place.folder.create(&name);
        let to = Counted {
            file: file.map_err(self.place.io(&name))?,
            bytes: 0,
        };
        let file = Writing::begin(to, &self.schema, self.compression, None);
        Ok(Part {
            file: file.map_err(|e| failed(&self.place.to_string(), e))?,
            name,
            rows: 0,
        })
    }

    fn add(&mut self, batch: RecordBatch) -> Result<(), SinkError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let mut part = match self.writing.take() {
            Some(part) => part,
            None => self.begin()?,
        };
        part.rows += batch.num_rows() as u64;
        part.file
            .add(batch)
            .map_err(|e| failed(&self.place.to_string(), e))?;
        match part.file.bytes_written() >= self.file_bytes {
            true => self.keep(part),
            false => {
                self.writing = Some(part);
                Ok(())
            }
        }
    }

    fn keep(&mut self, part: Part) -> Result<(), SinkError> {
        let Part { name, rows, file } = part;
        let Counted { file, bytes } = file
            .finish()
            .map_err(|e| failed(&self.place.to_string(), e))?;
        file.finish().map_err(self.place.io(&name))?;
        self.done.push(Added {
            name,
            size: bytes,
            rows,
        });
        Ok(())
    }

    /// Adds the rows of a chunk.
    pub(super) fn take(&mut self, rows: Payload) -> Result<(), SinkError> {
        match rows {
            Payload::Empty => Ok(()),
            Payload::Batches(batches) => batches.into_iter().try_for_each(|batch| self.add(batch)),
            Payload::Bytes(_) => Err(self.place.internal("row groups take columns, not bytes")),
        }
    }

    /// All of them, whole.
    pub(super) fn finish(&mut self) -> Result<&[Added], SinkError> {
        if let Some(part) = self.writing.take() {
            self.keep(part)?;
        }
        Ok(&self.done)
    }

    /// Takes over files that others have written.
    pub(super) fn adopt(&mut self, files: Vec<Added>) {
        self.done.extend(files);
    }

    /// Leaves what it has written to others.
    pub(super) fn hand_over(&mut self) {
        self.done.clear();
    }

    /// Takes back what no version names.
    pub(super) fn discard(&mut self) {
        self.writing = None;
        for part in self.done.drain(..) {
            self.place.folder.discard(&part.name);
        }
    }
}

/// A file, and how much was written.
struct Counted {
    file: Box<dyn Fresh>,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// What no other file's name has.
pub(super) fn random(place: &Place) -> Result<String, SinkError> {
    let mut bytes = [0; 16];
    let filled = getrandom::fill(&mut bytes);
    filled.map_err(|_| place.internal("the system has no random numbers"))?;
    Ok(glovebox_core::hex(bytes))
}
