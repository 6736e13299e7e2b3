//! Rejected rows as a source: those that a run has kept with their cells, as they were or corrected.
//! Each has the number, line and file that it had when it was rejected.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use glovebox_core::{
    Batch, Chunk, ChunkReader, Decoded, Decoder, Origin, Schema, SourceError, Violation,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::decode::JsonDecoder;
use super::layout::{Layout, Shared};
use super::options::Options;
use crate::csv::cells as spelled;
use crate::input::Inputs;

/// Bytes of a chunk, and of a batch.
const CHUNK_BYTES: usize = 1 << 20;
/// Rows of a chunk.
const CHUNK_ROWS: usize = 1 << 16;
/// What the decoder may take; a row was bounded when it was read.
const MAX_RECORD: usize = 256 << 20;
/// What stands for a row without cells: no object, so that it is rejected again.
const NOTHING: &str = "null";

/// A line of opened rejects.
#[derive(Deserialize)]
struct Line<'a> {
    row: u64,
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    line: Option<u64>,
    #[serde(default, borrow)]
    cells: Option<&'a RawValue>,
    #[serde(default)]
    record: Option<String>,
    #[serde(default, rename = "record-bytes")]
    bytes: Option<String>,
}

/// A row: where it stood, and its cells as JSON.
struct Row {
    row: u64,
    line: Option<u64>,
    file: Option<Arc<str>>,
    /// None of a row that could not be read.
    cells: Option<Box<str>>,
    /// What could not be read.
    record: Option<Box<[u8]>>,
}

impl Row {
    /// Its cells as the decoder takes them.
    fn text(&self) -> &str {
        self.cells.as_deref().unwrap_or(NOTHING)
    }

    /// Whether a chunk can have both, with one file and offsets of 32 bits.
    fn is_near(&self, first: &Row) -> bool {
        let line = match (self.line, first.line) {
            (Some(line), Some(first)) => line >= first && line - first <= u64::from(u32::MAX),
            (None, None) => true,
            _ => false,
        };
        line && self.file == first.file && self.row - first.row <= u64::from(u32::MAX)
    }
}

/// Why lines are no rows of this pipeline.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// A line has no row, or other cells.
    #[error(
        "line {line} of {place}: {problem}; each row has `row`, `violations` and `cells`, an object with \
         every declared column"
    )]
    Line {
        /// The file.
        place: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong, without a cell.
        problem: String,
    },
    /// A row is there more than once.
    #[error("{place} has row {row} twice; delete one of them")]
    Twice {
        /// The file.
        place: String,
        /// The row.
        row: u64,
    },
    /// A column's cells are bytes of a database.
    #[error("`{column}` is opaque, and its cells cannot be read from a file")]
    Opaque {
        /// The column.
        column: String,
    },
}

/// Rejected rows with their cells.
///
/// A row whose `cells` are missing is rejected under the rule `json`, as any line that is no object. Cells
/// are read as the source of JSON lines reads them, by no formats.
pub struct KeptRows {
    place: String,
    schema: Schema,
    rows: Arc<[Row]>,
}

/// It holds cells.
impl fmt::Debug for KeptRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeptRows({} rows)", self.rows.len())
    }
}

