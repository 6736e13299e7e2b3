//! The JSON source: opens the files, and returns chunk reader and decoder.

use std::sync::Arc;

use glovebox_core::{ChunkReader, Decoder, Schema, SourceError, endings};

use super::decode::JsonDecoder;
use super::layout::{Framing, Layout, SNIFFED_BYTES, Shared};
use super::options::Options;
use crate::chunks::{Bounds as _, Chunks};
use crate::input::{Inputs, Stream};
use crate::parts::Parts;

/// How much of a file is looked at to estimate its rows.
const SAMPLE: u64 = 1 << 20;

/// Rows of JSON files, one after the other, or of standard input.
///
/// Each line that is not blank is an object. A file may as well be one array of objects, or have
/// objects over several lines: that shows at its start. A declared column is the value of the key of its name;
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
/// A scalar in quotes is read as the CSV source reads it, by [`Options::formats`] too, so what the JSON lines sink writes is
/// read back the same. A line that is no object is a reject of the step `source` under the rule
/// `json`, as is an object that has a declared column twice; the others are those of the CSV
/// source.
pub struct Source {
    options: Options,
    schema: Schema,
    inputs: Arc<Inputs>,
    shared: Arc<Shared>,
}

impl Source {
    /// A source of these columns; nothing is opened yet.
    pub fn new(options: Options, schema: Schema) -> Self {
        Source {
            inputs: Arc::new(Inputs::new(&options.inputs, endings::JSONL)),
            shared: Shared::new(schema.fields.len()),
            options,
            schema,
        }
    }
}

/// A file's objects, and how they stand in it.
pub(super) fn start(
    stream: Stream,
    place: String,
    options: &Options,
) -> Result<(Chunks<Framing>, Layout), SourceError> {
    let sizes = options.sizes(Layout::Lines);
    let mut chunks = Chunks::new(stream, place, sizes, Layout::Lines.bounds())?;
    let layout = Layout::of(chunks.peek(SNIFFED_BYTES)?);
    chunks.begin(layout.bounds(), layout.suspect());
    Ok((chunks, layout))
}

impl glovebox_core::Source for Source {
    fn describe(&self) -> String {
        format!("JSON from {}", self.inputs)
    }

    fn dialect(&self) -> String {
        let o = &self.options;
        let from: Vec<_> = self.schema.fields.iter().map(|f| &f.from).collect();
        let from = match from.iter().all(|f| f.is_none()) {
            true => String::new(),
            false => format!(" from={from:?}"),
        };
        format!(
            "jsonl record={} chunk={}/{}{from}{}",
            o.max_record,
            o.chunk_bytes,
            o.chunk_rows,
            crate::formats::dialect(&o.formats)
        )
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn file(&self, part: usize) -> Option<Arc<str>> {
        self.inputs.name(part)
    }

    fn absent(&self) -> Vec<Arc<str>> {
        let fields = self.shared.absent().into_iter();
        fields
            .filter_map(|column| self.schema.fields.get(column))
            .map(|field| Arc::clone(&field.name))
            .collect()
    }

    fn probe(&self) -> Result<(), SourceError> {
        let mut chunks = self.chunks()?;
        if self.inputs.size_of(0).is_none() {
            // What is read of standard input is gone.
            return Ok(());
        }
        let Some(chunk) = chunks.next_chunk()? else {
            return Ok(());
        };
        let place = self.inputs.place(chunk.part);
        // Of what was read before, nothing is known.
        let probe = Source::new(self.options.clone(), self.schema.clone());
        if let Some(layout) = self.shared.layout(chunk.part) {
            probe.shared.found(chunk.part, layout);
        }
        probe.decoder()?.decode(chunk)?;
        let absent = probe.absent();
        if absent.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = absent.iter().map(|name| format!("`{name}`")).collect();
        Err(SourceError::Shape {
            place,
            problem: format!(
                "none of its first objects has the keys of: {}; if a value is nested in another \
                object, give its path: `from: user.mail`",
                names.join(", ")
            ),
        })
    }

    fn advice(&self, column: &str) -> Option<String> {
        crate::formats::advice(&self.schema, &self.options.formats, column)
    }

    fn size_bytes(&self) -> Option<u64> {
        self.inputs.size()
    }

    fn estimate_rows(&self) -> Option<u64> {
        self.inputs.estimate(SAMPLE, |sample, whole| {
            let start = sample.get(..SNIFFED_BYTES).unwrap_or(sample);
            let mut bounds = Layout::of(start).bounds();
            let seen = bounds.scan(sample);
            if whole {
                return Some((seen.rows + u64::from(bounds.within_record()), sample.len()));
            }
            Some((seen.rows, seen.cut?))
        })
    }

    fn is_there(&self) -> Result<(), SourceError> {
        if self.inputs.are_there()? {
            self.probe()?;
        }
        Ok(())
    }

    fn chunks(&self) -> Result<Box<dyn ChunkReader>, SourceError> {
        self.inputs.files()?;
        let options = self.options.clone();
        let inputs = Arc::clone(&self.inputs);
        let shared = Arc::clone(&self.shared);
        let open = move |part| -> Result<Box<dyn ChunkReader>, SourceError> {
            let stream = inputs.open(part)?;
            let (chunks, layout) = start(stream, inputs.place(part), &options)?;
            shared.found(part, layout);
            Ok(Box::new(chunks))
        };
        let first = open(0)?;
        let parts = Parts::new(&self.inputs, Some(first), Box::new(open))?;
        Ok(Box::new(parts))
    }

    /// A decoder knows how objects stand in a file from [`Source::chunks`], which must have opened
    /// it before.
    fn decoder(&self) -> Result<Box<dyn Decoder>, SourceError> {
        let inputs = Arc::clone(&self.inputs);
        let shared = Arc::clone(&self.shared);
        let decoder = JsonDecoder::new(&self.options, &self.schema, inputs, shared)?;
        Ok(Box::new(decoder))
    }
}
