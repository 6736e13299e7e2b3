//! The Parquet source: opens the files, checks each against the declared columns, and returns chunk
//! reader and decoder.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use glovebox_core::{ChunkReader, Decoder, Schema, SourceError, endings};

use super::chunks::Chunks;
use super::decode::ParquetDecoder;
use super::file::{CHUNK_BYTES, CHUNK_ROWS, Opened, Stamp, shape};
use crate::input::{Input, Inputs};
use crate::parts::Parts;

/// Files that are kept open; those in flight are among the last.
const KEPT_OPEN: usize = 64;

/// Rows of Parquet files, one after the other.
///
/// Of a file only the declared columns are read, by name. A column's type has to be the declared
/// one or a narrower one of its kind, which is seen before the first row:
///
/// | declared | a file's column |
/// |---|---|
/// | `text` | strings; bytes that are UTF-8; UUIDs; times of day; decimals of more than 38 digits; lists, maps and structs, as JSON text |
/// | `int64` | signed or unsigned integers of 8 to 64 bits |
/// | `float64` | floats of 16 to 64 bits |
/// | `decimal(p,s)` | decimals of up to 38 digits |
/// | `boolean` | booleans |
/// | `bytes` | bytes, of fixed length too |
/// | `date` | days |
/// | `timestamp` | milliseconds to nanoseconds, and INT96; without a zone they are UTC |
///
/// A value that is not exactly one of the declared type (an unsigned integer beyond 2⁶³, a decimal
/// with more digits, nanoseconds that are no microseconds) rejects its row under the rule `type`; a
/// text with a NUL under `nul`; a map that has a key of text twice under `json`. A chunk is a slice of
/// a row group. A page that cannot be unpacked, or that is not what its checksum was made of, ends
/// the run, since the rows behind it have no numbers.
pub struct Source {
    schema: Schema,
    pub(super) files: Arc<Files>,
}

/// The files, opened when they are needed.
pub(super) struct Files {
    inputs: Arc<Inputs>,
    schema: Schema,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The last that were opened.
    opened: VecDeque<(usize, Arc<Opened>)>,
    stamps: BTreeMap<usize, Stamp>,
    rows: BTreeMap<usize, u64>,
}

impl Files {
    /// A file, opened and in order.
    pub(super) fn opened(&self, part: usize) -> Result<Arc<Opened>, SourceError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, opened)) = known.opened.iter().find(|(p, _)| *p == part) {
            return Ok(Arc::clone(opened));
        }
        let Some(path) = self.inputs.path(part)? else {
            return Err(shape(
                "standard input",
                "a Parquet file is read from its end; save it to a file first and name that file",
            ));
        };
        let opened = Arc::new(Opened::open(path, &self.schema)?);
        let before = known.stamps.insert(part, opened.stamp);
        if before.is_some_and(|before| before != opened.stamp) {
            return Err(shape(&opened.place, "changed while it was read; run again"));
        }
        known.rows.insert(part, opened.rows());
        known.opened.push_back((part, Arc::clone(&opened)));
        if known.opened.len() > KEPT_OPEN {
            known.opened.pop_front();
        }
        Ok(opened)
    }

    /// A file's name, if there are several.
    pub(super) fn name(&self, part: usize) -> Option<Arc<str>> {
        self.inputs.name(part)
    }

    /// Opens each file, so that one that does not fit is found before the first row.
    fn look_ahead(&self) -> Result<(), SourceError> {
        for part in 0..self.inputs.count()? {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let seen = known.stamps.contains_key(&part);
            drop(known);
            if !seen {
                self.opened(part)?;
            }
        }
        Ok(())
    }
}

impl Source {
    /// A source of these columns; nothing is opened yet.
    pub fn new(inputs: Vec<Input>, schema: Schema) -> Self {
        let files = Files {
            inputs: Arc::new(Inputs::new(&inputs, endings::PARQUET)),
            schema: schema.clone(),
            known: Mutex::default(),
        };
        Source {
            schema,
            files: Arc::new(files),
        }
    }
}

impl glovebox_core::Source for Source {
    fn describe(&self) -> String {
        format!("Parquet from {}", self.files.inputs)
    }

    fn dialect(&self) -> String {
        format!("parquet chunk={CHUNK_BYTES}/{CHUNK_ROWS}")
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn file(&self, part: usize) -> Option<Arc<str>> {
        self.files.name(part)
    }

    fn size_bytes(&self) -> Option<u64> {
        self.files.inputs.size()
    }

    fn estimate_rows(&self) -> Option<u64> {
        self.files.look_ahead().ok()?;
        let known = self.files.known.lock();
        let known = known.unwrap_or_else(PoisonError::into_inner);
        known
            .rows
            .values()
            .try_fold(0, |sum: u64, rows| sum.checked_add(*rows))
    }

    fn is_there(&self) -> Result<(), SourceError> {
        self.files.look_ahead()
    }

    fn chunks(&self) -> Result<Box<dyn ChunkReader>, SourceError> {
        self.files.look_ahead()?;
        let files = Arc::clone(&self.files);
        let open = move |part| -> Result<Box<dyn ChunkReader>, SourceError> {
            Ok(Box::new(Chunks::new(files.opened(part)?)))
        };
        let parts = Parts::new(&self.files.inputs, None, Box::new(open))?;
        Ok(Box::new(parts))
    }

    fn decoder(&self) -> Result<Box<dyn Decoder>, SourceError> {
        let files = Arc::clone(&self.files);
        Ok(Box::new(ParquetDecoder::new(files, &self.schema)))
    }
}
