//! Rejected rows of a chunk as a block: their cells as they were read, before the first step, or the
//! record where there are no cells.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType as ArrowType};
use glovebox_core::hex;
use glovebox_core::{Batch, Envelope, KeyError, Late, Reject, Seal, SealLate, SealedBlock};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Header, block_context};

/// Encrypts the rejected rows of a run's chunks.
#[derive(Clone)]
pub(crate) struct RowSealer {
    to: Arc<dyn Seal>,
    header: Arc<str>,
}

/// The part of rows that were rejected before the sink had them.
const EARLY: u32 = 0;
/// The part of rows that the target refused.
const LATE: u32 = 1;

impl RowSealer {
    pub(crate) fn new(to: Arc<dyn Seal>, pipeline: &str, run: &str, secret: &[u8]) -> Self {
        RowSealer {
            to,
            header: Header::new(pipeline, run, secret).line().into(),
        }
    }

    pub(super) fn header(&self) -> &str {
        &self.header
    }

    /// The last line's envelope.
    pub(super) fn seal(&self, context: &str, text: &[u8]) -> Result<Envelope, KeyError> {
        self.to.seal(context.as_bytes(), text)
    }

    /// The block of a chunk's rejects; none if there are none. `batches` are the rows that could be read,
    /// `records` the others.
    pub(crate) fn early(
        &self,
        chunk: u64,
        rejects: &[Reject],
        batches: &[Batch],
        records: &BTreeMap<u64, Vec<u8>>,
    ) -> Result<Option<SealedBlock>, KeyError> {
        self.block((chunk, EARLY), rejects, batches, records)
    }

    /// Keeps a chunk's rows until its sink has stored them.
    pub(crate) fn late(&self, chunk: u64, batches: Vec<Batch>) -> Late {
        Late(Some(Arc::new(Waiting {
            sealer: self.clone(),
            chunk,
            batches,
        })))
    }

    fn block(
        &self,
        (chunk, part): (u64, u32),
        rejects: &[Reject],
        batches: &[Batch],
        records: &BTreeMap<u64, Vec<u8>>,
    ) -> Result<Option<SealedBlock>, KeyError> {
        if rejects.is_empty() {
            return Ok(None);
        }
        let text = lines(rejects, batches, records)
            .map_err(|_| KeyError::Arrow("that cannot be written as text".into()))?;
        let rows = rejects.len() as u64;
        let context = block_context(&self.header, chunk, part, rows);
        let envelope = self.to.seal(context.as_bytes(), &text)?;
        let line = Block {
            chunk,
            part,
            rows,
            envelope,
        };
        Ok(Some(SealedBlock {
            chunk,
            part,
            rows,
            line: serde_json::to_string(&line).unwrap_or_default(),
        }))
    }
}

/// A block's line.
#[derive(Debug, Clone, Serialize, serde::Deserialize)]
pub(super) struct Block {
    pub(super) chunk: u64,
    pub(super) part: u32,
    pub(super) rows: u64,
    #[serde(flatten)]
    pub(super) envelope: Envelope,
}

/// A chunk's rows while the target may still refuse some.
struct Waiting {
    sealer: RowSealer,
    chunk: u64,
    batches: Vec<Batch>,
}

impl SealLate for Waiting {
    fn seal(&self, rejects: &[Reject]) -> Result<Option<SealedBlock>, KeyError> {
        let mut rejects = rejects.to_vec();
        rejects.sort_by_key(|reject| reject.row);
        let place = (self.chunk, LATE);
        self.sealer
            .block(place, &rejects, &self.batches, &BTreeMap::new())
    }
}

/// A row, as a line of the text that is encrypted. It reads as a line of a list of rejects, too.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    reject: &'a Reject,
    #[serde(skip_serializing_if = "Option::is_none")]
    cells: Option<Cells<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'a str>,
    /// Of a record that is not UTF-8, in hexadecimal.
    #[serde(rename = "record-bytes", skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
}

