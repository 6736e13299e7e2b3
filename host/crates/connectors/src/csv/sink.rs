//! The CSV sink: its options, its header, and whether an existing file has the same one.

use std::io::{BufRead, Read};
use std::sync::Arc;

use glovebox_core::{Encoder, Schema};

use super::dialect::{Delimiter, Dialect};
use super::encode::{CsvEncoder, Style};
use super::records::Records;
use crate::file::{FileSink, Format};
use crate::years::FourDigits;

/// Bytes of an existing file in which its header must end.
const MAX_HEADER: u64 = 8 << 20;

/// Rows to a CSV file.
///
/// Quotes stand where RFC 4180 wants them and nowhere else; lines end in `\n`. Null is an empty
/// cell and empty text is `""`, except in a file of one column, where both are `""`. Floats have
/// the fewest digits that read back to the same number (`999.99`, `5`), decimals all digits of
/// their scale, dates and timestamps are ISO 8601 and RFC 3339 in UTC, bytes are `\x` and
/// hexadecimal digits. The CSV source reads each back to the same value.
pub type Sink = FileSink<SinkOptions>;

/// How a CSV file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkOptions {
    /// The byte between cells; `,`.
    pub delimiter: u8,
    /// Whether the first line names the columns; it does.
    pub header: bool,
    /// Whether text that a spreadsheet would take for a formula (it starts with `=`, `+`, `-`,
    /// `@`, a tab or a carriage return) gets a `'` in front. Off, since it changes the text: turn
    /// it on for files that people open in a spreadsheet.
    pub escape_formulas: bool,
}

impl Default for SinkOptions {
    fn default() -> Self {
        SinkOptions {
            delimiter: b',',
            header: true,
            escape_formulas: false,
        }
    }
}

impl SinkOptions {
    fn style(self) -> Style {
        Style {
            delimiter: self.delimiter,
            escape_formulas: self.escape_formulas,
        }
    }
}

impl Format for SinkOptions {
    const NAME: &'static str = "CSV";

    fn check(&self, schema: &Schema) -> Result<(), String> {
        let usable = self.delimiter.is_ascii()
            && !self.delimiter.is_ascii_alphanumeric()
            && !b"\"\n\r\0+-.:\\".contains(&self.delimiter);
        if !usable {
            return Err(
                "`delimiter` must be one ASCII character that no number or date contains, such \
                 as `,` `;` `|` or a tab"
                    .into(),
            );
        }
        if schema.fields.is_empty() {
            return Err("there are no columns to write; name some in `columns`".into());
        }
        Ok(())
    }

    fn head(&self, schema: &Schema) -> Vec<u8> {
        let mut head = Vec::new();
        if self.header {
            for field in &schema.fields {
                if !head.is_empty() {
                    head.push(self.delimiter);
                }
                // The header holds names, which are not escaped: they are matched exactly.
                let style = Style {
                    escape_formulas: false,
                    ..self.style()
                };
                style.text(field.name.as_bytes(), &mut head);
            }
            head.push(b'\n');
        }
        head
    }

    fn fits(&self, start: &mut dyn BufRead, schema: &Schema) -> Result<(), String> {
        let mut bytes = Vec::new();
        let read = start.take(MAX_HEADER).read_to_end(&mut bytes);
        read.map_err(|e| format!("it cannot be read: {e}"))?;
        let start = match bytes.strip_prefix(b"\xef\xbb\xbf") {
            Some(_) => 3,
            None => 0,
        };
        let delimiter = Delimiter::new(&[self.delimiter]).ok_or("it has no delimiter")?;
        let dialect = Dialect::new(delimiter, Some(b'"'));
        let mut spans = Vec::new();
        let bytes = bytes.get_mut(start..).unwrap_or_default();
        let mut records = Records::new(bytes, dialect, usize::MAX);
        records.next(|_, span| spans.push(span));
        let found: Vec<_> = spans.iter().map(|s| s.of(records.bytes())).collect();
        let names = schema.fields.iter().map(|f| f.name.as_bytes());
        if !self.header {
            // Without a header there are no names to compare, only their number.
            return match found.len() {
                0 => Ok(()),
                n if n == schema.fields.len() => Ok(()),
                n => Err(format!(
                    "its lines have {n} cells but the run has {} columns; use `mode: replace` or \
                     another path",
                    schema.fields.len()
                )),
            };
        }
        if found.iter().copied().eq(names) {
            return Ok(());
        }
        let names: Vec<_> = schema
            .fields
            .iter()
            .map(|f| format!("`{}`", f.name))
            .collect();
        Err(format!(
            "its first line is not the header {} that the run would write; change the sink's \
            `columns` to match the file, or use `mode: replace` or another path",
            names.join(", ")
        ))
    }

