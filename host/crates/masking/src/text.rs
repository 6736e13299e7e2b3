//! Turns cells into masks as text.
//! It selects which bytes of a column are masked and lays the result out in Arrow buffers:
//! URL-safe base64 with padding (RFC 4648 §5), 44 characters a mask.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, BinaryArray, StringArray};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType as ArrowType, TimeUnit};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use glovebox_core::{Computed, DataType, KeyError, Refusal, Spans, Target};

use crate::Mask;

/// Characters of a mask of 32 bytes.
pub(crate) const MASK_WIDTH: usize = 44;

/// A column as the bytes that are masked: text and bytes as they are, numbers in decimal.
#[derive(Debug)]
pub(crate) struct Cells {
    bytes: BinaryArray,
    data_type: DataType,
}

impl Cells {
    /// The cells of a column, without copying text or bytes, of a type that was looked at before.
    pub(crate) fn read(column: &ArrayRef) -> Result<Self, KeyError> {
        let (bytes, data_type) = match column.data_type() {
            ArrowType::Utf8 => (
                BinaryArray::from(column.as_string::<i32>().clone()),
                DataType::Text,
            ),
            ArrowType::Binary => (column.as_binary::<i32>().clone(), DataType::Bytes),
            ArrowType::Int64 => (decimal(column)?, DataType::Int64),
            other => return Err(KeyError::Arrow(other.to_string())),
        };
        Ok(Cells { bytes, data_type })
    }

    /// Whether the target lies within the column and the column can be masked in that way.
    pub(crate) fn check(&self, target: &Target) -> Result<(), KeyError> {
        let rows = self.bytes.len();
        match target {
            Target::Cells => Ok(()),
            Target::Rows(_) if self.data_type == DataType::Int64 => Err(parameters(
                "masking some rows of an int64 column would mix numbers with text; target all \
                 its cells, or make the column text",
            )),
            Target::Rows(marks) if marks.len() != rows => Err(parameters(&format!(
                "the target marks {} rows of a column that has {rows}",
                marks.len()
            ))),
            Target::Rows(_) => Ok(()),
            Target::Spans(_) if self.data_type != DataType::Text => Err(parameters(&format!(
                "spans are byte ranges of text, and the column is {}; target cells or rows",
                self.data_type
            ))),
            Target::Spans(spans) => self.check_spans(spans),
        }
    }

    /// The engine has checked spans where they came in; this is for callers that have not.
    fn check_spans(&self, spans: &Spans) -> Result<(), KeyError> {
        if spans.rows.len() != spans.starts.len() || spans.rows.len() != spans.ends.len() {
            return Err(parameters("spans need a row, a start and an end each"));
        }
        let mut last = (0, 0);
        for (row, start, end) in triples(spans) {
            let Some(cell) = self.cell(row) else {
                return Err(parameters(&format!(
                    "a span lies in row {row} of a batch of {} rows, or in a null cell",
                    self.bytes.len()
                )));
            };
            if start > end || end > cell.len() || !boundary(cell, start) || !boundary(cell, end) {
                return Err(parameters(&format!(
                    "a span of row {row} does not begin and end between characters of its cell"
                )));
            }
            if (row, start) < last {
                return Err(parameters(&format!(
                    "the spans of row {row} overlap or are not in order"
                )));
            }
            last = (row, end);
        }
        Ok(())
    }

    pub(crate) fn cell(&self, row: usize) -> Option<&[u8]> {
        (row < self.bytes.len() && self.bytes.is_valid(row)).then(|| self.bytes.value(row))
    }

    /// Every value that a checked target has masked, in order, repeats included.
    pub(crate) fn values<'a>(
        &'a self,
        target: &'a Target,
    ) -> Box<dyn Iterator<Item = &'a [u8]> + 'a> {
        match target {
            Target::Cells => Box::new(self.bytes.iter().flatten().filter(|v| !v.is_empty())),
            Target::Rows(marks) => Box::new(
                self.bytes
                    .iter()
                    .zip(marks.iter())
                    .filter(|(_, mark)| *mark == Some(true))
                    .filter_map(|(cell, _)| cell)
                    .filter(|value| !value.is_empty()),
            ),
            Target::Spans(spans) => Box::new(
                triples(spans)
                    .filter_map(|(row, start, end)| self.cell(row)?.get(start..end))
                    .filter(|value| !value.is_empty()),
            ),
        }
    }

    /// The column with the values of a checked target masked; `mask` writes what stands for a value,
    /// about `width` bytes, or refuses it.
    pub(crate) fn masked(
        &self,
        target: &Target,
        width: usize,
        mask: impl FnMut(&[u8], &mut Vec<u8>) -> Result<(), Refusal>,
    ) -> Result<Computed, KeyError> {
        let out = Column::with_rows(self.bytes.len(), width);
        match target {
            Target::Cells => self.some_masked(out, |_| true, mask),
            Target::Rows(marks) => {
                self.some_masked(out, |row| marks.is_valid(row) && marks.value(row), mask)
            }
            Target::Spans(spans) => self.spans_masked(out, spans, mask),
        }
    }

    fn some_masked(
        &self,
        mut out: Column,
        marked: impl Fn(usize) -> bool,
        mut mask: impl FnMut(&[u8], &mut Vec<u8>) -> Result<(), Refusal>,
    ) -> Result<Computed, KeyError> {
        for (row, cell) in self.bytes.iter().enumerate() {
            match cell {
                Some(value) if !marked(row) => {
                    out.data.extend_from_slice(value);
                    out.end(true)?;
                }
                Some(value) if !value.is_empty() => {
                    let start = out.data.len();
                    match mask(value, &mut out.data) {
                        Ok(()) => out.end(true)?,
                        Err(refusal) => out.refuse(row, start, refusal)?,
                    }
                }
                _ => out.end(false)?,
            }
        }
        out.computed()
    }

    fn spans_masked(
        &self,
        mut out: Column,
        spans: &Spans,
        mut mask: impl FnMut(&[u8], &mut Vec<u8>) -> Result<(), Refusal>,
    ) -> Result<Computed, KeyError> {
        let mut spans = triples(spans).peekable();
        for (row, cell) in self.bytes.iter().enumerate() {
            let Some(cell) = cell else {
                out.end(false)?;
                continue;
            };
            let (begin, mut kept, mut refused) = (out.data.len(), 0, None);
            while let Some((_, start, end)) = spans.next_if(|(at, ..)| *at == row) {
                let value = cell.get(start..end).unwrap_or_default();
                if !value.is_empty() {
                    out.data
                        .extend_from_slice(cell.get(kept..start).unwrap_or_default());
                    refused = refused.or(mask(value, &mut out.data).err());
                    kept = end;
                }
            }
            out.data
                .extend_from_slice(cell.get(kept..).unwrap_or_default());
            match refused {
                None => out.end(true)?,
                Some(refusal) => out.refuse(row, begin, refusal)?,
            }
        }
        out.computed()
    }
}

