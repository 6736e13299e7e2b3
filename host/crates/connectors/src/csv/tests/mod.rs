//! What the CSV source makes of whole files: where quotes are lenient equal to the `csv` crate, in
//! rows, numbers and lines, wherever the chunks are cut.

mod cells;
mod chunks;
mod dialects;
mod files;
mod options;
mod quotes;

use std::io::{Cursor, Read};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use glovebox_core::{
    Chunk, ChunkReader, DataType, Decoded, Decoder as _, Field, Reject, Schema, Source as _,
    SourceError,
};

use super::decode::CsvDecoder;
use super::encoding::in_utf8;
use super::layout::{Layout, Layouts};
use super::reader::CsvChunks;
use super::source::begin;
use super::{Options, Quotes, Source};
use crate::input::{Inputs, Stream};

/// A row as a test sees it: number, line, and its cells or the rules it broke.
type Row = (u64, u64, Result<Vec<Option<String>>, Vec<String>>);

fn text(names: &[&str]) -> Schema {
    let fields = names.iter().map(|n| Field::new(*n, DataType::Text));
    Schema::new(fields.collect())
}

fn options() -> Options {
    Options {
        null: Vec::new(),
        ..Options::new("in.csv")
    }
}

/// The same as the `csv` crate reads.
fn lenient() -> Options {
    Options {
        quotes: Quotes::Lenient,
        ..options()
    }
}

/// Gives at most `most` bytes a read.
struct Dribble(Cursor<Vec<u8>>, usize);

impl Read for Dribble {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let most = buf.len().min(self.1);
        self.0.read(&mut buf[..most])
    }
}

fn cut(file: &[u8], options: &Options, schema: &Schema, read: usize) -> (Vec<Chunk>, Layout) {
    let checked = options.check().unwrap();
    let input = Dribble(Cursor::new(file.to_vec()), read);
    let input = in_utf8(Stream::plain(input), options.encoding);
    let chunks = CsvChunks::new(input, "in.csv".into(), checked.dialect, checked.sizes).unwrap();
    let (mut chunks, layout) = begin(chunks, options, checked, schema, "in.csv").unwrap();
    let mut all = Vec::new();
    while let Some(chunk) = chunks.next_chunk().unwrap() {
        assert_eq!(chunk.index, all.len() as u64);
        all.push(chunk);
    }
    (all, layout)
}

fn decode(chunks: Vec<Chunk>, layout: Layout, options: &Options, schema: &Schema) -> Vec<Decoded> {
    let layouts = Arc::new(Layouts::default());
    layouts.put(0, layout, "in.csv").unwrap();
    let inputs = Arc::new(Inputs::new(options.inputs.clone().into(), &["csv"]));
    let mut decoder = CsvDecoder::new(options, schema, inputs, layouts).unwrap();
    let decoded = chunks.into_iter().map(|chunk| {
        let (first, rows) = (chunk.first_row, chunk.rows + chunk.rejects.len() as u64);
        let decoded = decoder.decode(chunk).unwrap();
        let read: usize = decoded.batches.iter().map(|b| b.rows()).sum();
        assert_eq!(read as u64 + decoded.rejects.len() as u64, rows);
        let numbers = numbers(&decoded);
        assert!(numbers.into_iter().eq(first..first + rows));
        decoded
    });
    decoded.collect()
}

fn numbers(decoded: &Decoded) -> Vec<u64> {
    let mut numbers: Vec<u64> = decoded.rejects.iter().map(|r| r.row).collect();
    for batch in &decoded.batches {
        numbers.extend((0..batch.rows()).map(|i| batch.origin.row(i)));
    }
    numbers.sort_unstable();
    numbers
}

fn rows(decoded: &[Decoded]) -> Vec<Row> {
    let mut rows = Vec::new();
    for decoded in decoded {
        for batch in &decoded.batches {
            for i in 0..batch.rows() {
                let cell = |c: &arrow_array::ArrayRef| {
                    let c = c.as_string::<i32>();
                    arrow_array::Array::is_valid(c, i).then(|| c.value(i).to_owned())
                };
                let cells = batch.columns.columns().iter().map(cell).collect();
                rows.push((
                    batch.origin.row(i),
                    batch.origin.line(i).unwrap(),
                    Ok(cells),
                ));
            }
        }
        rows.extend(
            decoded
                .rejects
                .iter()
                .map(|r| (r.row, r.line.unwrap(), Err(rules(r)))),
        );
    }
    rows.sort_by_key(|r| r.0);
    rows
}

fn rules(reject: &Reject) -> Vec<String> {
    let violations = reject.violations.iter();
    violations
        .map(|v| match &v.column {
            Some(column) => format!("{column}:{}", v.rule),
            None => v.rule.to_string(),
        })
        .collect()
}

/// Reads all of `file` in chunks of about that size.
fn read(file: &[u8], options: &Options, schema: &Schema) -> Vec<Row> {
    let (chunks, layout) = cut(file, options, schema, usize::MAX);
    rows(&decode(chunks, layout, options, schema))
}

/// The same by the `csv` crate, in one go.
fn oracle(file: &[u8], header: bool, schema: &Schema) -> Vec<Row> {
    let mut reader = ::csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .from_reader(file);
    let records: Vec<_> = reader.byte_records().map(|r| r.unwrap()).collect();
    let Some(first) = records.first().cloned() else {
        return Vec::new();
    };
    // Without a header most of the first hundred records decide.
    let counts = records.iter().take(100).map(|r| r.len());
    let counts: Vec<_> = counts.filter(|n| *n >= schema.fields.len()).collect();
    let times = |n: usize| counts.iter().filter(|m| **m == n).count();
    let most = counts.iter().map(|n| times(*n)).max();
    let fields = match header {
        true => first.len(),
        false => *counts.iter().find(|n| Some(times(**n)) == most).unwrap(),
    };
    let places: Vec<usize> = (0..)
        .zip(&schema.fields)
        .map(|(i, field)| {
            let named = || {
                first
                    .iter()
                    .position(|n| n == field.name.as_bytes())
                    .unwrap()
            };
            if header { named() } else { i }
        })
        .collect();
    (0..)
        .zip(records.into_iter().skip(usize::from(header)))
        .map(|(row, record)| {
            let mut start = record.position().unwrap().byte() as usize;
            if start == 0 && file.starts_with(b"\xef\xbb\xbf") {
                start = 3;
            }
            // The crate's position is before blank lines and the newline of `\r\n`.
            start += file[start..]
                .iter()
                .take_while(|b| b"\r\n".contains(b))
                .count();
            let line = 1 + file[..start].iter().filter(|b| **b == b'\n').count() as u64;
            if record.len() != fields {
                return (row, line, Err(vec!["ragged".to_owned()]));
            }
            let mut broken = Vec::new();
            let mut cells = Vec::new();
            for (field, place) in schema.fields.iter().zip(&places) {
                match std::str::from_utf8(&record[*place]) {
                    Err(_) => broken.push(format!("{}:utf-8", field.name)),
                    Ok(cell) if cell.contains('\0') => broken.push(format!("{}:nul", field.name)),
                    Ok(cell) => cells.push(Some(cell.to_owned())),
                }
            }
            (
                row,
                line,
                if broken.is_empty() {
                    Ok(cells)
                } else {
                    Err(broken)
                },
            )
        })
        .collect()
}