impl KeptRows {
    /// Reads opened rejects, a JSON object a line, in whatever order.
    ///
    /// # Errors
    /// When a line is none, has other cells than these columns, or a row is there twice.
    pub fn read(text: &str, place: &str, schema: &Schema) -> Result<Self, KeptError> {
        let opaque = glovebox_core::DataType::Opaque;
        if let Some(field) = schema.fields.iter().find(|f| f.data_type == opaque) {
            let column = field.name.to_string();
            return Err(KeptError::Opaque { column });
        }
        let mut rows = Vec::new();
        let mut files: BTreeMap<String, Arc<str>> = BTreeMap::new();
        for (at, text) in text.lines().enumerate() {
            if text.trim().is_empty() {
                continue;
            }
            let failed = |problem: &str| KeptError::Line {
                place: place.to_owned(),
                line: at + 1,
                problem: problem.to_owned(),
            };
            // What serde says of a line may quote it.
            let line: Line<'_> =
                serde_json::from_str(text).map_err(|_| failed("it is not a rejected row"))?;
            if let Some(cells) = line.cells {
                whole(cells, schema).map_err(|problem| failed(&problem))?;
            }
            let file = line.file.map(|name| {
                let shared = files
                    .entry(name)
                    .or_insert_with_key(|name| name.as_str().into());
                Arc::clone(shared)
            });
            rows.push(Row {
                row: line.row,
                line: line.line,
                file,
                cells: line.cells.map(|cells| cells.get().into()),
                record: record(line.record, line.bytes).map(Into::into),
            });
        }
        rows.sort_by_key(|row| row.row);
        let twice = rows.windows(2).find(|pair| match pair {
            [a, b] => a.row == b.row,
            _ => false,
        });
        if let Some(row) = twice.and_then(|pair| pair.first()) {
            return Err(KeptError::Twice {
                place: place.to_owned(),
                row: row.row,
            });
        }
        Ok(KeptRows {
            place: place.to_owned(),
            schema: schema.clone(),
            rows: rows.into(),
        })
    }
}

/// Whether cells have every column and no other: a misspelled one would be null.
fn whole(cells: &RawValue, schema: &Schema) -> Result<(), String> {
    let found: BTreeMap<String, &RawValue> =
        serde_json::from_str(cells.get()).map_err(|_| "its `cells` are not an object")?;
    let fields = &schema.fields;
    if let Some(field) = fields.iter().find(|f| !found.contains_key(&*f.name)) {
        return Err(format!("its `cells` lack the column `{}`", field.name));
    }
    match found.len() == fields.len() {
        true => Ok(()),
        false => Err("its `cells` have a column that is not declared".into()),
    }
}

impl glovebox_core::Source for KeptRows {
    fn describe(&self) -> String {
        format!("rejected rows from {}", self.place)
    }

