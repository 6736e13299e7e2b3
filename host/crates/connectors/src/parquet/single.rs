//! Converts columns of single values to the contract's types.

use std::fmt::Write;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray, StringArray, new_null_array};
use arrow_schema::{ArrowError, DataType as ArrowType, Field as ArrowField, TimeUnit};
use glovebox_core::{DataType, Field};

use super::marks::Mark;
use crate::rows::{Flaw, Flawed};

/// Why a column cannot be converted.
#[derive(Debug)]
pub(super) enum Trouble {
    /// More text than a batch may have.
    TooMuch,
    /// It is not what its type says.
    Arrow,
}

impl From<ArrowError> for Trouble {
    fn from(_: ArrowError) -> Self {
        // Arrow's own words may quote a value.
        Trouble::Arrow
    }
}

/// The type that single values of a column have; none if they have none of ours.
pub(super) fn natural(found: &ArrowField) -> Option<DataType> {
    use ArrowType as A;
    Some(match found.data_type() {
        A::Boolean => DataType::Boolean,
        A::Int8 | A::Int16 | A::Int32 | A::Int64 => DataType::Int64,
        A::UInt8 | A::UInt16 | A::UInt32 | A::UInt64 => DataType::Int64,
        A::Float16 | A::Float32 | A::Float64 => DataType::Float64,
        A::Decimal128(precision, scale) => {
            let scale = u8::try_from(*scale).unwrap_or(0);
            let precision = (*precision).clamp(scale.max(1), 38);
            DataType::Decimal { precision, scale }
        }
        A::Null | A::Utf8 | A::LargeUtf8 => DataType::Text,
        A::Decimal256(..) | A::Time32(_) | A::Time64(_) => DataType::Text,
        A::FixedSizeBinary(12) if Mark::of(found) == Some(Mark::Int96) => DataType::Timestamp,
        A::Binary | A::LargeBinary | A::FixedSizeBinary(_) => DataType::Bytes,
        A::Date32 => DataType::Date,
        A::Timestamp(..) => DataType::Timestamp,
        _ => return None,
    })
}

/// A column of single values in our type, and what is wrong with it, in the order of its rows.
pub(super) fn convert(
    column: &ArrayRef,
    field: &Field,
    flawed: &mut Vec<Flawed>,
) -> Result<ArrayRef, Trouble> {
    let ours = field.data_type.to_arrow();
    let converted: ArrayRef = match (column.data_type(), field.data_type) {
        (ArrowType::Null, _) => new_null_array(&ours, column.len()),
        (ArrowType::FixedSizeBinary(12), DataType::Timestamp) => {
            let values = column.as_fixed_size_binary();
            let times = values.iter().map(|v| v.map(int96));
            let times = kept(times, flawed).collect::<PrimitiveArray<TimestampMicrosecondType>>();
            Arc::new(times.with_timezone("UTC"))
        }
        (ArrowType::FixedSizeBinary(16), DataType::Text) => {
            let values = column.as_fixed_size_binary().iter();
            Arc::new(values.map(|v| v.map(uuid)).collect::<StringArray>())
        }
        (ArrowType::Time32(_) | ArrowType::Time64(_), DataType::Text) => {
            Arc::new(times_of_day(column, flawed)?)
        }
        (ArrowType::UInt64, _) => {
            let values = column.as_primitive::<UInt64Type>();
            let whole = |v| i64::try_from(v).ok();
            Arc::new(each::<_, Int64Type>(values, flawed, whole))
        }
        (
            ArrowType::Decimal128(_, scale),
            DataType::Decimal {
                precision,
                scale: to,
            },
        ) => {
            let values = column.as_primitive::<Decimal128Type>();
            let from = u32::try_from(*scale).unwrap_or(0);
            let rescaled = |v| rescale(v, from, u32::from(to), u32::from(precision));
            let to = i8::try_from(to).unwrap_or(i8::MAX);
            let built = each::<_, Decimal128Type>(values, flawed, rescaled);
            Arc::new(built.with_precision_and_scale(precision, to)?)
        }
        (ArrowType::Timestamp(unit, _), _) => Arc::new(micros(column, *unit, flawed)),
        (ArrowType::Binary | ArrowType::LargeBinary, DataType::Text) => {
            let bytes = arrow_cast::cast(column, &ArrowType::Binary)?;
            Arc::new(text_of(&bytes, flawed))
        }
        _ => arrow_cast::cast(column, &ours)?,
    };
    judge(column, &converted, field, flawed);
    Ok(converted)
}