    fn encoder(&self, schema: Arc<Schema>, place: &str) -> Box<dyn Encoder> {
        let encoder = Box::new(CsvEncoder {
            style: self.style(),
            schema: Arc::clone(&schema),
            place: place.into(),
            size: 0,
        });
        FourDigits::before(encoder, schema, place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::{Mode, Options, Source};
    use glovebox_core::{
        DataType, Field, FinishedChunk, Job, Keeps, Sink as _, Source as _, Totals,
    };
    use proptest::prelude::*;
    use std::fs;
    use std::path::Path;

    fn columns() -> Schema {
        Schema::new(vec![
            Field::new("text, quoted", DataType::Text),
            Field::new("whole", DataType::Int64),
            Field::new("float", DataType::Float64),
            Field::new("yes", DataType::Boolean),
            Field::new(
                "exact",
                DataType::Decimal {
                    precision: 38,
                    scale: 3,
                },
            ),
            Field::new("raw", DataType::Bytes),
            Field::new("day", DataType::Date),
            Field::new("at", DataType::Timestamp),
        ])
    }

    /// Reads a file, and writes what was read to another.
    fn through(from: &Path, to: &Path, mode: Mode) -> Result<(), glovebox_core::SinkError> {
        let source = Source::new(Options::new(from), columns());
        let mut sink = Sink::new(to, mode, SinkOptions::default());
        sink.open(&Job::default(), source.schema())?;
        let (mut decoder, mut encoder) = (source.decoder().unwrap(), sink.encoder());
        let mut chunks = source.chunks().unwrap();
        while let Some(chunk) = chunks.next_chunk().unwrap() {
            let decoded = decoder.decode(chunk).unwrap();
            assert!(decoded.rejects.is_empty(), "{:?}", decoded.rejects);
            let encoded = encoder.encode(&decoded.batches)?;
            sink.write(FinishedChunk {
                encoded,
                ..FinishedChunk::default()
            })?;
        }
        sink.commit(&Totals::default()).map(drop)
    }

    const FILE: &str = "\"text, quoted\",whole,float,yes,exact,raw,day,at\n\
        \"a,\"\"b\",-1,999.99,true,-0.050,\\x00ff,2024-02-29,2024-02-29T23:59:59.000001Z\n\
        ,,,,,,,\n\
        plain,9223372036854775807,1e+300,false,1.000,\\x,0001-01-01,9999-12-31T00:00:00Z\n";

    #[test]
    fn what_it_writes_is_read_back_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a.csv"), dir.path().join("b.csv"));
        fs::write(&a, FILE).unwrap();
        through(&a, &b, Mode::Replace).unwrap();
        assert_eq!(fs::read_to_string(&b).unwrap(), FILE);
    }

    proptest! {
        #[test]
        fn any_row_is_read_back_the_same(
            rows in prop::collection::vec(
                (
                    "[a-z ,\"\n\r;\u{e9}]{1,12}",
                    any::<i64>(),
                    any::<f64>(),
                    any::<[u8; 3]>(),
                    -719_528i64..2_932_896,
                    any::<u32>(),
                ),
                1..20,
            )
        ) {
            let dir = tempfile::tempdir().unwrap();
            let (a, b) = (dir.path().join("a.csv"), dir.path().join("b.csv"));
            let mut file = FILE.lines().next().unwrap().to_owned() + "\n";
            let style = SinkOptions::default().style();
            for (text, whole, float, raw, day, micros) in rows {
                let mut line = Vec::new();
                style.text(text.as_bytes(), &mut line);
                let (mut date, mut time) = (Vec::new(), Vec::new());
                crate::calendar::write_date(day, &mut date);
                crate::calendar::write_timestamp(day * 86_400_000_000 + i64::from(micros), &mut time);
                let float = match float {
                    f if f.is_nan() => "NaN".to_owned(),
                    f if f.is_infinite() => if f > 0.0 { "Infinity" } else { "-Infinity" }.into(),
                    f => {
                        let digits = zmij::Buffer::new().format(f).to_owned();
                        digits.strip_suffix(".0").unwrap_or(&digits).to_owned()
                    }
                };
                let [x, y, z] = raw;
                file += &format!(
                    "{},{whole},{float},true,{}.125,\\x{x:02x}{y:02x}{z:02x},{},{}\n",
                    String::from_utf8(line).unwrap(),
                    whole / 2,
                    String::from_utf8(date).unwrap(),
                    String::from_utf8(time).unwrap(),
                );
            }
            fs::write(&a, &file).unwrap();
            through(&a, &b, Mode::Replace).unwrap();
            prop_assert_eq!(fs::read_to_string(&b).unwrap(), file);
        }
    }

    #[test]
    fn append_adds_to_a_copy() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a.csv"), dir.path().join("b.csv"));
        fs::write(&a, FILE).unwrap();
        // A last line without its end gets one first.
        fs::write(&b, FILE.trim_end()).unwrap();
        through(&a, &b, Mode::Append).unwrap();
        let rows = FILE.split_once('\n').unwrap().1;
        assert_eq!(fs::read_to_string(&b).unwrap(), format!("{FILE}{rows}"));
    }

