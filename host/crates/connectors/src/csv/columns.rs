//! Columns of Arrow from the cells of a batch, a column at a time.
//! A cell that does not parse is null until its row is removed, so it never enters a batch.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float64Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow_array::{ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBufferBuilder, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::ArrowError;
use glovebox_core::DataType;

use super::cells;
use super::records::Span;
use crate::formats::Spelling;
use crate::rows::{Flaw, Flawed};

/// The cells of one column: every `width`-th span from `place` on.
#[derive(Clone, Copy)]
pub(super) struct Cells<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) spans: &'a [Span],
    pub(super) width: usize,
    pub(super) place: usize,
}

impl<'a> Cells<'a> {
    fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        self.spans().map(move |span| span.of(bytes))
    }

    fn spans(&self) -> impl ExactSizeIterator<Item = &'a Span> + use<'a> {
        let spans = self.spans.iter().skip(self.place);
        spans.step_by(self.width.max(1))
    }
}

/// What all cells of a source are held against.
pub(super) struct Limits {
    /// Whether the empty cell is null.
    pub(super) empty_is_null: bool,
    /// Other cells that are null.
    pub(super) null: Vec<Vec<u8>>,
    /// The sign of quotes within which no cell is null, if that is so.
    pub(super) quoted_is_text: Option<u8>,
    /// Whether records may lack fields, which are null.
    pub(super) padded: bool,
    pub(super) max_field: usize,
}

impl Limits {
    #[inline]
    fn is_null(&self, cell: &[u8]) -> bool {
        if cell.is_empty() {
            return self.empty_is_null;
        }
        !self.null.is_empty() && self.null.iter().any(|token| token == cell)
    }

    /// Whether null depends on more than what a cell holds.
    fn looks_at_places(&self) -> bool {
        self.quoted_is_text.is_some() || self.padded
    }

    fn is_null_at(&self, span: Span, bytes: &[u8]) -> bool {
        span == Span::MISSING
            || !span.is_quoted(bytes, self.quoted_is_text) && self.is_null(span.of(bytes))
    }
}

/// What is known of a chunk's bytes as a whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// All of them are UTF-8, none is NUL, and no cell can be too long.
    pub(super) harmless: bool,
}

/// Builds one column.
pub(super) struct Column<'a> {
    pub(super) cells: Cells<'a>,
    pub(super) nullable: bool,
    /// How its text is spelled, where that is not as we spell its type.
    pub(super) spelling: Option<Spelling<'a>>,
    pub(super) limits: &'a Limits,
    pub(super) known: Known,
}

