//! The CSV source: opens the files, finds the declared columns in each, hands out both halves.
//!
//! Owns the agreement between the reader and its decoders; refuses a file without the declared
//! columns before the first row, where it can be opened more than once.

use std::sync::Arc;

use glovebox_core::{ChunkReader, Decoder, Schema, SourceError};

use super::bounds::Bounds;
use super::decode::CsvDecoder;
use super::layout::{Layout, Layouts};
use super::options::Options;
use crate::chunks::{Bounds as _, Chunks, Sizes};
use crate::input::{Inputs, Stream};
use crate::parts::Parts;

/// How much of a file is looked at to estimate its rows.
const SAMPLE: u64 = 1 << 20;
/// A header is looked for by pieces of this size, before it is read for good.
const HEADER: usize = 64 << 10;

/// Rows of CSV files, one after the other, or of standard input.
///
/// A record is read as the `csv` crate reads it: quotes count at the start of a field only and are
/// doubled within one; `\n`, `\r\n` and `\r` end a record; blank lines are none. Cells are read
/// by these rules, without trimming:
///
/// | type | a cell is |
/// |---|---|
/// | `text` | any UTF-8 without NUL |
/// | `int64` | digits with an optional sign |
/// | `float64` | what Rust reads as a finite number, not too small for one; `NaN`, `Infinity`, `-Infinity` so spelled |
/// | `boolean` | `true`, `false`, `t`, `f` in any case; `1`, `0` |
/// | `decimal(p,s)` | digits with sign and point, at most `s` after it but for zeros; nothing is rounded |
/// | `bytes` | `\x` and hexadecimal digits |
/// | `date` | `YYYY-MM-DD` |
/// | `timestamp` | RFC 3339, `T` or a space between, UTC without an offset, microseconds |
///
/// [`Options::formats`] may say other spellings of a column.
///
/// A row that cannot be read is a reject of the step `source`, under one of the rules `ragged`,
/// `type`, `utf-8`, `nul`, `too-long` and, in columns that are not nullable, `null`. Its line is
/// one more than the newlines before it.
pub struct Source {
    options: Options,
    schema: Schema,
    inputs: Arc<Inputs>,
    layouts: Arc<Layouts>,
}

impl Source {
    /// A source of these columns; nothing is opened yet.
    pub fn new(options: Options, schema: Schema) -> Self {
        let endings = match options.delimiter {
            b'\t' => &["csv", "tsv"][..],
            _ => &["csv"],
        };
        Source {
            inputs: Arc::new(Inputs::new(&options.inputs, endings)),
            layouts: Arc::default(),
            options,
            schema,
        }
    }

    /// Looks at the first records of all files that can be opened again.
    fn look_ahead(&self) -> Result<(), SourceError> {
        for part in 0..self.inputs.count()? {
            if self.inputs.size_of(part).is_some() && self.layouts.get(part).is_none() {
                let opener = self.opener(HEADER);
                opener.start(part, self.inputs.peek(part)?)?;
            }
        }
        Ok(())
    }

    fn opener(&self, most: usize) -> Opener {
        Opener {
            options: self.options.clone(),
            most,
            schema: self.schema.clone(),
            inputs: Arc::clone(&self.inputs),
            layouts: Arc::clone(&self.layouts),
        }
    }
}

/// Opens files of a source.
struct Opener {
    options: Options,
    /// The most that is read at once.
    most: usize,
    schema: Schema,
    inputs: Arc<Inputs>,
    layouts: Arc<Layouts>,
}

impl Opener {
    /// A file behind its header, whose layout is then known.
    fn start(&self, part: usize, stream: Stream) -> Result<Chunks<Bounds>, SourceError> {
        let checked = self.options.check()?;
        let dialect = checked.dialect;
        let sizes = Sizes {
            chunk_bytes: checked.sizes.chunk_bytes.min(self.most),
            ..checked.sizes
        };
        let place = self.inputs.place(part);
        let mut chunks = Chunks::new(stream, place.clone(), sizes, Bounds::new(dialect))?;
        let first = chunks.first_record()?;
        let layout = if self.options.header {
            let layout = Layout::by_header(first, dialect, &self.schema, &place)?;
            let header = first.len();
            chunks.skip(header);
            layout
        } else {
            Layout::by_position(first, dialect, &self.schema, &place)?
        };
        self.layouts.put(part, layout, &place)?;
        Ok(chunks)
    }
}

impl glovebox_core::Source for Source {
    fn describe(&self) -> String {
        format!("CSV from {}", self.inputs)
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
        ) + &crate::formats::dialect(&o.formats)
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn file(&self, part: usize) -> Option<Arc<str>> {
        self.inputs.name(part)
    }

    fn advice(&self, column: &str) -> Option<String> {
        crate::formats::advice(&self.schema, &self.options.formats, column)
    }

    fn size_bytes(&self) -> Option<u64> {
        self.inputs.size()
    }

    fn estimate_rows(&self) -> Option<u64> {
        let dialect = self.options.check().ok()?.dialect;
        let header = u64::from(self.options.header);
        self.inputs.estimate(SAMPLE, |sample, whole| {
            let mut bounds = Bounds::new(dialect);
            let seen = bounds.scan(sample);
            if whole {
                let rows = seen.rows + u64::from(bounds.within_record());
                return Some((rows.saturating_sub(header), sample.len()));
            }
            Some((seen.rows.checked_sub(header)?, seen.cut?))
        })
    }

    fn chunks(&self) -> Result<Box<dyn ChunkReader>, SourceError> {
        if self.inputs.count()? > 1 {
            self.look_ahead()?;
        }
        let opener = self.opener(usize::MAX);
        let open = move |part| -> Result<Box<dyn ChunkReader>, SourceError> {
            let stream = opener.inputs.open(part)?;
            Ok(Box::new(opener.start(part, stream)?))
        };
        let first = open(0)?;
        let parts = Parts::new(&self.inputs, Some(first), Box::new(open))?;
        Ok(Box::new(parts))
    }

    /// A decoder of standard input learns the layout from [`Source::chunks`], which must have been
    /// called before it decodes.
    fn decoder(&self) -> Result<Box<dyn Decoder>, SourceError> {
        self.look_ahead()?;
        let (inputs, layouts) = (Arc::clone(&self.inputs), Arc::clone(&self.layouts));
        let decoder = CsvDecoder::new(&self.options, &self.schema, inputs, layouts)?;
        Ok(Box::new(decoder))
    }
}
