//! The JSON lines source: opens the files, hands out both halves.
//!
//! Owns what an operator may choose; refuses a file that is one JSON array before its first row.

use std::path::PathBuf;
use std::sync::Arc;

use glovebox_core::{ChunkReader, Decoder, Schema, SourceError};

use super::decode::JsonDecoder;
use super::lines::Lines;
use crate::chunks::{Bounds as _, Chunks, Sizes};
use crate::input::{Input, Inputs, Stream};
use crate::parts::Parts;

/// How much of a file is looked at to estimate its rows.
const SAMPLE: u64 = 1 << 20;
/// Endings of the format's files in a folder.
const ENDINGS: &[&str] = &["jsonl", "ndjson"];

/// How a JSON lines source is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where the bytes come from: files one after the other.
    pub inputs: Vec<Input>,
    /// Bytes of a line; a longer one is rejected, and skipped without being held if it is larger
    /// than a chunk, too. 8 MiB, 256 MiB at most.
    pub max_record: usize,
    /// Bytes of a chunk, the unit of work; 1 MiB, 256 MiB at most.
    pub chunk_bytes: usize,
    /// Rows after which a chunk ends early; about 65,536.
    pub chunk_rows: u64,
    /// Rows of a batch; 8,192.
    pub batch_rows: usize,
    /// Bytes of the file that go into a batch, give or take a row; 1 MiB.
    pub batch_bytes: usize,
}

impl Options {
    /// The defaults for this path; `-` is standard input.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Options {
            inputs: vec![Input::from(path.into())],
            max_record: 8 << 20,
            chunk_bytes: 1 << 20,
            chunk_rows: 1 << 16,
            batch_rows: 8192,
            batch_bytes: 1 << 20,
        }
    }

    pub(super) fn sizes(&self) -> Sizes {
        const MOST: usize = 256 << 20;
        Sizes {
            chunk_bytes: self.chunk_bytes.clamp(1, MOST),
            chunk_rows: self.chunk_rows.max(1),
            max_record: self.max_record.clamp(1, MOST),
            suspect: "each object has to stand on a line of its own",
        }
    }
}

/// Rows of JSON lines files, one after the other, or of standard input.
///
/// Each line that is not blank is an object. A declared column is the value of the key of its name;
/// other keys are left alone. A missing key and `null` are null. Values are read by these rules:
///
/// | type | a value is |
/// |---|---|
/// | `text` | a string, without NUL; of any other value its JSON, as it is written |
/// | `int64` | a whole number, in any of JSON's spellings |
/// | `float64` | a number; the strings `NaN`, `Infinity`, `-Infinity` |
/// | `decimal(p,s)` | a number of at most `s` places, by its digits |
/// | `boolean` | `true`, `false` |
/// | `bytes`, `date`, `timestamp` | a string, as the CSV source reads it |
///
/// A scalar in quotes is read as the CSV source reads it, so what the JSON lines sink writes is
/// read back the same. A line that is no object is a reject of the step `source` under the rule
/// `json`, as is an object that has a declared column twice; the others are those of the CSV
/// source.
pub struct Source {
    options: Options,
    schema: Schema,
    inputs: Arc<Inputs>,
}

impl Source {
    /// A source of these columns; nothing is opened yet.
    pub fn new(options: Options, schema: Schema) -> Self {
        Source {
            inputs: Arc::new(Inputs::new(&options.inputs, ENDINGS)),
            options,
            schema,
        }
    }
}

/// A file's lines, if it has any.
pub(super) fn start(
    stream: Stream,
    place: String,
    sizes: Sizes,
) -> Result<Chunks<Lines>, SourceError> {
    let mut chunks = Chunks::new(stream, place.clone(), sizes, Lines::default())?;
    let start = chunks.peek()?;
    if start.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[') {
        return Err(SourceError::Shape {
            place,
            problem: "is one JSON array; write an object a line, for example with jq -c '.[]'"
                .into(),
        });
    }
    Ok(chunks)
}

impl glovebox_core::Source for Source {
    fn describe(&self) -> String {
        format!("JSON lines from {}", self.inputs)
    }

    fn dialect(&self) -> String {
        let o = &self.options;
        format!(
            "jsonl record={} chunk={}/{}",
            o.max_record, o.chunk_bytes, o.chunk_rows
        )
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn file(&self, part: usize) -> Option<Arc<str>> {
        self.inputs.name(part)
    }

    fn size_bytes(&self) -> Option<u64> {
        self.inputs.size()
    }

    fn estimate_rows(&self) -> Option<u64> {
        self.inputs.estimate(SAMPLE, |sample, whole| {
            let mut lines = Lines::default();
            let seen = lines.scan(sample);
            if whole {
                return Some((seen.rows + u64::from(lines.within_record()), sample.len()));
            }
            Some((seen.rows, seen.cut?))
        })
    }

    fn probe(&self) -> Result<(), SourceError> {
        self.inputs.probe()
    }

    fn chunks(&self) -> Result<Box<dyn ChunkReader>, SourceError> {
        self.inputs.files()?;
        let sizes = self.options.sizes();
        let inputs = Arc::clone(&self.inputs);
        let open = move |part| -> Result<Box<dyn ChunkReader>, SourceError> {
            let stream = inputs.open(part)?;
            Ok(Box::new(start(stream, inputs.place(part), sizes)?))
        };
        let first = open(0)?;
        let parts = Parts::new(&self.inputs, Some(first), Box::new(open))?;
        Ok(Box::new(parts))
    }

    fn decoder(&self) -> Result<Box<dyn Decoder>, SourceError> {
        let inputs = Arc::clone(&self.inputs);
        Ok(Box::new(JsonDecoder::new(
            &self.options,
            &self.schema,
            inputs,
        )))
    }
}
