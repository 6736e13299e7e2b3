//! The CSV source: opens the files, finds the declared columns in each, and returns chunk reader
//! and decoder.

use std::borrow::Cow;
use std::sync::Arc;

use glovebox_core::{ChunkReader, Decoder, Schema, SourceError, endings};

use super::decode::CsvDecoder;
use super::encoding::{foreign, in_utf8};
use super::header::{Start, Where, fields_of};
use super::layout::{Layout, Layouts, typical};
use super::options::{Checked, Options};
use super::reader::{CsvChunks, Scan};
use crate::chunks::Sizes;
use crate::input::{Inputs, Stream};
use crate::parts::Parts;

/// How much of a file is looked at to estimate its rows.
const SAMPLE: u64 = 1 << 20;
/// A header is looked for by pieces of this size, before it is read for good.
const HEADER: usize = 64 << 10;
/// Records that say how many fields a file without a header has, as far as they end within
/// [`HEADER`] bytes: the same ones however much was read.
const SAMPLED: usize = 100;

/// Rows of CSV files, one after the other, or of standard input.
///
/// Unless [`Options`] says otherwise, quotes are those of RFC 4180 and nothing else: one opens a
/// field as its first byte, is doubled within, and closes it in front of a delimiter, a line end
/// or the end of the file. `\n`, `\r\n` and `\r` end a record; blank lines are none, except in a
/// file of one column. Cells are read by these rules, without trimming:
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
/// A row that cannot be read is a reject of the step `source`, under one of the rules `quote`,
/// `ragged`, `type`, `utf-8`, `nul`, `too-long` and, in columns that are not nullable, `null`. Its
/// line is one more than the newlines before it. A record whose quotes are wrong is rejected line
/// by line: as a rule its first line, and those that its quotes show to be within a cell.
pub struct Source {
    options: Options,
    schema: Schema,
    inputs: Arc<Inputs>,
    layouts: Arc<Layouts>,
}

impl Source {
    /// A source of these columns; nothing is opened yet.
    pub fn new(options: Options, schema: Schema) -> Self {
        Source {
            inputs: Arc::new(Inputs::new(
                &options.inputs,
                endings::of_csv(&options.delimiter),
            )),
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
    fn start(&self, part: usize, stream: Stream) -> Result<CsvChunks, SourceError> {
        let checked = self.options.check()?;
        let sizes = Sizes {
            chunk_bytes: checked.sizes.chunk_bytes.min(self.most),
            ..checked.sizes
        };
        let place = self.inputs.place(part);
        let stream = in_utf8(stream, self.options.encoding);
        let chunks = CsvChunks::new(stream, place.clone(), checked.dialect, sizes)?;
        let (chunks, layout) = begin(chunks, &self.options, checked, &self.schema, &place)?;
        self.layouts.put(part, layout, &place)?;
        Ok(chunks)
    }
}

/// Goes behind the header, and says what the records are like.
pub(super) fn begin(
    mut chunks: CsvChunks,
    options: &Options,
    checked: Checked,
    schema: &Schema,
    place: &str,
) -> Result<(CsvChunks, Layout), SourceError> {
    let passed = chunks.pass_lines(options.skip)?;
    if passed < options.skip {
        let problem = format!(
            "has {passed} lines, but `skip: {}` skips more",
            options.skip
        );
        return Err(SourceError::shape(place, problem));
    }
    let rows = options.header_rows.max(1);
    let records = match options.header {
        true => chunks.first_records(rows + 1, rows, true)?,
        false => chunks.first_records(SAMPLED, 1, false)?,
    };
    let of = Where {
        bytes: chunks.carried(),
        skipped: options.skip,
        encoding: foreign(options.encoding).map(|e| e.name()),
        place,
    };
    let layout = if options.header {
        if (1..rows).contains(&records.len()) {
            let problem = format!(
                "has {} rows, but `header-rows: {rows}` needs more",
                records.len()
            );
            return Err(SourceError::shape(place, problem));
        }
        Layout::by_header(&Start::new(&records, rows, checked.dialect, &of), schema)?
    } else {
        let close = records.iter().take_while(|record| record.end <= HEADER);
        let counts = close.map(|record| {
            let record = of.bytes.get(record.clone()).unwrap_or_default();
            fields_of(record, checked.dialect).len()
        });
        let first = typical(counts, schema);
        let records = records.get(first..).unwrap_or_default();
        Layout::by_position(&Start::new(records, 1, checked.dialect, &of), schema)?
    };
    if options.header {
        let header = records.get(rows - 1).map_or(0, |last| last.end);
        chunks.skip_header(header);
    }
    if layout.fields == 1 {
        chunks.count_blank_lines();
    }
    Ok((chunks, layout))
}

impl glovebox_core::Source for Source {
    fn describe(&self) -> String {
        format!("CSV from {}", self.inputs)
    }

    fn dialect(&self) -> String {
        let from: Vec<_> = self.schema.fields.iter().map(|f| &f.from).collect();
        let from = match from.iter().all(|f| f.is_none()) {
            true => String::new(),
            false => format!(" from={from:?}"),
        };
        self.options.describe() + &from + &crate::formats::dialect(&self.options.formats)
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
        let checked = self.options.check().ok()?;
        let header = match self.options.header {
            true => self.options.header_rows.max(1) as u64,
            false => 0,
        };
        self.inputs.estimate(SAMPLE, |sample, whole| {
            let text = match foreign(self.options.encoding) {
                Some(encoding) => Cow::Owned(encoding.decode(sample).0.into_owned().into_bytes()),
                None => Cow::Borrowed(sample),
            };
            let mut scan = Scan::default();
            let sizes = Sizes {
                chunk_bytes: usize::MAX,
                chunk_rows: u64::MAX,
                ..checked.sizes
            };
            scan.count(&checked.dialect, &text, whole, sizes);
            let rows = scan.rows.checked_sub(header + self.options.skip);
            if whole {
                return Some((rows.unwrap_or_default(), sample.len()));
            }
            // The same share of the sample as of its text.
            let share = scan.at as f64 / text.len().max(1) as f64;
            Some((rows?, (share * sample.len() as f64) as usize))
        })
    }

    fn is_there(&self) -> Result<(), SourceError> {
        if self.inputs.are_there()? {
            self.probe()?;
        }
        Ok(())
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