fn lines(
    rejects: &[Reject],
    batches: &[Batch],
    records: &BTreeMap<u64, Vec<u8>>,
) -> Result<Vec<u8>, ArrowError> {
    let mut text = Vec::new();
    let mut columns: Option<(usize, Vec<Column<'_>>)> = None;
    for reject in rejects {
        let found = find(batches, reject.row);
        if let Some((at, batch, _)) = found
            && columns.as_ref().is_none_or(|(of, _)| *of != at)
        {
            columns = Some((at, columns_of(batch)?));
        }
        let cells = found.zip(columns.as_ref());
        let record = records.get(&reject.row);
        let readable = record.map(|record| std::str::from_utf8(record));
        let row = Row {
            reject,
            cells: cells.map(|((_, _, row), (_, columns))| Cells { columns, row }),
            record: readable.and_then(Result::ok),
            bytes: record
                .filter(|_| readable.is_some_and(|text| text.is_err()))
                .map(hex),
        };
        serde_json::to_writer(&mut text, &row)
            .map_err(|_| ArrowError::InvalidArgumentError("a row is no JSON".into()))?;
        text.push(b'\n');
    }
    Ok(text)
}

/// The batch that has a row, by its place among the others, and the row's place in it.
fn find(batches: &[Batch], row: u64) -> Option<(usize, &Batch, usize)> {
    let after = batches.partition_point(|batch| batch.rows() > 0 && batch.origin.row(0) <= row);
    let at = after.checked_sub(1)?;
    let batch = batches.get(at)?;
    let (mut low, mut high) = (0, batch.rows());
    while low < high {
        let middle = low.midpoint(high);
        match batch.origin.row(middle).cmp(&row) {
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Equal => return Some((at, batch, middle)),
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    None
}

/// A column that writes its cells as text.
struct Column<'a> {
    name: &'a str,
    cells: &'a ArrayRef,
    /// None of types with a form of ours.
    plain: Option<ArrayFormatter<'a>>,
}

fn columns_of(batch: &Batch) -> Result<Vec<Column<'_>>, ArrowError> {
    const OPTIONS: FormatOptions<'_> = FormatOptions::new();
    let schema = batch.columns.schema_ref();
    let columns = schema.fields().iter().zip(batch.columns.columns());
    columns
        .map(|(field, cells)| {
            let plain = match cells.data_type() {
                ArrowType::Utf8
                | ArrowType::Binary
                | ArrowType::Float64
                | ArrowType::Timestamp(..) => None,
                _ => Some(ArrayFormatter::try_new(cells.as_ref(), &OPTIONS)?),
            };
            Ok(Column {
                name: field.name(),
                cells,
                plain,
            })
        })
        .collect()
}

impl Column<'_> {
    /// As a source of JSON lines reads it back: numbers with a point, dates as ISO 8601 has them, bytes as
    /// `\x` and hexadecimal digits.
    fn text(&self, row: usize) -> String {
        if let Some(plain) = &self.plain {
            return plain.value(row).to_string();
        }
        if let Some(text) = self.cells.as_string_opt::<i32>() {
            return text.value(row).to_owned();
        }
        if let Some(bytes) = self.cells.as_binary_opt::<i32>() {
            return format!("\\x{}", hex(bytes.value(row)));
        }
        if let Some(numbers) = self.cells.as_primitive_opt::<Float64Type>() {
            return match numbers.value(row) {
                number if number.is_nan() => "NaN".into(),
                number if number.is_infinite() && number > 0.0 => "Infinity".into(),
                number if number.is_infinite() => "-Infinity".into(),
                number => format!("{number:?}"),
            };
        }
        let times = self.cells.as_primitive_opt::<TimestampMicrosecondType>();
        let time = times.and_then(|times| times.value_as_datetime(row));
        time.map(|time| format!("{time:?}Z")).unwrap_or_default()
    }
}

/// A row's cells by the names of their columns; null is null, all else text.
struct Cells<'a> {
    columns: &'a [Column<'a>],
    row: usize,
}

impl Serialize for Cells<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.columns.len()))?;
        for column in self.columns {
            let text = column
                .cells
                .is_valid(self.row)
                .then(|| column.text(self.row));
            map.serialize_entry(column.name, &text)?;
        }
        map.end()
    }
}