    fn dialect(&self) -> String {
        "kept rows".into()
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn size_bytes(&self) -> Option<u64> {
        Some(
            self.rows
                .iter()
                .map(|row| row.text().len() as u64 + 1)
                .sum(),
        )
    }

    fn estimate_rows(&self) -> Option<u64> {
        Some(self.rows.len() as u64)
    }

    fn chunks(&self) -> Result<Box<dyn ChunkReader>, SourceError> {
        Ok(Box::new(Chunks {
            rows: Arc::clone(&self.rows),
            next: 0,
            index: 0,
            position: 0,
        }))
    }

    fn decoder(&self) -> Result<Box<dyn Decoder>, SourceError> {
        let mut options = Options::new("");
        (options.inputs, options.max_record) = (Vec::new(), MAX_RECORD);
        // Cells have the names of columns, wherever the source has found them.
        let mut schema = self.schema.clone();
        schema.fields.iter_mut().for_each(|field| field.from = None);
        let shared = Shared::new(schema.fields.len());
        shared.found(0, Layout::Lines);
        let inputs = Arc::new(Inputs::new(Vec::new().into(), &[]));
        Ok(Box::new(KeptDecoder {
            rows: Arc::clone(&self.rows),
            inner: JsonDecoder::new(&options, &schema, inputs, shared)?,
            no_cells: Violation {
                step: "source".into(),
                column: None,
                rule: "json".into(),
                message: "the row has no `cells`; write those of its `record` there".into(),
            },
        }))
    }
}

struct Chunks {
    rows: Arc<[Row]>,
    next: usize,
    index: u64,
    position: u64,
}

impl ChunkReader for Chunks {
    fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError> {
        let rest = self.rows.get(self.next..).unwrap_or_default();
        let Some(first) = rest.first() else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let mut count = 0;
        for row in rest.iter().take_while(|row| row.is_near(first)) {
            if count == CHUNK_ROWS || (count > 0 && bytes.len() + row.text().len() > CHUNK_BYTES) {
                break;
            }
            bytes.extend_from_slice(row.text().as_bytes());
            bytes.push(b'\n');
            count += 1;
        }
        self.position += bytes.len() as u64;
        let chunk = Chunk {
            index: self.index,
            first_row: first.row,
            rows: count as u64,
            first_line: first.line,
            bytes,
            position: self.position,
            ..Chunk::default()
        };
        self.index += 1;
        self.next += count;
        Ok(Some(chunk))
    }
}

struct KeptDecoder {
    rows: Arc<[Row]>,
    inner: JsonDecoder,
    no_cells: Violation,
}

impl KeptDecoder {
    /// The rows of a chunk.
    fn of(&self, chunk: &Chunk) -> &[Row] {
        let start = self.rows.partition_point(|row| row.row < chunk.first_row);
        let count = usize::try_from(chunk.rows).unwrap_or(usize::MAX);
        let rest = self.rows.get(start..).unwrap_or_default();
        rest.get(..count).unwrap_or(rest)
    }
}

impl Decoder for KeptDecoder {
    fn decode(&mut self, chunk: Chunk) -> Result<Decoded, SourceError> {
        let numbered = Chunk {
            first_row: 0,
            first_line: Some(1),
            ..chunk.clone()
        };
        let mut decoded = self.inner.decode(numbered)?;
        let rows = self.of(&chunk);
        for reject in &mut decoded.rejects {
            let at = usize::try_from(reject.row).unwrap_or(usize::MAX);
            if let Some(row) = rows.get(at) {
                (reject.row, reject.line) = (row.row, row.line);
                reject.file.clone_from(&row.file);
                if row.cells.is_none() {
                    reject.violations = vec![self.no_cells.clone()];
                }
            }
        }
        for batch in &mut decoded.batches {
            batch.origin = origin(batch, rows);
        }
        Ok(decoded)
    }

    fn records(&self, chunk: &Chunk, wanted: &[u64]) -> BTreeMap<u64, Vec<u8>> {
        let rows = self.of(chunk).iter();
        let rows = rows.filter(|row| wanted.binary_search(&row.row).is_ok());
        rows.filter_map(|row| {
            let cells = row.cells.as_ref().map(|cells| cells.as_bytes());
            Some((row.row, cells.or(row.record.as_deref())?.to_vec()))
        })
        .collect()
    }
}

/// Where the rows of a batch stood when they were rejected; by now it counts those of its chunk.
fn origin(batch: &Batch, rows: &[Row]) -> Origin {
    let places = (0..batch.rows()).filter_map(|row| {
        let at = usize::try_from(batch.origin.row(row)).ok()?;
        rows.get(at)
    });
    let places: Vec<_> = places.collect();
    let Some(first) = places.first() else {
        return batch.origin.clone();
    };
    let offset = |of: u64, first: u64| u32::try_from(of.saturating_sub(first)).unwrap_or(u32::MAX);
    let offsets = places.iter().map(|place| offset(place.row, first.row));
    let origin = Origin::scattered(first.row, Some(offsets.collect()));
    let origin = match first.line {
        Some(line) => {
            let lines = places.iter().filter_map(|place| place.line);
            origin.with_lines(line, Some(lines.map(|of| offset(of, line)).collect()))
        }
        None => origin,
    };
    origin.in_file(first.file.clone())
}

/// What could not be read of a row, which is in hexadecimal if it is no text.
fn record(text: Option<String>, hexadecimal: Option<String>) -> Option<Vec<u8>> {
    if let Some(text) = text {
        return Some(text.into_bytes());
    }
    let mut bytes = Vec::new();
    spelled::bytes(format!("\\x{}", hexadecimal?).as_bytes(), &mut bytes)?;
    Some(bytes)
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
