//! Arrow columns into the tuples of a binary COPY, on the workers.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{
    Array, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray,
};
use glovebox_core::{Batch, DataType, Encoded, Encoder, Origin, Payload, Reject, SinkError};

use super::fit::{EPOCH_DAYS, EPOCH_MICROS, FIRST_DAY, FIRST_MICRO, Fitted, Form, LAST_DAY, NUL};
use super::numeric;
use crate::database::set_aside::SetAside;

/// What a COPY stream begins with: signature, no flags, no header extension.
pub(super) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with.
pub(super) const TRAILER: &[u8] = &(-1_i16).to_be_bytes();

/// Where `array_send` writes the number of the element type: behind the count of dimensions and
/// the flags.
const ELEMENT_AT: usize = 8;
/// Columns that say where a row stood.
pub(super) const MARKS: usize = 3;

/// A column as the table takes it.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: Arc<str>,
    pub(super) data_type: DataType,
    /// The table's type for it, as SQL.
    pub(super) sql_type: String,
    /// In which form that takes cells.
    pub(super) form: Form,
    /// Whether the table refuses nulls.
    pub(super) not_null: bool,
    /// Whether rows are told apart by it, in mode upsert.
    pub(super) key: bool,
    /// Of an opaque array that names its element type by number: the number here.
    pub(super) element: Option<[u8; 4]>,
}

/// Encodes batches as COPY tuples, without header and trailer.
pub(super) struct CopyEncoder {
    place: String,
    columns: Vec<Column>,
    /// Whether each row's place in the source follows its cells, as [`super::stage::Marks`] has it.
    marked: bool,
    /// Size of the last payload, as a guess of the next one's.
    last: usize,
}

impl CopyEncoder {
    pub(super) fn new(place: String, columns: Vec<Column>, marked: bool) -> Self {
        CopyEncoder {
            place,
            columns,
            marked,
            last: 0,
        }
    }

    fn cells<'a>(&'a self, batch: &'a RecordBatch) -> Result<Vec<Cells<'a>>, SinkError> {
        let fits = batch.num_columns() == self.columns.len();
        self.columns
            .iter()
            .zip(batch.columns())
            .map(|(column, array)| Cells::of(array, column))
            .collect::<Option<Vec<_>>>()
            .filter(|_| fits)
            .ok_or_else(|| SinkError::Internal {
                place: self.place.clone(),
                problem: "a batch has different columns than the sink was opened with".into(),
            })
    }

    /// The rows with a cell that its column cannot take.
    fn aside(&self, cells: &[Cells<'_>]) -> SetAside {
        let mut aside = SetAside::default();
        for (column, cells) in self.columns.iter().zip(cells) {
            cells.check(column, &mut aside);
        }
        aside
    }
}

impl Encoder for CopyEncoder {
    fn encode(&mut self, batches: &[Batch]) -> Result<Encoded, SinkError> {
        let mut encoded = Encoded::default();
        let mut out = Vec::with_capacity(self.last);
        let marks = if self.marked { MARKS } else { 0 };
        let width = i16::try_from(self.columns.len() + marks)
            .unwrap_or(i16::MAX)
            .to_be_bytes();
        for batch in batches {
            let cells = self.cells(&batch.columns)?;
            let aside = self.aside(&cells);
            for row in 0..batch.rows() {
                if !aside.is_empty() && aside.contains(row) {
                    continue;
                }
                out.extend_from_slice(&width);
                for cells in &cells {
                    cells.put(row, &mut out);
                }
                if self.marked {
                    mark(&batch.origin, row, &mut out);
                }
            }
            let kept = batch.rows() - aside.len();
            encoded.rows += kept as u64;
            encoded.origins.push((aside.kept(batch), kept));
            encoded.rejects.extend(aside.into_rejects(&batch.origin));
        }
        self.last = out.len();
        encoded.payload = Payload::Bytes(out);
        Ok(encoded)
    }

