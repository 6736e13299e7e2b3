//! The CSV source: opens the files, finds the declared columns in each, and returns chunk reader
//! and decoder.

use std::borrow::Cow;
use std::sync::Arc;

use glovebox_core::{ChunkReader, Decoder, Field, Formats, ReadFrom, Schema, SourceError, endings};

use super::decode::CsvDecoder;
use super::dialect::LineEnd;
use super::encoding::{foreign, in_utf8};
use super::header::{Start, Where, fields_of};
use super::layout::{Layout, Layouts, typical};
use super::options::{Checked, Options};
use super::reader::CsvChunks;
use super::scan::Scan;
use crate::age::Identity;
use crate::chunks::Sizes;
use crate::declarable::of_header;
use crate::input::{Input, Stream};
use crate::text::{Files, TextFormat, TextSource};

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
pub type Source = TextSource<Options>;

impl TextFormat for Options {
    const NAME: &'static str = "CSV";

    type Learnt = Arc<Layouts>;

    fn inputs(&self) -> (&[Input], &'static [&'static str]) {
        (&self.inputs, endings::of_csv(&self.delimiter))
    }

    fn identities(&self) -> &[Identity] {
        &self.identities
    }

    fn formats(&self) -> &[Formats] {
        &self.formats
    }

    fn dialect(&self) -> String {
        self.describe()
    }

    fn nothing_learnt(&self, _: &Schema) -> Arc<Layouts> {
        Arc::default()
    }

    /// A file behind its header, whose layout is then known.
    fn begin(
        files: &Files<Self>,
        part: usize,
        stream: Stream,
        most: usize,
    ) -> Result<Box<dyn ChunkReader>, SourceError> {
        let options = &files.format;
        let checked = options.check()?;
        let sizes = Sizes {
            chunk_bytes: checked.sizes.chunk_bytes.min(most),
            ..checked.sizes
        };
        let place = files.inputs.place(part);
        let stream = in_utf8(stream, options.encoding);
        let chunks = CsvChunks::new(stream, place.clone(), checked.dialect, sizes)?;
        let (chunks, layout) = begin(chunks, options, checked, &files.schema, &place)?;
        files.learnt.put(part, layout, &place)?;
        Ok(Box::new(chunks))
    }

    /// Looks at the first records of all files that can be opened again.
    fn look_ahead(files: &Files<Self>) -> Result<(), SourceError> {
        for part in 0..files.inputs.count()? {
            if files.inputs.size_of(part).is_some() && files.learnt.get(part).is_none() {
                Self::begin(files, part, files.inputs.peek(part)?, HEADER)?;
            }
        }
        Ok(())
    }

    fn is_of_lines(files: &Files<Self>, _part: usize) -> bool {
        foreign(files.format.encoding).is_none() && files.format.line_end != LineEnd::Cr
    }

    fn within(
        files: &Files<Self>,
        part: usize,
        stream: Stream,
    ) -> Result<Box<dyn ChunkReader>, SourceError> {
        let checked = files.format.check()?;
        let place = files.inputs.place(part);
        let mut chunks = CsvChunks::new(stream, place, checked.dialect, checked.sizes)?;
        if files
            .learnt
            .get(part)
            .is_some_and(|layout| layout.fields == 1)
        {
            chunks.count_blank_lines();
        }
        Ok(Box::new(chunks))
    }

    fn undeclared(files: &Files<Self>) -> Result<Vec<Field>, SourceError> {
        let options = &files.format;
        if files.inputs.size_of(0).is_none() {
            return Ok(Vec::new());
        }
        let checked = options.check()?;
        let place = files.inputs.place(0);
        let stream = in_utf8(files.inputs.peek(0)?, options.encoding);
        let mut chunks = CsvChunks::new(stream, place.clone(), checked.dialect, checked.sizes)?;
        chunks.pass_lines(options.skip)?;
        let rows = options.header_rows.max(1);
        let records = chunks.first_records(rows + 1, rows, options.header)?;
        let of = Where {
            bytes: chunks.carried(),
            skipped: options.skip,
            encoding: None,
            place: &place,
        };
        let start = Start::new(&records, rows, checked.dialect, &of);
        let declared = Layout::places(&start, &files.schema, options.header);
        let fields = &files.schema.fields;
        let taken = fields
            .iter()
            .map(|field| field.name.to_lowercase())
            .collect();
        let names = start.names.into_iter().enumerate();
        let names = names.map(|(at, name)| match declared.contains(&at) {
            // Of no matter but for its place.
            true => Vec::new(),
            false => name,
        });
        let found = of_header(names.collect(), options.header, taken);
        let undeclared = found.into_iter().enumerate();
        let undeclared = undeclared.filter(|(at, _)| !declared.contains(at));
        Ok(undeclared
            .map(|(at, field)| Field {
                from: field
                    .from
                    .or((!options.header).then_some(ReadFrom::Position(at + 1))),
                ..field
            })
            .collect())
    }

    fn decoder(files: &Arc<Files<Self>>) -> Result<Box<dyn Decoder>, SourceError> {
        let (inputs, layouts) = (Arc::clone(&files.inputs), Arc::clone(&files.learnt));
        let decoder = CsvDecoder::new(&files.format, &files.schema, inputs, layouts)?;
        Ok(Box::new(decoder))
    }

    fn count(&self, sample: &[u8], whole: bool) -> Option<(u64, usize)> {
        let checked = self.check().ok()?;
        let header = match self.header {
            true => self.header_rows.max(1) as u64,
            false => 0,
        };
        let text = match foreign(self.encoding) {
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
        let rows = scan.rows.checked_sub(header + self.skip);
        if whole {
            return Some((rows.unwrap_or_default(), sample.len()));
        }
        // The same share of the sample as of its text.
        let share = scan.at as f64 / text.len().max(1) as f64;
        Some((rows?, (share * sample.len() as f64) as usize))
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