/// Finds what no column may hold: NUL in text, and nulls of the file where there are to be none.
pub(super) fn judge(
    column: &ArrayRef,
    converted: &ArrayRef,
    field: &Field,
    flawed: &mut Vec<Flawed>,
) {
    if field.data_type == DataType::Text {
        nuls(converted.as_string(), flawed);
    }
    if !field.nullable && converted.null_count() > 0 {
        let nulls = (0..column.len()).filter(|row| column.is_null(*row));
        let flaw = Flaw::Null;
        flawed.extend(nulls.map(|row| Flawed { row, flaw }));
    }
}

/// What is there and cannot be converted is a flaw, and null until its row is taken out.
fn kept<T>(
    values: impl Iterator<Item = Option<Option<T>>>,
    flawed: &mut Vec<Flawed>,
) -> impl Iterator<Item = Option<T>> {
    values.enumerate().map(|(row, value)| {
        if matches!(value, Some(None)) {
            let flaw = Flaw::Type;
            flawed.push(Flawed { row, flaw });
        }
        value.flatten()
    })
}

/// Microseconds since 1970 of what Impala, Hive and older Sparks write: nanoseconds of the day and
/// the Julian day, in any year and exactly.
fn int96(value: &[u8]) -> Option<i64> {
    /// The Julian day of 1970-01-01.
    const EPOCH: i128 = 2_440_588;
    let (nanos, day) = value.split_first_chunk::<8>()?;
    let nanos = i128::from(i64::from_le_bytes(*nanos));
    let day = i128::from(i32::from_le_bytes(day.try_into().ok()?));
    let since = (day - EPOCH) * 86_400_000_000_000 + nanos;
    (since % 1000 == 0).then_some(())?;
    i64::try_from(since / 1000).ok()
}