impl Column<'_> {
    /// The column, and what is wrong with it, in the order of its rows.
    pub(super) fn build(
        &self,
        data_type: DataType,
        flawed: &mut Vec<Flawed>,
    ) -> Result<ArrayRef, ArrowError> {
        if let Some(spelling) = self.spelling {
            return self.spelled(spelling, data_type, flawed);
        }
        Ok(match data_type {
            DataType::Text => self.text(flawed)?,
            DataType::Bytes => self.binary(flawed)?,
            DataType::Opaque => {
                let problem = "a file has no opaque columns".into();
                return Err(ArrowError::InvalidArgumentError(problem));
            }
            DataType::Boolean => self.boolean(flawed, cells::boolean),
            DataType::Int64 => Arc::new(self.primitive::<Int64Type>(flawed, cells::int64)),
            DataType::Float64 => Arc::new(self.primitive::<Float64Type>(flawed, cells::float64)),
            DataType::Date => Arc::new(self.primitive::<Date32Type>(flawed, cells::date)),
            DataType::Timestamp => Arc::new(
                self.primitive::<TimestampMicrosecondType>(flawed, cells::timestamp)
                    .with_timezone("UTC"),
            ),
            DataType::Decimal { precision, scale } => {
                let parse = |cell: &[u8]| cells::decimal(cell, precision, scale);
                let scale = i8::try_from(scale).unwrap_or(i8::MAX);
                Arc::new(
                    self.primitive::<Decimal128Type>(flawed, parse)
                        .with_precision_and_scale(precision, scale)?,
                )
            }
        })
    }

    /// The same, as an operator has said; text and bytes have one spelling only.
    fn spelled(
        &self,
        spelling: Spelling<'_>,
        data_type: DataType,
        flawed: &mut Vec<Flawed>,
    ) -> Result<ArrayRef, ArrowError> {
        Ok(match data_type {
            DataType::Boolean => self.boolean(flawed, |cell| spelling.boolean(cell)),
            DataType::Int64 => {
                Arc::new(self.primitive::<Int64Type>(flawed, |cell| spelling.int64(cell)))
            }
            DataType::Float64 => {
                Arc::new(self.primitive::<Float64Type>(flawed, |cell| spelling.float64(cell)))
            }
            DataType::Date => {
                Arc::new(self.primitive::<Date32Type>(flawed, |cell| spelling.date(cell)))
            }
            DataType::Timestamp => Arc::new(
                self.primitive::<TimestampMicrosecondType>(flawed, |cell| {
                    spelling.timestamp(cell, false)
                })
                .with_timezone("UTC"),
            ),
            DataType::Decimal { precision, scale } => {
                let parse = |cell: &[u8]| spelling.decimal(cell, precision, scale);
                let scale = i8::try_from(scale).unwrap_or(i8::MAX);
                Arc::new(
                    self.primitive::<Decimal128Type>(flawed, parse)
                        .with_precision_and_scale(precision, scale)?,
                )
            }
            DataType::Text | DataType::Bytes | DataType::Opaque => {
                let problem = "text, bytes and opaque columns have no formats".into();
                return Err(ArrowError::InvalidArgumentError(problem));
            }
        })
    }

    /// Gives each cell to `take`, which says whether it could be used; nulls and flaws are `None`
    /// to it.
    #[inline]
    fn each(
        &self,
        flawed: &mut Vec<Flawed>,
        mut take: impl FnMut(Option<&[u8]>) -> Result<(), Flaw>,
    ) {
        let places = self.limits.looks_at_places();
        let mut spans = self.cells.spans();
        for (row, cell) in self.cells.iter().enumerate() {
            let null = match places.then(|| spans.next()).flatten() {
                None => self.limits.is_null(cell),
                Some(span) => self.limits.is_null_at(*span, self.cells.bytes),
            };
            let found = if null {
                let taken = take(None);
                if self.nullable {
                    taken
                } else {
                    Err(Flaw::Null)
                }
            } else if !self.known.harmless && cell.len() > self.limits.max_field {
                take(None).and(Err(Flaw::TooLong))
            } else {
                take(Some(cell)).inspect_err(|_| {
                    // The cell's place in the column must be filled all the same.
                    let _ = take(None);
                })
            };
            if let Err(flaw) = found {
                flawed.push(Flawed { row, flaw });
            }
        }
    }

    fn primitive<T: ArrowPrimitiveType>(
        &self,
        flawed: &mut Vec<Flawed>,
        parse: impl Fn(&[u8]) -> Option<T::Native>,
    ) -> PrimitiveArray<T> {
        let rows = self.cells.iter().len();
        let mut values = Vec::with_capacity(rows);
        let mut nulls = NullBufferBuilder::new(rows);
        self.each(flawed, |cell| {
            match cell {
                None => {
                    values.push(T::Native::default());
                    nulls.append_null();
                }
                Some(cell) => {
                    values.push(parse(cell).ok_or_else(|| not_of_type(cell))?);
                    nulls.append_non_null();
                }
            }
            Ok(())
        });
        PrimitiveArray::new(ScalarBuffer::from(values), nulls.finish())
    }

    fn boolean(&self, flawed: &mut Vec<Flawed>, parse: impl Fn(&[u8]) -> Option<bool>) -> ArrayRef {
        let rows = self.cells.iter().len();
        let mut values = BooleanBufferBuilder::new(rows);
        let mut nulls = NullBufferBuilder::new(rows);
        self.each(flawed, |cell| {
            match cell {
                None => {
                    values.append(false);
                    nulls.append_null();
                }
                Some(cell) => {
                    values.append(parse(cell).ok_or_else(|| not_of_type(cell))?);
                    nulls.append_non_null();
                }
            }
            Ok(())
        });
        Arc::new(BooleanArray::new(values.finish(), nulls.finish()))
    }

    fn text(&self, flawed: &mut Vec<Flawed>) -> Result<ArrayRef, ArrowError> {
        let harmless = self.known.harmless;
        let (offsets, values, nulls) = self.variable(flawed, |cell, values| {
            if !harmless {
                if std::str::from_utf8(cell).is_err() {
                    return Err(Flaw::Utf8);
                }
                if memchr::memchr(0, cell).is_some() {
                    return Err(Flaw::Nul);
                }
            }
            values.extend_from_slice(cell);
            Ok(())
        });
        let array = StringArray::try_new(offsets, values.into(), nulls.finish_cloned())?;
        Ok(Arc::new(array))
    }

    fn binary(&self, flawed: &mut Vec<Flawed>) -> Result<ArrayRef, ArrowError> {
        let (offsets, values, nulls) = self.variable(flawed, |cell, values| {
            cells::bytes(cell, values).ok_or_else(|| not_of_type(cell))
        });
        let array = BinaryArray::try_new(offsets, values.into(), nulls.finish_cloned())?;
        Ok(Arc::new(array))
    }

    fn variable(
        &self,
        flawed: &mut Vec<Flawed>,
        append: impl Fn(&[u8], &mut Vec<u8>) -> Result<(), Flaw>,
    ) -> (OffsetBuffer<i32>, Vec<u8>, NullBufferBuilder) {
        let rows = self.cells.iter().len();
        let bytes = self.cells.iter().map(<[u8]>::len).sum();
        let mut values = Vec::with_capacity(bytes);
        let mut offsets = Vec::with_capacity(rows + 1);
        let mut nulls = NullBufferBuilder::new(rows);
        offsets.push(0i32);
        self.each(flawed, |cell| {
            match cell {
                None => nulls.append_null(),
                Some(cell) => {
                    append(cell, &mut values)?;
                    nulls.append_non_null();
                }
            }
            // Chunks are kept far below 2 GiB by `Options::check`.
            offsets.push(i32::try_from(values.len()).unwrap_or(i32::MAX));
            Ok(())
        });
        (OffsetBuffer::new(offsets.into()), values, nulls)
    }
}

fn not_of_type(cell: &[u8]) -> Flaw {
    if std::str::from_utf8(cell).is_err() {
        Flaw::Utf8
    } else {
        Flaw::Type
    }
}