    #[test]
    fn append_to_nothing_writes_the_header() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a.csv"), dir.path().join("b.csv"));
        fs::write(&a, FILE).unwrap();
        through(&a, &b, Mode::Append).unwrap();
        assert_eq!(fs::read_to_string(&b).unwrap(), FILE);
    }

    #[test]
    fn append_to_other_columns_is_refused_before_the_first_row() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("b.csv");
        fs::write(&path, "jane@example.com,other\n1,2\n").unwrap();
        let mut sink = Sink::new(&path, Mode::Append, SinkOptions::default());
        for result in [
            sink.probe(&columns(), Keeps::default()).map(drop),
            sink.open(&Job::default(), &columns()).map(drop),
        ] {
            let error = result.unwrap_err().to_string();
            assert!(error.contains("`mode: replace`"), "{error}");
            assert!(
                !error.contains("jane"),
                "its first line may be data: {error}"
            );
        }
        let files = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(files, 1, "nothing staged is left");
    }

    #[test]
    fn append_without_a_header_compares_the_number_of_cells() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("b.csv");
        let options = SinkOptions {
            header: false,
            ..SinkOptions::default()
        };
        fs::write(&path, "1,2,3,4,5,6,7,8\n").unwrap();
        let mut sink = Sink::new(&path, Mode::Append, options);
        assert!(sink.probe(&columns(), Keeps::default()).is_ok());
        fs::write(&path, "1,2\n").unwrap();
        assert!(sink.probe(&columns(), Keeps::default()).is_err());
    }

    #[test]
    fn nothing_is_seen_before_commit_or_after_abort() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("b.csv");
        fs::write(&path, "old").unwrap();
        let mut sink = Sink::new(&path, Mode::Replace, SinkOptions::default());
        sink.probe(&columns(), Keeps::default()).unwrap();
        sink.open(&Job::default(), &columns()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        sink.abort();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(
            sink.commit(&Totals::default()).is_err(),
            "there is nothing to publish"
        );
    }

    #[test]
    fn a_delimiter_that_numbers_contain_is_refused() {
        for delimiter in [b'-', b'.', b'e', b'5', b'"', b'\n', 0xe9] {
            let options = SinkOptions {
                delimiter,
                ..SinkOptions::default()
            };
            assert!(options.check(&columns()).is_err(), "{delimiter}");
        }
        for delimiter in [b',', b';', b'\t', b'|', b' '] {
            let options = SinkOptions {
                delimiter,
                ..SinkOptions::default()
            };
            assert!(options.check(&columns()).is_ok(), "{delimiter}");
        }
    }
}
