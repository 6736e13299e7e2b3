//! The Parquet source: opens the files, checks each against the declared columns, and returns chunk
//! reader and decoder.

use std::sync::Arc;

use glovebox_core::{ChunkReader, Decoder, Field, Sampled, Schema, SourceError};

use super::chunks::{Chunks, Slices};
use super::decode::ParquetDecoder;
use super::fields;
use super::file::{CHUNK_BYTES, CHUNK_ROWS};
use super::files::Files;
use super::key::Keys;
use crate::input::Given;
use crate::parts::Parts;

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

impl Source {
    /// A source of these columns, of files that are encrypted as the keys say; nothing is opened yet.
    pub fn new(given: impl Into<Given>, schema: Schema, keys: Keys) -> Self {
        Source {
            files: Arc::new(Files::new(given.into(), schema.clone(), keys)),
            schema,
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
        self.files.rows()
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

    fn sample(&self, seed: u64) -> Result<Sampled, SourceError> {
        self.files.look_ahead()?;
        Ok(Sampled {
            chunks: Box::new(Slices::new(&self.files, seed)?),
            is_spread: true,
        })
    }

    fn undeclared(&self) -> Result<Vec<Field>, SourceError> {
        let (mut fields, _) = fields(&self.files.inputs, &self.files.keys)?;
        let declared = &self.schema.fields;
        fields.retain(|found| declared.iter().all(|f| f.source_name() != &*found.name));
        Ok(fields)
    }

    fn decoder(&self) -> Result<Box<dyn Decoder>, SourceError> {
        let files = Arc::clone(&self.files);
        Ok(Box::new(ParquetDecoder::new(files, &self.schema)))
    }
}
