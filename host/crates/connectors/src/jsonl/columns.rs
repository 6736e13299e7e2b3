//! Columns of Arrow from the values of many objects, a column at a time.
//!
//! Owns which flaw a value has; refuses to let one into a batch: its place is null until its row is
//! taken out.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, BooleanBuilder, PrimitiveBuilder, StringBuilder};
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float64Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow_array::{ArrayRef, PrimitiveArray};
use arrow_schema::ArrowError;
use glovebox_core::{DataType, Field};

use super::cells;
use super::objects::Value;
use crate::csv::cells as spelled;
use crate::rows::{Flaw, Flawed};

/// The values of one column: every `width`-th from `place` on.
pub(super) struct Column<'a> {
    pub(super) values: &'a [Value<'a>],
    pub(super) width: usize,
    pub(super) place: usize,
}

impl<'a> Column<'a> {
    fn iter(&self) -> impl ExactSizeIterator<Item = Value<'a>> + use<'a> {
        let values = self.values.iter().skip(self.place);
        values.step_by(self.width.max(1)).copied()
    }

    fn bytes(&self) -> usize {
        let len = |v| match v {
            Value::Raw(raw) => raw.len(),
            _ => 0,
        };
        self.iter().map(len).sum()
    }

    /// The column, and what is wrong with it, in the order of its rows.
    pub(super) fn build(
        &self,
        field: &Field,
        flawed: &mut Vec<Flawed>,
    ) -> Result<ArrayRef, ArrowError> {
        let nullable = field.nullable;
        Ok(match field.data_type {
            DataType::Text => self.text(nullable, flawed),
            DataType::Bytes => self.binary(nullable, flawed),
            DataType::Opaque => {
                let problem = "a file has no opaque columns".into();
                return Err(ArrowError::InvalidArgumentError(problem));
            }
            DataType::Boolean => self.boolean(nullable, flawed),
            DataType::Int64 => {
                Arc::new(self.primitive::<Int64Type>(nullable, flawed, cells::int64))
            }
            DataType::Float64 => {
                Arc::new(self.primitive::<Float64Type>(nullable, flawed, spelled::float64))
            }
            DataType::Date => {
                Arc::new(self.primitive::<Date32Type>(nullable, flawed, spelled::date))
            }
            DataType::Timestamp => Arc::new(
                self.primitive::<TimestampMicrosecondType>(nullable, flawed, spelled::timestamp)
                    .with_timezone("UTC"),
            ),
            DataType::Decimal { precision, scale } => {
                let parse = |cell: &[u8]| cells::decimal(cell, precision, scale);
                let scale = i8::try_from(scale).unwrap_or(i8::MAX);
                Arc::new(
                    self.primitive::<Decimal128Type>(nullable, flawed, parse)
                        .with_precision_and_scale(precision, scale)?,
                )
            }
        })
    }

    /// Gives each value to `take`, nulls and flaws as `None`; what it refuses is a flaw.
    #[inline]
    fn each(
        &self,
        nullable: bool,
        flawed: &mut Vec<Flawed>,
        mut take: impl FnMut(Option<&'a str>) -> Result<(), Flaw>,
    ) {
        for (row, value) in self.iter().enumerate() {
            let found = match value {
                Value::Raw(raw) => take(Some(raw)).inspect_err(|_| {
                    // The value's place in the column must be filled all the same.
                    let _ = take(None);
                }),
                Value::Null if nullable => take(None),
                Value::Null => take(None).and(Err(Flaw::Null)),
                Value::Twice => take(None).and(Err(Flaw::Twice)),
            };
            if let Err(flaw) = found {
                flawed.push(Flawed { row, flaw });
            }
        }
    }

    fn primitive<T: ArrowPrimitiveType>(
        &self,
        nullable: bool,
        flawed: &mut Vec<Flawed>,
        parse: impl Fn(&[u8]) -> Option<T::Native>,
    ) -> PrimitiveArray<T> {
        let mut built = PrimitiveBuilder::<T>::with_capacity(self.iter().len());
        self.each(nullable, flawed, |raw| {
            match raw {
                None => built.append_null(),
                Some(raw) => {
                    let cell = cells::scalar(raw)?;
                    built.append_value(parse(cell.as_bytes()).ok_or(Flaw::Type)?);
                }
            }
            Ok(())
        });
        built.finish()
    }

    fn boolean(&self, nullable: bool, flawed: &mut Vec<Flawed>) -> ArrayRef {
        let mut built = BooleanBuilder::with_capacity(self.iter().len());
        self.each(nullable, flawed, |raw| {
            match raw {
                None => built.append_null(),
                Some(raw) => {
                    let cell = cells::scalar(raw)?;
                    built.append_value(spelled::boolean(cell.as_bytes()).ok_or(Flaw::Type)?);
                }
            }
            Ok(())
        });
        Arc::new(built.finish())
    }

    fn text(&self, nullable: bool, flawed: &mut Vec<Flawed>) -> ArrayRef {
        let mut built = StringBuilder::with_capacity(self.iter().len(), self.bytes());
        self.each(nullable, flawed, |raw| {
            match raw {
                None => built.append_null(),
                Some(raw) => built.append_value(cells::text(raw)?),
            }
            Ok(())
        });
        Arc::new(built.finish())
    }

    fn binary(&self, nullable: bool, flawed: &mut Vec<Flawed>) -> ArrayRef {
        let mut built = BinaryBuilder::with_capacity(self.iter().len(), self.bytes() / 2);
        let mut bytes = Vec::new();
        self.each(nullable, flawed, |raw| {
            match raw {
                None => built.append_null(),
                Some(raw) => {
                    let cell = cells::scalar(raw)?;
                    bytes.clear();
                    spelled::bytes(cell.as_bytes(), &mut bytes).ok_or(Flaw::Type)?;
                    built.append_value(&bytes);
                }
            }
            Ok(())
        });
        Arc::new(built.finish())
    }
}