/// `8-4-4-4-12` in hexadecimal.
fn uuid(value: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (i, byte) in value.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// `hh:mm:ss`, and a fraction without zeros at its end, as PostgreSQL writes it.
fn times_of_day(column: &ArrayRef, flawed: &mut Vec<Flawed>) -> Result<StringArray, ArrowError> {
    let a_second = match column.data_type() {
        ArrowType::Time32(TimeUnit::Second) => 1,
        ArrowType::Time32(_) => 1_000,
        ArrowType::Time64(TimeUnit::Microsecond) => 1_000_000,
        _ => 1_000_000_000,
    };
    let values = match column.data_type() {
        // As they are stored.
        ArrowType::Time32(_) => arrow_cast::cast(column, &ArrowType::Int32)?,
        _ => arrow_cast::cast(column, &ArrowType::Int64)?,
    };
    let values = arrow_cast::cast(&values, &ArrowType::Int64)?;
    let text = |value: i64| {
        let (second, fraction) = (value.div_euclid(a_second), value.rem_euclid(a_second));
        (0..86_400).contains(&second).then_some(())?;
        let (minutes, seconds) = (second / 60, second % 60);
        let mut text = format!("{:02}:{:02}:{seconds:02}", minutes / 60, minutes % 60);
        if fraction > 0 {
            let digits = a_second.ilog10() as usize;
            let _ = write!(text, ".{fraction:0digits$}");
            text.truncate(text.trim_end_matches('0').len());
        }
        Some(text)
    };
    let values = values.as_primitive::<Int64Type>();
    let texts = values.iter().map(|v| v.map(text));
    Ok(kept(texts, flawed).collect())
}

/// Each value by `to`; what that refuses is a flaw, and null until its row is taken out.
fn each<A: ArrowPrimitiveType, B: ArrowPrimitiveType>(
    values: &PrimitiveArray<A>,
    flawed: &mut Vec<Flawed>,
    to: impl Fn(A::Native) -> Option<B::Native>,
) -> PrimitiveArray<B> {
    values
        .iter()
        .enumerate()
        .map(|(row, value)| {
            let value = value?;
            let converted = to(value);
            if converted.is_none() {
                let flaw = Flaw::Type;
                flawed.push(Flawed { row, flaw });
            }
            converted
        })
        .collect()
}

/// The same number with another scale, if it has one, within the precision.
fn rescale(value: i128, from: u32, to: u32, precision: u32) -> Option<i128> {
    let rescaled = if to >= from {
        value.checked_mul(10i128.checked_pow(to - from)?)?
    } else {
        let unit = 10i128.checked_pow(from - to)?;
        (value % unit == 0).then_some(value / unit)?
    };
    let bound = 10i128.checked_pow(precision)?;
    (-bound < rescaled && rescaled < bound).then_some(rescaled)
}

fn micros(
    column: &ArrayRef,
    unit: TimeUnit,
    flawed: &mut Vec<Flawed>,
) -> PrimitiveArray<TimestampMicrosecondType> {
    let times = match unit {
        TimeUnit::Second => {
            let values = column.as_primitive::<TimestampSecondType>();
            each(values, flawed, |v: i64| v.checked_mul(1_000_000))
        }
        TimeUnit::Millisecond => {
            let values = column.as_primitive::<TimestampMillisecondType>();
            each(values, flawed, |v: i64| v.checked_mul(1000))
        }
        TimeUnit::Microsecond => column.as_primitive::<TimestampMicrosecondType>().clone(),
        TimeUnit::Nanosecond => {
            let values = column.as_primitive::<TimestampNanosecondType>();
            each(values, flawed, |v: i64| (v % 1000 == 0).then_some(v / 1000))
        }
    };
    times.with_timezone("UTC")
}

fn text_of(bytes: &ArrayRef, flawed: &mut Vec<Flawed>) -> StringArray {
    bytes
        .as_binary::<i32>()
        .iter()
        .enumerate()
        .map(|(row, cell)| {
            let text = std::str::from_utf8(cell?);
            if text.is_err() {
                let flaw = Flaw::Utf8;
                flawed.push(Flawed { row, flaw });
            }
            text.ok()
        })
        .collect()
}

fn nuls(text: &StringArray, flawed: &mut Vec<Flawed>) {
    if memchr::memchr(0, crate::values::text_bytes(text)).is_none() {
        return;
    }
    for (row, cell) in text.iter().enumerate() {
        if cell.is_some_and(|c| memchr::memchr(0, c.as_bytes()).is_some()) {
            let flaw = Flaw::Nul;
            flawed.push(Flawed { row, flaw });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn int96_is_exact_in_any_year() {
        let value = |day: i32, nanos: i64| {
            let bytes = [&nanos.to_le_bytes()[..], &day.to_le_bytes()].concat();
            int96(&bytes)
        };
        assert_eq!(value(2_440_588, 0), Some(0));
        assert_eq!(value(2_440_587, 1_000), Some(1 - 86_400_000_000));
        // 3000-01-01, which nanoseconds since 1970 cannot say.
        assert_eq!(value(2_816_788, 0), Some(32_503_680_000_000_000));
        assert_eq!(value(2_816_788, 232), None);
        assert_eq!(value(i32::MAX, 0), None);
        assert_eq!(value(i32::MIN, 0), None);
    }

    #[test]
    fn a_uuid_has_its_dashes() {
        let bytes: Vec<u8> = (0..16).map(|i| i * 17).collect();
        assert_eq!(uuid(&bytes), "00112233-4455-6677-8899-aabbccddeeff");
    }
}
