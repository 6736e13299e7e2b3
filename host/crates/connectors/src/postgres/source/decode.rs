//! The rows of a chunk as Arrow columns.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, RecordBatch, RecordBatchOptions,
    StringArray,
};
use arrow_buffer::{
    BooleanBufferBuilder, NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer,
};
use arrow_schema::{ArrowError, SchemaRef};
use glovebox_core::{
    Batch, Chunk, DataType, Decoded, Decoder, Field, Origin, Reject, Schema, SourceError, Violation,
};

use super::Options;
use super::cells::{self, Unfit};
use super::cut::{Cells, Malformed};
use super::refusal::malformed;
use super::types::{Form, Layout};

/// Decodes chunks.
pub(super) struct CopyDecoder {
    place: String,
    schema: Schema,
    arrow: SchemaRef,
    layout: Arc<OnceLock<Layout>>,
    batch_rows: usize,
}

impl CopyDecoder {
    /// `layout` is known once the source has been opened.
    pub(super) fn new(options: &Options, schema: &Schema, layout: Arc<OnceLock<Layout>>) -> Self {
        CopyDecoder {
            place: options.place(),
            arrow: schema.to_arrow(),
            schema: schema.clone(),
            layout,
            batch_rows: options.batch_rows.max(1),
        }
    }

    fn internal(&self, problem: &str) -> SourceError {
        SourceError::Shape {
            place: self.place.clone(),
            problem: format!("internal error: {problem}; please report it"),
        }
    }
}

impl Decoder for CopyDecoder {
    fn decode(&mut self, mut chunk: Chunk) -> Result<Decoded, SourceError> {
        let Some(layout) = self.layout.get() else {
            return Err(self.internal("a chunk was decoded before its source was opened"));
        };
        let mut decoded = Decoded::default();
        let mut rest = chunk.bytes.as_slice();
        let mut first_row = chunk.first_row;
        let mut due = usize::try_from(chunk.rows).unwrap_or(usize::MAX);
        while !rest.is_empty() {
            let rows = due.min(self.batch_rows);
            let mut columns: Vec<Column<'_>> = self
                .schema
                .fields
                .iter()
                .zip(&layout.columns)
                .map(|(field, column)| Column::new(field, column.form, rows))
                .collect();
            let mut taken = 0;
            while taken < self.batch_rows && !rest.is_empty() {
                rest = take(rest, &mut columns).map_err(|Malformed| malformed(&self.place))?;
                taken += 1;
            }
            due = due.saturating_sub(taken);
            let batch = finish(columns, taken, first_row, &self.arrow, &mut decoded.rejects);
            let batch = batch.map_err(|_| self.internal("columns do not fit together"))?;
            decoded.batches.extend(batch);
            first_row += taken as u64;
        }
        decoded.rejects.append(&mut chunk.rejects);
        Ok(decoded)
    }
}

