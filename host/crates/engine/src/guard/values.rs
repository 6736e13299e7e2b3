//! Compares a raw column with its mask, of any types: the rows in which they are equal.
//! Nulls and empty cells are ignored, since they reveal nothing.

use std::fmt::Write as _;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, BinaryArray, StringArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType as ArrowType};
use memchr::memmem;

use super::text::Search;

/// Bytes that are not text are found within others from this length on.
const SHORTEST: usize = 4;

/// The rows whose mask holds the raw cell; `constant` is a mask that holds none.
pub(super) fn same_rows(
    raw: &ArrayRef,
    mask: &ArrayRef,
    constant: Option<&str>,
) -> Result<Vec<u32>, ArrowError> {
    use ArrowType as T;
    if raw.data_type() != mask.data_type() {
        return of_other_types(raw, mask, constant);
    }
    Ok(match raw.data_type() {
        T::Utf8 => texts(raw.as_string(), mask.as_string(), constant),
        T::Binary => bytes(raw.as_binary(), mask.as_binary()),
        T::Int64 => equal::<Int64Type>(raw, mask),
        // Not a number is one value among others here.
        T::Float64 => rows(raw, mask, |row| {
            let raw = raw.as_primitive::<Float64Type>().value(row);
            let mask = mask.as_primitive::<Float64Type>().value(row);
            raw == mask || (raw.is_nan() && mask.is_nan())
        }),
        T::Decimal128(..) => equal::<Decimal128Type>(raw, mask),
        T::Date32 => equal::<Date32Type>(raw, mask),
        T::Timestamp(..) => equal::<TimestampMicrosecondType>(raw, mask),
        T::Boolean => rows(raw, mask, |row| {
            raw.as_boolean().value(row) == mask.as_boolean().value(row)
        }),
        _ => return of_other_types(raw, mask, constant),
    })
}

/// The rows in which both have a cell and `same` is true.
fn rows(raw: &dyn Array, mask: &dyn Array, mut same: impl FnMut(usize) -> bool) -> Vec<u32> {
    (0..raw.len().min(mask.len()))
        .filter(|&row| raw.is_valid(row) && mask.is_valid(row) && same(row))
        .filter_map(|row| u32::try_from(row).ok())
        .collect()
}

fn equal<T: ArrowPrimitiveType>(raw: &ArrayRef, mask: &ArrayRef) -> Vec<u32> {
    let (raw, mask) = (raw.as_primitive::<T>(), mask.as_primitive::<T>());
    rows(raw, mask, |row| raw.value(row) == mask.value(row))
}

fn texts(raw: &StringArray, mask: &StringArray, constant: Option<&str>) -> Vec<u32> {
    let mut search = Search::default();
    match constant {
        Some(constant) => rows(raw, mask, |row| {
            let mask = mask.value(row);
            mask != constant && search.finds(raw.value(row), mask)
        }),
        None => rows(raw, mask, |row| {
            search.finds(raw.value(row), mask.value(row))
        }),
    }
}

fn bytes(raw: &BinaryArray, mask: &BinaryArray) -> Vec<u32> {
    let mut search = Search::default();
    rows(raw, mask, |row| {
        holds(raw.value(row), mask.value(row), &mut search)
    })
}

fn holds(raw: &[u8], mask: &[u8], search: &mut Search) -> bool {
    if raw.is_empty() {
        return false;
    }
    let is_text = std::str::from_utf8(raw).ok();
    raw == mask
        || (raw.len() >= SHORTEST && memmem::find(mask, raw).is_some())
        || is_text.is_some_and(|raw| search.finds(raw, &String::from_utf8_lossy(mask)))
}

/// Columns of two types: numbers are compared as numbers, all else by their text.
fn of_other_types(
    raw: &ArrayRef,
    mask: &ArrayRef,
    constant: Option<&str>,
) -> Result<Vec<u32>, ArrowError> {
    let numbers = is_number(raw.data_type()) && is_number(mask.data_type());
    let (raw_forms, mask_forms) = (Forms::of(raw)?, Forms::of(mask)?);
    let mut search = Search::default();
    let number = |raw: &str, mask: &str| match (raw.parse::<f64>(), mask.parse::<f64>()) {
        (Ok(raw), Ok(mask)) => raw == mask,
        _ => false,
    };
    Ok(rows(raw, mask, |row| {
        let mut found = false;
        mask_forms.each(row, &mut |mask| {
            if constant != Some(mask) {
                raw_forms.each(row, &mut |raw| {
                    found |= match numbers {
                        true => number(raw, mask),
                        false => search.finds(raw, mask),
                    };
                });
            }
        });
        found
    }))
}

fn is_number(data_type: &ArrowType) -> bool {
    matches!(
        data_type,
        ArrowType::Int64 | ArrowType::Float64 | ArrowType::Decimal128(..)
    )
}

/// The texts in which the cells of a column can be written.
pub(super) struct Forms<'a> {
    column: &'a ArrayRef,
    /// None for timestamps, whose time zone it would have to look up.
    plain: Option<ArrayFormatter<'a>>,
}

impl<'a> Forms<'a> {
    pub(super) fn of(column: &'a ArrayRef) -> Result<Self, ArrowError> {
        const OPTIONS: FormatOptions<'_> = FormatOptions::new();
        let plain = match column.data_type() {
            ArrowType::Timestamp(..) => None,
            _ => Some(ArrayFormatter::try_new(column.as_ref(), &OPTIONS)?),
        };
        Ok(Forms { column, plain })
    }

    /// Each form of a cell that is not null. A cell that cannot be written cannot be found either.
    pub(super) fn each(&self, row: usize, form: &mut dyn FnMut(&str)) {
        if let Some(text) = self.column.as_string_opt::<i32>() {
            return form(text.value(row));
        }
        if let Some(bytes) = self.column.as_binary_opt::<i32>()
            && let Ok(text) = std::str::from_utf8(bytes.value(row))
        {
            form(text);
        }
        let mut text = String::new();
        match &self.plain {
            Some(plain) => {
                if write!(text, "{}", plain.value(row)).is_ok() {
                    form(&text);
                }
            }
            None => {
                let times = self.column.as_primitive_opt::<TimestampMicrosecondType>();
                if let Some(time) = times.and_then(|t| t.value_as_datetime(row)) {
                    // As RFC 3339 has it, and as databases write it.
                    form(&format!("{time:?}Z"));
                    form(&time.to_string());
                }
            }
        }
    }
}
