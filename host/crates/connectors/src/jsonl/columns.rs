//! Columns of Arrow from the values of many objects, a column at a time.
//! A cell that does not parse is null until its row is removed, so it never enters a batch.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, BooleanBuilder, PrimitiveBuilder, StringBuilder};
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float64Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow_array::{ArrayRef, PrimitiveArray};
use arrow_schema::ArrowError;
use glovebox_core::{DataType, Field};

use super::cells::{self, Scalar};
use super::objects::Value;
use crate::csv::cells as spelled;
use crate::formats::Spelling;
use crate::rows::{Flaw, Flawed};

/// The values of one column: every `width`-th from `place` on.
pub(super) struct Column<'a> {
    pub(super) values: &'a [Value<'a>],
    pub(super) width: usize,
    pub(super) place: usize,
    /// How its text is spelled, where that is not as we spell its type.
    pub(super) spelling: Option<Spelling<'a>>,
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
            DataType::Int64 => Arc::new(self.primitive::<Int64Type>(nullable, flawed, |scalar| {
                match self.text_spelling(scalar) {
                    Some(spelling) => spelling.int64(scalar.bytes()),
                    None => cells::int64(scalar.bytes()),
                }
            })),
            DataType::Float64 => {
                Arc::new(self.primitive::<Float64Type>(nullable, flawed, |scalar| {
                    match self.text_spelling(scalar) {
                        Some(spelling) => spelling.float64(scalar.bytes()),
                        None => spelled::float64(scalar.bytes()),
                    }
                }))
            }
            DataType::Decimal { precision, scale } => {
                let parse = |scalar: &Scalar<'_>| match self.text_spelling(scalar) {
                    Some(spelling) => spelling.decimal(scalar.bytes(), precision, scale),
                    None => cells::decimal(scalar.bytes(), precision, scale),
                };
                let built = self.primitive::<Decimal128Type>(nullable, flawed, parse);
                let scale = i8::try_from(scale).unwrap_or(i8::MAX);
                Arc::new(built.with_precision_and_scale(precision, scale)?)
            }
            // What counts from 1970 may be one of JSON's numbers too.
            DataType::Date => {
                Arc::new(self.primitive::<Date32Type>(
                    nullable,
                    flawed,
                    |scalar| match self.spelling {
                        Some(spelling) => spelling.date(scalar.bytes()),
                        None => spelled::date(scalar.bytes()),
                    },
                ))
            }
            DataType::Timestamp => {
                let parse = |scalar: &Scalar<'_>| match self.spelling {
                    Some(spelling) => spelling.timestamp(scalar.bytes(), !scalar.is_text),
                    None => spelled::timestamp(scalar.bytes()),
                };
                let built = self.primitive::<TimestampMicrosecondType>(nullable, flawed, parse);
                Arc::new(built.with_timezone("UTC"))
            }
        })
    }

    /// Strings are read as an operator has said; JSON's own numbers and words as JSON has them.
    fn text_spelling(&self, scalar: &Scalar<'_>) -> Option<Spelling<'a>> {
        self.spelling.filter(|_| scalar.is_text)
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
                Value::Null | Value::Absent if nullable => take(None),
                Value::Null | Value::Absent => take(None).and(Err(Flaw::Null)),
                Value::Twice => take(None).and(Err(Flaw::Twice)),
                Value::Misplaced => take(None).and(Err(Flaw::Type)),
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
        parse: impl Fn(&Scalar<'_>) -> Option<T::Native>,
    ) -> PrimitiveArray<T> {
        let mut built = PrimitiveBuilder::<T>::with_capacity(self.iter().len());
        self.each(nullable, flawed, |raw| {
            match raw {
                None => built.append_null(),
                Some(raw) => {
                    let scalar = cells::scalar(raw)?;
                    built.append_value(parse(&scalar).ok_or(Flaw::Type)?);
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
                    let scalar = cells::scalar(raw)?;
                    let value = match self.text_spelling(&scalar) {
                        Some(spelling) => spelling.boolean(scalar.bytes()),
                        None => spelled::boolean(scalar.bytes()),
                    };
                    built.append_value(value.ok_or(Flaw::Type)?);
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
                    let scalar = cells::scalar(raw)?;
                    bytes.clear();
                    spelled::bytes(scalar.bytes(), &mut bytes).ok_or(Flaw::Type)?;
                    built.append_value(&bytes);
                }
            }
            Ok(())
        });
        Arc::new(built.finish())
    }
}