    fn unfit(&self, batch: &Batch) -> Result<Vec<Reject>, SinkError> {
        let aside = self.aside(&self.cells(&batch.columns)?);
        Ok(aside.into_rejects(&batch.origin).collect())
    }
}

/// A row's place: its number, its line and its file, where it has them.
fn mark(origin: &Origin, row: usize, out: &mut Vec<u8>) {
    const NONE: [u8; 4] = (-1_i32).to_be_bytes();
    sized(out, &origin.row(row).to_be_bytes());
    match origin.line(row) {
        Some(line) => sized(out, &line.to_be_bytes()),
        None => out.extend_from_slice(&NONE),
    }
    match origin.file() {
        Some(file) => sized(out, file.as_bytes()),
        None => out.extend_from_slice(&NONE),
    }
}

/// Where each tuple of a payload ends; none if it is not one of ours.
pub(super) fn ends(payload: &[u8]) -> Option<Vec<usize>> {
    let mut ends = Vec::new();
    let mut at = 0;
    while at < payload.len() {
        let width = i16::from_be_bytes(payload.get(at..at + 2)?.try_into().ok()?);
        at += 2;
        for _ in 0..width {
            let length = i32::from_be_bytes(payload.get(at..at + 4)?.try_into().ok()?);
            at += 4 + usize::try_from(length).unwrap_or(0);
        }
        ends.push(at);
    }
    (at == payload.len()).then_some(ends)
}

/// A column of a batch by its type, so that a cell costs one branch.
enum Cells<'a> {
    Boolean(&'a BooleanArray),
    Int64(&'a Int64Array),
    Float64(&'a Float64Array),
    Decimal(&'a Decimal128Array, u8, u8),
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
    Array(&'a BinaryArray, [u8; 4]),
    Date(&'a Date32Array),
    Timestamp(&'a TimestampMicrosecondArray),
    Fitted(Fitted<'a>),
}

impl<'a> Cells<'a> {
    fn of(array: &'a dyn Array, column: &'a Column) -> Option<Self> {
        let data_type = column.data_type;
        if *array.data_type() != data_type.to_arrow() {
            return None;
        }
        if column.form != Form::Own {
            return Fitted::of(array, data_type, &column.form).map(Cells::Fitted);
        }
        Some(match data_type {
            DataType::Boolean => Cells::Boolean(array.as_boolean_opt()?),
            DataType::Int64 => Cells::Int64(array.as_primitive_opt::<Int64Type>()?),
            DataType::Float64 => Cells::Float64(array.as_primitive_opt::<Float64Type>()?),
            DataType::Decimal { precision, scale } => Cells::Decimal(
                array.as_primitive_opt::<Decimal128Type>()?,
                precision,
                scale,
            ),
            DataType::Text => Cells::Text(array.as_string_opt()?),
            DataType::Bytes | DataType::Opaque => {
                let cells = array.as_binary_opt()?;
                match column.element {
                    Some(element) => Cells::Array(cells, element),
                    None => Cells::Bytes(cells),
                }
            }
            DataType::Date => Cells::Date(array.as_primitive_opt::<Date32Type>()?),
            DataType::Timestamp => {
                Cells::Timestamp(array.as_primitive_opt::<TimestampMicrosecondType>()?)
            }
        })
    }

    fn array(&self) -> &dyn Array {
        match self {
            Cells::Boolean(a) => a,
            Cells::Int64(a) => a,
            Cells::Float64(a) => a,
            Cells::Decimal(a, ..) => a,
            Cells::Text(a) => a,
            Cells::Bytes(a) | Cells::Array(a, _) => a,
            Cells::Date(a) => a,
            Cells::Timestamp(a) => a,
            Cells::Fitted(a) => a.array(),
        }
    }

    fn check(&self, column: &Column, aside: &mut SetAside) {
        let name = &column.name;
        if column.not_null {
            aside.nulls(self.array(), name);
        } else if column.key {
            let cells = self.array();
            for row in (0..cells.len()).filter(|row| cells.is_null(*row)) {
                aside.add(row, name, "not-null", "null in a key column of the upsert");
            }
        }
        match self {
            Cells::Text(a) => aside.nuls(a, name, NUL),
            Cells::Decimal(a, precision, _) => aside.digits(a, *precision, name),
            Cells::Date(a) => aside.range(
                a,
                a.values(),
                name,
                "outside PostgreSQL's dates, 4714-11-24 BC to 5874897-12-31",
                |day| (FIRST_DAY..=LAST_DAY).contains(&day),
            ),
            Cells::Timestamp(a) => aside.range(
                a,
                a.values(),
                name,
                "before PostgreSQL's first timestamp, 4714-11-24 BC",
                |micro| micro >= FIRST_MICRO,
            ),
            Cells::Fitted(a) => a.check(name, aside),
            Cells::Boolean(_)
            | Cells::Int64(_)
            | Cells::Float64(_)
            | Cells::Bytes(_)
            | Cells::Array(..) => {}
        }
    }

    fn put(&self, row: usize, out: &mut Vec<u8>) {
        if self.array().is_null(row) {
            out.extend_from_slice(&(-1_i32).to_be_bytes());
            return;
        }
        match self {
            Cells::Boolean(a) => sized(out, &[u8::from(a.value(row))]),
            Cells::Int64(a) => sized(out, &a.value(row).to_be_bytes()),
            Cells::Float64(a) => sized(out, &a.value(row).to_be_bytes()),
            Cells::Text(a) => sized(out, a.value(row).as_bytes()),
            Cells::Bytes(a) => sized(out, a.value(row)),
            Cells::Array(a, element) => {
                let cell = a.value(row);
                let start = out.len() + 4 + ELEMENT_AT;
                sized(out, cell);
                if let Some(slot) = out.get_mut(start..start + 4)
                    && cell.len() >= ELEMENT_AT + 4
                {
                    slot.copy_from_slice(element);
                }
            }
            // Both fit: what would overflow was set aside.
            Cells::Date(a) => sized(out, &a.value(row).wrapping_sub(EPOCH_DAYS).to_be_bytes()),
            Cells::Timestamp(a) => {
                sized(out, &a.value(row).wrapping_sub(EPOCH_MICROS).to_be_bytes());
            }
            Cells::Decimal(a, _, scale) => {
                measured(out, |out| numeric::put(a.value(row), *scale, out));
            }
            Cells::Fitted(a) => measured(out, |out| a.put(row, out)),
        }
    }
}

fn sized(out: &mut Vec<u8>, cell: &[u8]) {
    out.extend_from_slice(&length(cell.len()));
    out.extend_from_slice(cell);
}

/// A cell whose length is known once it is written.
fn measured(out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    put(out);
    let length = length(out.len() - start - 4);
    if let Some(slot) = out.get_mut(start..start + 4) {
        slot.copy_from_slice(&length);
    }
}

// Arrow's 32-bit offsets keep a cell below 2 GiB, so the length always fits.
fn length(bytes: usize) -> [u8; 4] {
    i32::try_from(bytes).unwrap_or(i32::MAX).to_be_bytes()
}
