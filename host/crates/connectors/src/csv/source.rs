//! The CSV source: opens the input, finds the declared columns, hands out both halves.
//!
//! Owns the agreement between the reader and its decoders; refuses to read standard input twice.

use std::fs::File;
use std::io::{Read, stdin};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use glovebox_core::{ChunkReader, Decoder, Schema, SourceError};

use super::bounds::Bounds;
use super::chunks::Chunks;
use super::decode::CsvDecoder;
use super::layout::{Layout, shape};
use super::options::{Input, Options};

/// How much of a file is looked at to estimate its rows.
const SAMPLE: u64 = 1 << 20;

/// Rows of a CSV file or of standard input.
///
/// A record is read as the `csv` crate reads it: quotes count at the start of a field only and are
/// doubled within one; `\n`, `\r\n` and `\r` end a record; blank lines are none. Cells are read
/// by these rules, without trimming:
///
/// | type | a cell is |
/// |---|---|
/// | `text` | any UTF-8 without NUL |
/// | `int64` | digits with an optional sign |
/// | `float64` | what Rust reads as a finite number; `NaN`, `Infinity`, `-Infinity` so spelled |
/// | `boolean` | `true`, `false`, `t`, `f` in any case; `1`, `0` |
/// | `decimal(p,s)` | digits with sign and point, at most `s` after it; nothing is rounded |
/// | `bytes` | `\x` and hexadecimal digits |
/// | `date` | `YYYY-MM-DD` |
/// | `timestamp` | RFC 3339, `T` or a space between, UTC without an offset, microseconds |
///
/// A row that cannot be read is a reject of the step `source`, under one of the rules `ragged`,
/// `type`, `utf-8`, `nul`, `too-long` and, in columns that are not nullable, `null`. Its line is
/// one more than the newlines before it.
pub struct Source {
    options: Options,
    schema: Schema,
    layout: Arc<OnceLock<Layout>>,
    stdin_taken: AtomicBool,
}

impl Source {
    /// A source of these columns; nothing is opened yet.
    pub fn new(options: Options, schema: Schema) -> Self {
        Source {
            options,
            schema,
            layout: Arc::default(),
            stdin_taken: AtomicBool::new(false),
        }
    }

    fn path(&self) -> Option<&Path> {
        match &self.options.input {
            Input::Stdin => None,
            Input::File(path) => Some(path),
        }
    }

    fn open(&self) -> Result<Box<dyn Read + Send>, SourceError> {
        let place = self.options.input.to_string();
        match self.path() {
            Some(path) => match File::open(path) {
                Ok(file) => Ok(Box::new(file)),
                Err(problem) => Err(SourceError::Io { place, problem }),
            },
            None if self.stdin_taken.swap(true, Ordering::Relaxed) => Err(shape(
                &place,
                "can be read only once; name a file to run it again".into(),
            )),
            None => Ok(Box::new(stdin())),
        }
    }

    /// The input behind its header, and the layout that its first record gives.
    fn start(&self) -> Result<(Chunks, Layout), SourceError> {
        let options = self.options.check()?;
        let place = self.options.input.to_string();
        let mut chunks = Chunks::new(self.open()?, place.clone(), options)?;
        let first = chunks.first_record()?;
        if !self.options.header {
            let layout = Layout::by_position(first, options.dialect, &self.schema, &place)?;
            return Ok((chunks, layout));
        }
        let layout = Layout::by_header(first, options.dialect, &self.schema, &place)?;
        let header = first.len();
        chunks.skip(header);
        Ok((chunks, layout))
    }
}

impl glovebox_core::Source for Source {
    fn describe(&self) -> String {
        format!("CSV from {}", self.options.input)
    }

    fn dialect(&self) -> String {
        let o = &self.options;
        format!(
            "csv header={} delimiter={} quote={} null={:?} field={} record={} chunk={}/{}",
            o.header,
            o.delimiter,
            o.quote,
            o.null,
            o.max_field,
            o.max_record,
            o.chunk_bytes,
            o.chunk_rows
        )
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn size_bytes(&self) -> Option<u64> {
        let of = std::fs::metadata(self.path()?).ok()?;
        of.is_file().then_some(of.len())
    }

    fn estimate_rows(&self) -> Option<u64> {
        let size = self.size_bytes()?;
        let dialect = self.options.check().ok()?.dialect;
        let mut sample = Vec::new();
        let file = File::open(self.path()?).ok()?;
        file.take(SAMPLE).read_to_end(&mut sample).ok()?;
        let mut bounds = Bounds::new(dialect);
        let seen = bounds.scan(&sample);
        let header = u64::from(self.options.header);
        if sample.len() as u64 >= size {
            let rows = seen.rows + u64::from(bounds.within_record());
            return Some(rows.saturating_sub(header));
        }
        let rows = u128::from(seen.rows) * u128::from(size) / seen.cut? as u128;
        u64::try_from(rows).ok()?.checked_sub(header)
    }

    fn chunks(&self) -> Result<Box<dyn ChunkReader>, SourceError> {
        let (chunks, layout) = self.start()?;
        if self.layout.get_or_init(|| layout.clone()) != &layout {
            return Err(shape(
                &self.options.input.to_string(),
                "its columns changed since it was opened; run again".into(),
            ));
        }
        Ok(Box::new(chunks))
    }

    /// A decoder of standard input learns the layout from [`Source::chunks`], which must have been
    /// called before it decodes.
    fn decoder(&self) -> Result<Box<dyn Decoder>, SourceError> {
        if self.layout.get().is_none() && self.path().is_some() {
            let (_, layout) = self.start()?;
            self.layout.get_or_init(|| layout);
        }
        let layout = Arc::clone(&self.layout);
        let decoder = CsvDecoder::new(&self.options, &self.schema, layout)?;
        Ok(Box::new(decoder))
    }
}
