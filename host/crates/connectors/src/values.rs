//! The cells of an Arrow column as text, for formats that are text.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{
    Array, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray,
};
use glovebox_core::{DataType, Schema};

use crate::calendar::{write_date, write_timestamp};

/// A column, downcast once for all its cells.
pub(crate) enum Values<'a> {
    Boolean(&'a BooleanArray),
    Int64(&'a Int64Array),
    Float64(&'a Float64Array),
    Decimal(&'a Decimal128Array, usize),
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
    Date(&'a Date32Array),
    Timestamp(&'a TimestampMicrosecondArray),
}

impl<'a> Values<'a> {
    /// The columns of a batch; `None` if it does not have this schema.
    pub(crate) fn of(batch: &'a RecordBatch, schema: &Schema) -> Option<Vec<Values<'a>>> {
        if batch.num_columns() != schema.fields.len() {
            return None;
        }
        let columns = batch.columns().iter();
        columns
            .zip(&schema.fields)
            .map(|(column, field)| Values::column(column.as_ref(), field.data_type))
            .collect()
    }

    /// One column of that type; `None` if it is of another.
    pub(crate) fn column(array: &'a dyn Array, data_type: DataType) -> Option<Values<'a>> {
        Some(match data_type {
            DataType::Boolean => Values::Boolean(array.as_boolean_opt()?),
            DataType::Int64 => Values::Int64(array.as_primitive_opt::<Int64Type>()?),
            DataType::Float64 => Values::Float64(array.as_primitive_opt::<Float64Type>()?),
            DataType::Decimal { .. } => {
                let array = array.as_primitive_opt::<Decimal128Type>()?;
                Values::Decimal(array, usize::try_from(array.scale()).ok()?)
            }
            DataType::Text => Values::Text(array.as_string_opt()?),
            DataType::Bytes => Values::Bytes(array.as_binary_opt()?),
            // Text has no spelling for cells in another system's form.
            DataType::Opaque => return None,
            DataType::Date => Values::Date(array.as_primitive_opt::<Date32Type>()?),
            DataType::Timestamp => {
                Values::Timestamp(array.as_primitive_opt::<TimestampMicrosecondType>()?)
            }
        })
    }

    #[inline]
    pub(crate) fn is_null(&self, row: usize) -> bool {
        match self {
            Values::Boolean(a) => a.is_null(row),
            Values::Int64(a) => a.is_null(row),
            Values::Float64(a) => a.is_null(row),
            Values::Decimal(a, _) => a.is_null(row),
            Values::Text(a) => a.is_null(row),
            Values::Bytes(a) => a.is_null(row),
            Values::Date(a) => a.is_null(row),
            Values::Timestamp(a) => a.is_null(row),
        }
    }

    /// Appends a cell that is not null; text as it is.
    #[inline]
    pub(crate) fn write(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Values::Boolean(a) => {
                out.extend_from_slice(if a.value(row) { b"true" } else { b"false" });
            }
            Values::Int64(a) => {
                out.extend_from_slice(itoa::Buffer::new().format(a.value(row)).as_bytes());
            }
            Values::Float64(a) => write_float(a.value(row), out),
            Values::Decimal(a, scale) => write_decimal(a.value(row), *scale, out),
            Values::Text(a) => out.extend_from_slice(a.value(row).as_bytes()),
            Values::Bytes(a) => write_hex(a.value(row), out),
            Values::Date(a) => write_date(i64::from(a.value(row)), out),
            Values::Timestamp(a) => write_timestamp(a.value(row), out),
        }
    }
}

/// The bytes of all cells of a text column, one behind the other.
pub(crate) fn text_bytes(column: &StringArray) -> &[u8] {
    let offsets = column.value_offsets();
    match (offsets.first(), offsets.last()) {
        (Some(&first), Some(&last)) => column
            .value_data()
            .get(first as usize..last as usize)
            .unwrap_or_default(),
        _ => &[],
    }
}

/// Whether one of `bytes` is as `special` says; written so that it compiles to vector
/// instructions.
pub(crate) fn any(bytes: &[u8], special: impl Fn(u8) -> bool) -> bool {
    bytes
        .chunks(1024)
        .any(|run| run.iter().fold(false, |found, &b| found | special(b)))
}

/// The fewest digits that read back to the same number; a whole number has no point: `5`, not
/// `5.0`. `NaN`, `Infinity` and `-Infinity` as PostgreSQL spells them.
fn write_float(value: f64, out: &mut Vec<u8>) {
    if !value.is_finite() {
        let word: &[u8] = match value {
            _ if value.is_nan() => b"NaN",
            _ if value > 0.0 => b"Infinity",
            _ => b"-Infinity",
        };
        out.extend_from_slice(word);
        return;
    }
    if write_hundredths(value, out) {
        return;
    }
    let mut buffer = zmij::Buffer::new();
    let digits = buffer.format_finite(value);
    out.extend_from_slice(digits.strip_suffix(".0").unwrap_or(digits).as_bytes());
}

/// Appends a number of at most 15 digits with at most two of them after the point, which most
/// numbers in files are, and says whether it was one.
///
/// Two decimal numbers of at most 15 digits are never the same `f64`, so if this one reads back to
/// `value` no other, and no shorter one, does.
fn write_hundredths(value: f64, out: &mut Vec<u8>) -> bool {
    // The cast saturates, and what it made of a larger number fails the test.
    let hundredths = (value * 100.0 + 0.5f64.copysign(value)) as i64;
    let magnitude = hundredths.unsigned_abs();
    let exact = hundredths as f64 / 100.0 == value;
    if !exact || hundredths == 0 || magnitude >= 1_000_000_000_000_000 {
        return false;
    }
    if hundredths < 0 {
        out.push(b'-');
    }
    let (whole, rest) = (magnitude / 100, magnitude % 100);
    out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    let [tens, ones] = [rest / 10, rest % 10].map(|digit| b'0' + digit as u8);
    match rest {
        0 => {}
        _ if ones == b'0' => out.extend_from_slice(&[b'.', tens]),
        _ => out.extend_from_slice(&[b'.', tens, ones]),
    }
    true
}

pub(crate) fn write_decimal(value: i128, scale: usize, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value.unsigned_abs()).as_bytes();
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
    out.extend_from_slice(if whole.is_empty() { b"0" } else { whole });
    if scale > 0 {
        out.push(b'.');
        out.extend(std::iter::repeat_n(b'0', scale - fraction.len()));
        out.extend_from_slice(fraction);
    }
}

/// `\x` and hexadecimal digits, as PostgreSQL writes bytes.
pub(crate) fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    let digit = |value: u8| {
        if value < 10 {
            b'0' + value
        } else {
            b'a' + value - 10
        }
    };
    out.extend_from_slice(b"\\x");
    out.extend(bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    fn text(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_have_their_fewest_digits() {
        for (value, written) in [
            (999.99, "999.99"),
            (5.0, "5"),
            (-0.0, "-0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (100_000.0, "100000"),
            (1e21, "1e+21"),
            (1.5e-9, "1.5e-9"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(text(|out| write_float(value, out)), written);
        }
    }

    proptest! {
        #[test]
        fn the_short_way_writes_what_the_long_one_does(
            whole in -20_000_000_000_000_000i64..20_000_000_000_000_000,
            size in 0u32..17,
            places in 0i32..4,
            wild: f64,
        ) {
            let short = (whole / 10i64.pow(size)) as f64 / 10f64.powi(places);
            for value in [short, -short, wild] {
                let mut buffer = zmij::Buffer::new();
                let digits = buffer.format(value);
                let long = digits.strip_suffix(".0").unwrap_or(digits);
                let mut out = Vec::new();
                if write_hundredths(value, &mut out) {
                    prop_assert_eq!(String::from_utf8(out).unwrap(), long);
                } else {
                    prop_assert!(out.is_empty());
                }
            }
        }
    }

    #[test]
    fn money_goes_the_short_way() {
        for value in [0.01, 0.29, -999.99, 5.0, 9_999_999_999_999.99] {
            assert!(write_hundredths(value, &mut Vec::new()), "{value}");
        }
        for value in [0.0, -0.0, 0.001, 1e14, f64::NAN, f64::INFINITY] {
            assert!(!write_hundredths(value, &mut Vec::new()), "{value}");
        }
    }

    #[test]
    fn decimals_have_all_digits_of_their_scale() {
        for (value, scale, written) in [
            (123, 2, "1.23"),
            (-5, 2, "-0.05"),
            (0, 2, "0.00"),
            (7, 0, "7"),
            (-100, 1, "-10.0"),
        ] {
            assert_eq!(text(|out| write_decimal(value, scale, out)), written);
        }
    }

    #[test]
    fn bytes_are_hexadecimal() {
        assert_eq!(text(|out| write_hex(&[0, 0xab, 9], out)), "\\x00ab09");
    }
}
