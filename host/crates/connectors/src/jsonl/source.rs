//! The JSON source: opens the files, and returns chunk reader and decoder.

use std::sync::Arc;

use glovebox_core::{
    ChunkReader, Decoder, Field, Formats, Schema, Source as _, SourceError, endings,
};

use super::decode::JsonDecoder;
use super::discover::keys;
use super::layout::{Framing, Layout, SNIFFED_BYTES, Shared};
use super::options::{Options, paths};
use crate::age::Identity;
use crate::chunks::{Bounds as _, Chunks};
use crate::declarable::{BEGINNING, of_keys};
use crate::input::{Input, Stream};
use crate::text::{Files, TextFormat, TextSource};

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
pub type Source = TextSource<Options>;

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

impl TextFormat for Options {
    const NAME: &'static str = "JSON";

    type Learnt = Arc<Shared>;

    fn inputs(&self) -> (&[Input], &'static [&'static str]) {
        (&self.inputs, endings::JSONL)
    }

    fn identities(&self) -> &[Identity] {
        &self.identities
    }

    fn formats(&self) -> &[Formats] {
        &self.formats
    }

    fn dialect(&self) -> String {
        format!(
            "jsonl record={} chunk={}/{}",
            self.max_record, self.chunk_bytes, self.chunk_rows
        )
    }

    fn nothing_learnt(&self, schema: &Schema) -> Arc<Shared> {
        Shared::new(schema.fields.len())
    }

    fn begin(
        files: &Files<Self>,
        part: usize,
        stream: Stream,
        _most: usize,
    ) -> Result<Box<dyn ChunkReader>, SourceError> {
        let (chunks, layout) = start(stream, files.inputs.place(part), &files.format)?;
        files.learnt.found(part, layout);
        Ok(Box::new(chunks))
    }

    fn is_of_lines(files: &Files<Self>, part: usize) -> bool {
        let beginning = || files.beginning(SNIFFED_BYTES as u64).ok();
        let layout = files.learnt.layout(part).or_else(|| {
            let layout = Layout::of(&beginning().filter(|_| part == 0)?);
            files.learnt.found(part, layout);
            Some(layout)
        });
        layout == Some(Layout::Lines)
    }

    fn within(
        files: &Files<Self>,
        part: usize,
        stream: Stream,
    ) -> Result<Box<dyn ChunkReader>, SourceError> {
        let place = files.inputs.place(part);
        let sizes = files.format.sizes(Layout::Lines);
        let chunks = Chunks::new(stream, place, sizes, Layout::Lines.bounds())?;
        Ok(Box::new(chunks))
    }

    fn undeclared(files: &Files<Self>) -> Result<Vec<Field>, SourceError> {
        if files.inputs.size_of(0).is_none() {
            return Ok(Vec::new());
        }
        let declared = paths(&files.schema)?;
        let keys = keys(&files.beginning(BEGINNING)?).unwrap_or_default();
        // A value that is declared whole has all keys in it declared, and the other way round.
        let is_declared = |key: &Vec<String>| {
            declared
                .iter()
                .any(|path| path.starts_with(key) || key.starts_with(path))
        };
        let keys = keys.into_iter().filter(|key| !is_declared(key)).collect();
        let fields = &files.schema.fields;
        let taken = fields
            .iter()
            .map(|field| field.name.to_lowercase())
            .collect();
        Ok(of_keys(keys, taken))
    }

    fn decoder(files: &Arc<Files<Self>>) -> Result<Box<dyn Decoder>, SourceError> {
        let (inputs, shared) = (Arc::clone(&files.inputs), Arc::clone(&files.learnt));
        let decoder = JsonDecoder::new(&files.format, &files.schema, inputs, shared)?;
        Ok(Box::new(decoder))
    }

    fn count(&self, sample: &[u8], whole: bool) -> Option<(u64, usize)> {
        let start = sample.get(..SNIFFED_BYTES).unwrap_or(sample);
        let mut bounds = Layout::of(start).bounds();
        let seen = bounds.scan(sample);
        if whole {
            return Some((seen.rows + u64::from(bounds.within_record()), sample.len()));
        }
        Some((seen.rows, seen.cut?))
    }

    fn absent(shared: &Arc<Shared>) -> Vec<usize> {
        shared.absent()
    }

    fn probe(source: &Source) -> Result<(), SourceError> {
        let files = &source.files;
        let mut chunks = source.chunks()?;
        if files.inputs.size_of(0).is_none() {
            // What is read of standard input is gone.
            return Ok(());
        }
        let Some(chunk) = chunks.next_chunk()? else {
            return Ok(());
        };
        let place = files.inputs.place(chunk.part);
        // Of what was read before, nothing is known.
        let probe = Source::new(files.format.clone(), files.schema.clone());
        if let Some(layout) = files.learnt.layout(chunk.part) {
            probe.files.learnt.found(chunk.part, layout);
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
}
