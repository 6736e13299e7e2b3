//! The JSON lines sink, and whether an existing file has the same keys.

use std::collections::BTreeSet;
use std::io::{BufRead, Read};
use std::sync::Arc;

use glovebox_core::{Encoder, Schema};
use serde_json::{Map, Value};

use super::encode::JsonEncoder;
use crate::file::{FileSink, Format};
use crate::years::FourDigits;

/// Bytes of an existing file in which its first line must end.
const MAX_LINE: u64 = 8 << 20;

/// Rows to a JSON lines file: an object a line, keys in the order of the columns, null as `null`.
///
/// Integers and floats are JSON numbers, floats with the fewest digits that read back to the same
/// number. Strings hold what a reader's floating point would spoil or JSON does not have: decimals
/// (`"999.99"`), `"NaN"`, `"Infinity"`, `"-Infinity"`, dates, RFC 3339 timestamps in UTC, and
/// bytes as `\x` and hexadecimal digits.
pub type Sink = FileSink<SinkOptions>;

/// How a JSON lines file is written; there is nothing to choose yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SinkOptions {}

impl Format for SinkOptions {
    const NAME: &'static str = "JSON lines";

    fn check(&self, schema: &Schema) -> Result<(), String> {
        if schema.fields.is_empty() {
            return Err("there are no columns to write; name some in `columns`".into());
        }
        Ok(())
    }

    fn head(&self, _: &Schema) -> Vec<u8> {
        Vec::new()
    }

    fn fits(&self, start: &mut dyn BufRead, schema: &Schema) -> Result<(), String> {
        const REMEDY: &str = "use `mode: replace` or another path";
        let mut line = Vec::new();
        let read = start.take(MAX_LINE).read_until(b'\n', &mut line);
        read.map_err(|e| format!("it cannot be read: {e}"))?;
        // Neither keys nor serde's message are shown: of a file that is not ours they may be data.
        let Ok(first) = serde_json::from_slice::<Map<String, Value>>(&line) else {
            return Err(format!("its first line is not a JSON object; {REMEDY}"));
        };
        let found: BTreeSet<&str> = first.keys().map(String::as_str).collect();
        let ours: BTreeSet<&str> = schema.fields.iter().map(|f| &*f.name).collect();
        if found == ours {
            return Ok(());
        }
        Err(format!(
            "its first line has different keys than the run's columns {}; change the sink's \
            `columns` to match the file, or {REMEDY}",
            ours.iter()
                .map(|n| format!("`{n}`"))
                .collect::<Vec<_>>()
                .join(", ")
        ))
    }

    fn encoder(&self, schema: Arc<Schema>, place: &str) -> Box<dyn Encoder> {
        let encoder = Box::new(JsonEncoder::new(Arc::clone(&schema), place.into()));
        FourDigits::before(encoder, schema, place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array,
        Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    };
    use glovebox_core::{Batch, DataType, Field, FinishedChunk, Job, Origin, Sink as _, Totals};
    use serde_json::json;
    use std::fs;
    use std::path::Path;

    use crate::jsonl::Mode;

    const TRICKY: &str = "q\" b\\ n\n t\t \u{1} \u{7f} \u{2028} \u{1f600}";

    fn schema() -> Schema {
        let decimal = DataType::Decimal {
            precision: 30,
            scale: 2,
        };
        Schema::new(vec![
            Field::new("text \"t\"", DataType::Text),
            Field::new("int", DataType::Int64),
            Field::new("float", DataType::Float64),
            Field::new("bool", DataType::Boolean),
            Field::new("decimal", decimal),
            Field::new("bytes", DataType::Bytes),
            Field::new("date", DataType::Date),
            Field::new("time", DataType::Timestamp),
        ])
    }

    fn batch() -> Batch {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec![Some(TRICKY), None, Some("")])),
            Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(3)])),
            Arc::new(Float64Array::from(vec![Some(999.99), None, Some(f64::NAN)])),
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
            Arc::new(
                Decimal128Array::from(vec![Some(12_345_678_901_234_567_890), None, Some(-1)])
                    .with_precision_and_scale(30, 2)
                    .unwrap(),
            ),
            Arc::new(BinaryArray::from_opt_vec(vec![
                Some(&[0, 255]),
                None,
                Some(&[]),
            ])),
            Arc::new(Date32Array::from(vec![Some(0), None, Some(-1)])),
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(0), None, Some(1)]).with_timezone("UTC"),
            ),
        ];
        let columns = RecordBatch::try_new(schema().to_arrow(), columns).unwrap();
        Batch::new(columns, Origin::contiguous(0))
    }

    fn write(path: &Path, mode: Mode) -> Result<(), glovebox_core::SinkError> {
        let mut sink = Sink::new(path, mode, SinkOptions::default());
        sink.open(&Job::default(), &schema())?;
        let encoded = sink.encoder().encode(&[batch()])?;
        assert_eq!(encoded.rows, 3);
        sink.write(FinishedChunk {
            encoded,
            ..FinishedChunk::default()
        })?;
        sink.commit(&Totals::default()).map(drop)
    }

    #[test]
    fn each_type_is_shown_without_loss() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.jsonl");
        write(&path, Mode::Replace).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let rows: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(
            rows,
            [
                json!({
                    "text \"t\"": TRICKY, "int": i64::MIN, "float": 999.99, "bool": true,
                    "decimal": "123456789012345678.90", "bytes": "\\x00ff",
                    "date": "1970-01-01", "time": "1970-01-01T00:00:00Z",
                }),
                json!({
                    "text \"t\"": null, "int": null, "float": null, "bool": null,
                    "decimal": null, "bytes": null, "date": null, "time": null,
                }),
                json!({
                    "text \"t\"": "", "int": 3, "float": "NaN", "bool": false,
                    "decimal": "-0.01", "bytes": "\\x",
                    "date": "1969-12-31", "time": "1970-01-01T00:00:00.000001Z",
                }),
            ]
        );
        assert!(
            text.starts_with("{\"text \\\"t\\\"\":"),
            "keys in the order of the columns"
        );
    }

    #[test]
    fn text_is_written_as_serde_json_writes_it() {
        let mut texts: Vec<String> = (0..0x100u32)
            .filter_map(char::from_u32)
            .map(|c| format!("a{c}b"))
            .collect();
        texts.push(TRICKY.into());
        let schema = Schema::new(vec![Field::new("t", DataType::Text)]);
        let mut encoder = SinkOptions::default().encoder(Arc::new(schema.clone()), "out.jsonl");
        for text in texts {
            let column: ArrayRef = Arc::new(StringArray::from(vec![text.as_str()]));
            let columns = RecordBatch::try_new(schema.to_arrow(), vec![column]).unwrap();
            let encoded = encoder
                .encode(&[Batch::new(columns, Origin::contiguous(0))])
                .unwrap();
            let glovebox_core::Payload::Bytes(bytes) = encoded.payload else {
                panic!("a file takes bytes");
            };
            let expected = format!("{{\"t\":{}}}\n", serde_json::to_string(&text).unwrap());
            assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        }
    }

    #[test]
    fn append_adds_to_a_file_of_the_same_keys() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.jsonl");
        write(&path, Mode::Append).unwrap();
        write(&path, Mode::Append).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 6);
    }

    #[test]
    fn append_to_other_keys_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.jsonl");
        for content in ["{\"jane\": 1}\n", "jane\n", "[1]\n"] {
            fs::write(&path, content).unwrap();
            let error = write(&path, Mode::Append).unwrap_err().to_string();
            assert!(error.contains("`mode: replace`"), "{error}");
            assert!(!error.contains("jane"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }
}