/// Writes a mask of fixed size as text.
pub(crate) fn write_mask(mask: &Mask, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + MASK_WIDTH, 0);
    if let Some(text) = out.get_mut(start..) {
        // The width is that of 32 bytes, so it always fits.
        let _ = URL_SAFE.encode_slice(mask, text);
    }
}

/// A text column being written, without an allocation a cell.
struct Column {
    data: Vec<u8>,
    offsets: Vec<i32>,
    valid: BooleanBufferBuilder,
    refused: Vec<(u32, Refusal)>,
}

impl Column {
    fn with_rows(rows: usize, width: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Column {
            data: Vec::with_capacity(rows.saturating_mul(width)),
            offsets,
            valid: BooleanBufferBuilder::new(rows),
            refused: Vec::new(),
        }
    }

    /// A row whose cell is not masked: nothing of what was written of it from `start` on stays.
    fn refuse(&mut self, row: usize, start: usize, refusal: Refusal) -> Result<(), KeyError> {
        self.data.truncate(start);
        let row = u32::try_from(row).map_err(|_| parameters("a batch has too many rows"))?;
        self.refused.push((row, refusal));
        self.end(false)
    }

    fn computed(mut self) -> Result<Computed, KeyError> {
        let refused = std::mem::take(&mut self.refused);
        let column: ArrayRef = Arc::new(self.finish()?);
        Ok(Computed {
            column,
            refused,
            tokens: None,
        })
    }

    fn end(&mut self, valid: bool) -> Result<(), KeyError> {
        let end = i32::try_from(self.data.len()).map_err(|_| {
            parameters("the masked column is larger than 2 GiB; use smaller batches")
        })?;
        self.offsets.push(end);
        self.valid.append(valid);
        Ok(())
    }

    fn finish(mut self) -> Result<StringArray, KeyError> {
        let nulls = NullBuffer::new(self.valid.finish());
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let nulls = (nulls.null_count() > 0).then_some(nulls);
        // Arrow's own message is dropped: it tells where in the cells the fault is.
        StringArray::try_new(offsets, self.data.into(), nulls).map_err(|_| {
            parameters(
                "cells that are not masked are bytes that are not text; target all cells of \
                 the column",
            )
        })
    }
}

fn triples(spans: &Spans) -> impl Iterator<Item = (usize, usize, usize)> {
    let wide = |n: &u32| usize::try_from(*n).unwrap_or(usize::MAX);
    spans
        .rows
        .iter()
        .zip(&spans.starts)
        .zip(&spans.ends)
        .map(move |((row, start), end)| (wide(row), wide(start), wide(end)))
}

fn boundary(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|byte| byte & 0xc0 != 0x80)
}

fn decimal(column: &ArrayRef) -> Result<BinaryArray, KeyError> {
    let mut out = Column::with_rows(column.len(), 8);
    let mut digits = itoa::Buffer::new();
    for number in column.as_primitive::<Int64Type>() {
        if let Some(number) = number {
            out.data.extend_from_slice(digits.format(number).as_bytes());
        }
        out.end(number.is_some())?;
    }
    out.finish().map(BinaryArray::from)
}

/// The contract's type of a column's cells.
pub(crate) fn type_of(column: &ArrayRef) -> Result<DataType, KeyError> {
    Ok(match column.data_type() {
        ArrowType::Utf8 => DataType::Text,
        ArrowType::Binary => DataType::Bytes,
        ArrowType::Int64 => DataType::Int64,
        ArrowType::Boolean => DataType::Boolean,
        ArrowType::Float64 => DataType::Float64,
        ArrowType::Date32 => DataType::Date,
        ArrowType::Timestamp(TimeUnit::Microsecond, _) => DataType::Timestamp,
        ArrowType::Decimal128(precision, scale) if *scale >= 0 => DataType::Decimal {
            precision: *precision,
            scale: scale.unsigned_abs(),
        },
        other => return Err(KeyError::Arrow(other.to_string())),
    })
}

fn parameters(what: &str) -> KeyError {
    KeyError::Parameters(what.into())
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