/// Takes the first row, and returns what is behind it.
fn take<'a>(bytes: &'a [u8], columns: &mut [Column<'_>]) -> Result<&'a [u8], Malformed> {
    let mut cells = Cells::of(bytes)?.ok_or(Malformed)?;
    if cells.width != columns.len() {
        return Err(Malformed);
    }
    for column in columns {
        column.push(cells.next()?)?;
    }
    Ok(cells.rest)
}

/// The batch of so many rows, without those that have a flaw.
fn finish(
    columns: Vec<Column<'_>>,
    rows: usize,
    first_row: u64,
    arrow: &SchemaRef,
    rejects: &mut Vec<Reject>,
) -> Result<Option<Batch>, ArrowError> {
    let origin = Origin::contiguous(first_row);
    let mut flaws: BTreeMap<usize, Vec<Violation>> = BTreeMap::new();
    let mut arrays = Vec::with_capacity(columns.len());
    for column in columns {
        arrays.push(column.finish(&mut flaws)?);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    if flaws.is_empty() {
        let batch = RecordBatch::try_new_with_options(arrow.clone(), arrays, &options)?;
        return Ok((rows > 0).then(|| Batch::new(batch, origin)));
    }
    let mut keep = BooleanBufferBuilder::new(rows);
    keep.append_n(rows, true);
    for (row, violations) in flaws {
        keep.set_bit(row, false);
        rejects.push(reject(origin.row(row), violations));
    }
    let keep = BooleanArray::new(keep.finish(), None);
    // A null stands where a cell was flawed, so the filter has to come before the schema.
    let kept = arrays
        .iter()
        .map(|a| arrow_select::filter::filter(a, &keep))
        .collect::<Result<_, _>>()?;
    let count = keep.true_count();
    let options = options.with_row_count(Some(count));
    let batch = RecordBatch::try_new_with_options(arrow.clone(), kept, &options)?;
    Ok((count > 0).then(|| Batch::new(batch, origin.filter(&keep))))
}

pub(super) fn reject(row: u64, violations: Vec<Violation>) -> Reject {
    Reject {
        row,
        file: None,
        line: None,
        violations,
    }
}

pub(super) fn violation(column: Option<&Arc<str>>, rule: &str, message: String) -> Violation {
    Violation {
        step: "source".into(),
        column: column.cloned(),
        rule: rule.into(),
        message: message.into(),
    }
}

/// What is wrong with a cell.
#[derive(Debug, Clone, Copy)]
enum Flaw {
    Type,
    Utf8,
    Null,
}

/// A column of a batch while its rows come in.
struct Column<'f> {
    field: &'f Field,
    form: Form,
    values: Values,
    valid: NullBufferBuilder,
    flaws: Vec<(usize, Flaw)>,
}

enum Values {
    Boolean(BooleanBufferBuilder),
    Int64(Vec<i64>),
    Float64(Vec<f64>),
    Decimal(Vec<i128>),
    Date(Vec<i32>),
    Timestamp(Vec<i64>),
    Bytes(Vec<i32>, Vec<u8>),
}

impl<'f> Column<'f> {
    fn new(field: &'f Field, form: Form, rows: usize) -> Self {
        let values = match form {
            Form::Boolean => Values::Boolean(BooleanBufferBuilder::new(rows)),
            Form::Int2 | Form::Int4 | Form::Int8 => Values::Int64(Vec::with_capacity(rows)),
            Form::Float4 | Form::Float8 => Values::Float64(Vec::with_capacity(rows)),
            Form::Numeric { .. } => Values::Decimal(Vec::with_capacity(rows)),
            Form::Date => Values::Date(Vec::with_capacity(rows)),
            Form::Timestamp => Values::Timestamp(Vec::with_capacity(rows)),
            Form::Text | Form::Bytes => {
                let mut offsets = Vec::with_capacity(rows + 1);
                offsets.push(0);
                Values::Bytes(offsets, Vec::with_capacity(rows * 16))
            }
        };
        Column {
            field,
            form,
            values,
            valid: NullBufferBuilder::new(rows),
            flaws: Vec::new(),
        }
    }

    #[inline]
    fn push(&mut self, cell: Option<&[u8]>) -> Result<(), Malformed> {
        let Some(cell) = cell else {
            if !self.field.nullable {
                self.flaws.push((self.valid.len(), Flaw::Null));
            }
            return self.put_null();
        };
        match (&mut self.values, self.form) {
            (Values::Int64(v), Form::Int4) => v.push(cells::int4(cell)?),
            (Values::Int64(v), Form::Int8) => v.push(cells::int8(cell)?),
            (Values::Int64(v), _) => v.push(cells::int2(cell)?),
            (Values::Float64(v), Form::Float4) => v.push(cells::float4(cell)?),
            (Values::Float64(v), _) => v.push(cells::float8(cell)?),
            (Values::Bytes(offsets, data), _) => {
                data.extend_from_slice(cell);
                offsets.push(i32::try_from(data.len()).map_err(|_| Malformed)?);
            }
            (Values::Boolean(v), _) => v.append(cells::boolean(cell)?),
            (Values::Decimal(v), Form::Numeric { precision, scale }) => {
                match cells::decimal(cell, precision, scale)? {
                    Ok(value) => v.push(value),
                    Err(Unfit) => return self.flawed(),
                }
            }
            (Values::Date(v), _) => match cells::date(cell)? {
                Ok(value) => v.push(value),
                Err(Unfit) => return self.flawed(),
            },
            (Values::Timestamp(v), _) => match cells::timestamp(cell)? {
                Ok(value) => v.push(value),
                Err(Unfit) => return self.flawed(),
            },
            (Values::Decimal(_), _) => return Err(Malformed),
        }
        self.valid.append_non_null();
        Ok(())
    }

    fn flawed(&mut self) -> Result<(), Malformed> {
        self.flaws.push((self.valid.len(), Flaw::Type));
        self.put_null()
    }

    fn put_null(&mut self) -> Result<(), Malformed> {
        self.valid.append_null();
        match &mut self.values {
            Values::Boolean(v) => v.append(false),
            Values::Int64(v) | Values::Timestamp(v) => v.push(0),
            Values::Float64(v) => v.push(0.0),
            Values::Decimal(v) => v.push(0),
            Values::Date(v) => v.push(0),
            Values::Bytes(offsets, data) => {
                offsets.push(i32::try_from(data.len()).map_err(|_| Malformed)?);
            }
        }
        Ok(())
    }

    fn finish(
        mut self,
        found: &mut BTreeMap<usize, Vec<Violation>>,
    ) -> Result<ArrayRef, ArrowError> {
        let nulls = self.valid.finish();
        let array: ArrayRef = match self.values {
            Values::Boolean(mut v) => Arc::new(BooleanArray::new(v.finish(), nulls)),
            Values::Int64(v) => Arc::new(PrimitiveArray::<Int64Type>::new(v.into(), nulls)),
            Values::Float64(v) => Arc::new(PrimitiveArray::<Float64Type>::new(v.into(), nulls)),
            Values::Date(v) => Arc::new(PrimitiveArray::<Date32Type>::new(v.into(), nulls)),
            Values::Timestamp(v) => Arc::new(
                PrimitiveArray::<TimestampMicrosecondType>::new(v.into(), nulls)
                    .with_timezone("UTC"),
            ),
            Values::Decimal(v) => {
                let (precision, scale) = match self.field.data_type {
                    DataType::Decimal { precision, scale } => (precision, scale),
                    _ => (38, 0),
                };
                let scale = i8::try_from(scale).unwrap_or(i8::MAX);
                Arc::new(
                    PrimitiveArray::<Decimal128Type>::new(v.into(), nulls)
                        .with_precision_and_scale(precision, scale)?,
                )
            }
            Values::Bytes(offsets, data) if self.form == Form::Text => {
                text(offsets, data, nulls, &mut self.flaws)?
            }
            Values::Bytes(offsets, data) => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Arc::new(BinaryArray::try_new(offsets, data.into(), nulls)?)
            }
        };
        for (row, flaw) in self.flaws {
            let name = &self.field.name;
            let (rule, message) = match flaw {
                Flaw::Type => (
                    "type",
                    format!("`{name}` does not fit {}", self.field.data_type),
                ),
                Flaw::Utf8 => ("utf-8", format!("`{name}` is not UTF-8")),
                Flaw::Null => ("null", format!("`{name}` is null, which is not allowed")),
            };
            let of_row = found.entry(row).or_default();
            of_row.push(violation(Some(name), rule, message));
        }
        Ok(array)
    }
}

/// A column of text. A database without an encoding (SQL_ASCII) sends any bytes.
fn text(
    offsets: Vec<i32>,
    data: Vec<u8>,
    nulls: Option<NullBuffer>,
    flaws: &mut Vec<(usize, Flaw)>,
) -> Result<ArrayRef, ArrowError> {
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    let raw = BinaryArray::try_new(offsets.clone(), data.into(), nulls.clone())?;
    match StringArray::try_new(offsets, raw.values().clone(), nulls) {
        Ok(array) => Ok(Arc::new(array)),
        Err(_) => {
            let mut cells: Vec<Option<&str>> = Vec::with_capacity(raw.len());
            for (row, cell) in raw.iter().enumerate() {
                let text = cell.map(std::str::from_utf8).transpose();
                if text.is_err() {
                    flaws.push((row, Flaw::Utf8));
                }
                cells.push(text.ok().flatten());
            }
            Ok(Arc::new(StringArray::from(cells)))
        }
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
