//! Reads a column returned by a plugin as an Arrow array, after checking every length, offset,
//! bitmap and UTF-8 byte.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    StringArray, TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use glovebox_core::{DataType, Fault, Field};

use super::bindings::glovebox::plugin::columns as wit;
use crate::fault::During;

pub(super) fn fields(
    fields: Vec<wit::FieldResult>,
    during: &During<'_>,
) -> Result<Vec<Field>, Fault> {
    fields
        .into_iter()
        .map(super::lift_field)
        .map(|field| match field.data_type {
            DataType::Decimal { precision, scale }
                if !(1..=38).contains(&precision) || scale > precision =>
            {
                Err(during.breach("it announced a decimal whose precision is not 1 to 38 or whose scale is larger"))
            }
            _ => Ok(field),
        })
        .collect()
}

/// The column as an Arrow array of `rows` rows and of `field`'s type.
pub(super) fn column(
    column: wit::ColumnResult,
    field: &Field,
    rows: usize,
    during: &During<'_>,
) -> Result<ArrayRef, Fault> {
    let name = &field.name;
    let nulls = column
        .validity
        .map(|bits| bitmap(bits, rows, "validity", during))
        .transpose()?
        .map(NullBuffer::new)
        .filter(|nulls| nulls.null_count() > 0);
    if nulls.is_some() && !field.nullable {
        return Err(during.breach(format_args!(
            "column `{name}` has nulls, but it had announced none"
        )));
    }
    let counted = |found: usize| counted(found, rows, name, during);
    Ok(match (column.values, field.data_type) {
        (wit::ValuesResult::Boolean(bits), DataType::Boolean) => {
            Arc::new(BooleanArray::new(bitmap(bits, rows, name, during)?, nulls))
        }
        (wit::ValuesResult::Int64(v), DataType::Int64) => {
            counted(v.len())?;
            Arc::new(Int64Array::new(v.into(), nulls))
        }
        (wit::ValuesResult::Float64(v), DataType::Float64) => {
            counted(v.len())?;
            Arc::new(Float64Array::new(v.into(), nulls))
        }
        (wit::ValuesResult::Date(v), DataType::Date) => {
            counted(v.len())?;
            Arc::new(Date32Array::new(v.into(), nulls))
        }
        (wit::ValuesResult::Timestamp(v), DataType::Timestamp) => {
            counted(v.len())?;
            Arc::new(TimestampMicrosecondArray::new(v.into(), nulls).with_timezone("UTC"))
        }
        (wit::ValuesResult::Decimal(words), DataType::Decimal { precision, scale }) => {
            if words.len() % 2 != 0 {
                return Err(during.breach(format_args!("column `{name}` has half a decimal")));
            }
            counted(words.len() / 2)?;
            Arc::new(decimals(&words, nulls, (precision, scale), name, during)?)
        }
        (wit::ValuesResult::Text(text), DataType::Text) => {
            let (offsets, data) = variable(text, rows, name, during)?;
            Arc::new(StringArray::try_new(offsets, data, nulls).map_err(|_| {
                during.breach(format_args!("column `{name}` has text that is not UTF-8"))
            })?)
        }
        (wit::ValuesResult::Bytes(bytes), DataType::Bytes) => {
            let (offsets, data) = variable(bytes, rows, name, during)?;
            Arc::new(
                BinaryArray::try_new(offsets, data, nulls)
                    .map_err(|_| during.breach(format_args!("column `{name}` has bad offsets")))?,
            )
        }
        (found, announced) => {
            return Err(during.breach(format_args!(
                "column `{name}` came back as {}, but it had announced {announced}",
                kind(&found)
            )));
        }
    })
}

fn counted(found: usize, rows: usize, name: &str, during: &During<'_>) -> Result<(), Fault> {
    if found == rows {
        return Ok(());
    }
    let found = too(found, rows);
    let fault = format_args!("column `{name}` has {found} values for {rows} rows");
    Err(during.breach(fault))
}

/// Decimals of two words each, the lower first.
fn decimals(
    words: &[u64],
    nulls: Option<NullBuffer>,
    (precision, scale): (u8, u8),
    name: &str,
    during: &During<'_>,
) -> Result<Decimal128Array, Fault> {
    let values: Vec<i128> = words
        .chunks_exact(2)
        .map(|pair| match pair {
            [low, high] => (u128::from(*high) << 64 | u128::from(*low)).cast_signed(),
            _ => 0,
        })
        .collect();
    let array = Decimal128Array::new(values.into(), nulls)
        .with_precision_and_scale(precision, i8::try_from(scale).unwrap_or(i8::MAX))
        .map_err(|_| during.breach(format_args!("column `{name}` has a bad decimal type")))?;
    array.validate_decimal_precision(precision).map_err(|_| {
        during.breach(format_args!(
            "column `{name}` has a decimal of more than {precision} digits"
        ))
    })?;
    Ok(array)
}

/// A bitmap of exactly as many bytes as `rows` bits need.
pub(super) fn bitmap(
    bits: Vec<u8>,
    rows: usize,
    what: &str,
    during: &During<'_>,
) -> Result<BooleanBuffer, Fault> {
    if bits.len() == rows.div_ceil(8) {
        Ok(BooleanBuffer::new(Buffer::from_vec(bits), 0, rows))
    } else {
        Err(during.breach(format_args!(
            "the bitmap of `{what}` has {} bytes for {rows} rows",
            too(bits.len(), rows.div_ceil(8))
        )))
    }
}

fn variable(
    values: wit::VariableWidthResult,
    rows: usize,
    name: &str,
    during: &During<'_>,
) -> Result<(OffsetBuffer<i32>, Buffer), Fault> {
    let offsets = values.offsets;
    if offsets.len() != rows + 1 {
        return Err(during.breach(format_args!(
            "column `{name}` has {} offsets for {rows} rows; expected {}",
            too(offsets.len(), rows + 1),
            rows + 1
        )));
    }
    // All are looked at, so that the processor compares several at a time.
    let falls = |falls, [before, after]: &[i32; 2]| falls | (before > after);
    let rising = !offsets.array_windows().fold(false, falls);
    let starts_at_0 = offsets.first() == Some(&0);
    let ends_with_data = offsets
        .last()
        .is_some_and(|&end| usize::try_from(end) == Ok(values.data.len()));
    if !(rising && starts_at_0 && ends_with_data) {
        return Err(during.breach(format_args!(
            "the offsets of column `{name}` do not start at 0, rise, and end at its data's length"
        )));
    }
    Ok((
        OffsetBuffer::new(ScalarBuffer::from(offsets)),
        Buffer::from_vec(values.data),
    ))
}

/// Says how a number that the guest chose is wrong, and not which it is: a number can be a cell.
fn too(found: usize, due: usize) -> &'static str {
    if found < due { "too few" } else { "too many" }
}

fn kind(values: &wit::ValuesResult) -> &'static str {
    match values {
        wit::ValuesResult::Boolean(_) => "boolean",
        wit::ValuesResult::Int64(_) => "int64",
        wit::ValuesResult::Float64(_) => "float64",
        wit::ValuesResult::Decimal(_) => "decimal",
        wit::ValuesResult::Text(_) => "text",
        wit::ValuesResult::Bytes(_) => "bytes",
        wit::ValuesResult::Date(_) => "date",
        wit::ValuesResult::Timestamp(_) => "timestamp",
    }
}
