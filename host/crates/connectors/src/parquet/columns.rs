//! Columns as a Parquet file has them, made into those of the contract.
//!
//! Owns which types fit, and which values do not; refuses to round, to cut and to wrap around.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray, StringArray, new_null_array};
use arrow_schema::{ArrowError, DataType as ArrowType, TimeUnit};
use glovebox_core::{DataType, Field};

use crate::rows::{Flaw, Flawed};

/// Whether a column of the file can be one of that type; if not, what to declare.
pub(super) fn fits(found: &ArrowType, declared: DataType) -> Result<(), String> {
    use ArrowType as A;
    let (natural, what) = match found {
        A::Null => return Ok(()),
        A::Boolean => (DataType::Boolean, "booleans"),
        A::Int8 | A::Int16 | A::Int32 | A::Int64 | A::UInt8 | A::UInt16 | A::UInt32 | A::UInt64 => {
            (DataType::Int64, "integers")
        }
        A::Float16 | A::Float32 | A::Float64 => (DataType::Float64, "floats"),
        A::Decimal128(precision, scale) => {
            let scale = u8::try_from(*scale).unwrap_or(0);
            let precision = (*precision).clamp(scale.max(1), 38);
            (DataType::Decimal { precision, scale }, "decimals")
        }
        A::Utf8 | A::LargeUtf8 => (DataType::Text, "text"),
        A::Binary | A::LargeBinary => {
            // Older writers do not mark text as such.
            if declared == DataType::Text {
                return Ok(());
            }
            (DataType::Bytes, "bytes")
        }
        A::FixedSizeBinary(_) => (DataType::Bytes, "bytes"),
        A::Date32 => (DataType::Date, "dates"),
        A::Timestamp(..) => (DataType::Timestamp, "timestamps"),
        other => {
            return Err(format!(
                "holds values of a type that is not read ({}); remove it from `columns`, or write \
                 it as text",
                kind(other)
            ));
        }
    };
    let same = match (natural, declared) {
        // Which of the values fit is seen value by value.
        (DataType::Decimal { .. }, DataType::Decimal { .. }) => true,
        (natural, declared) => natural == declared,
    };
    if same {
        return Ok(());
    }
    Err(format!(
        "holds {what} and is declared as {declared}; declare it as type: \"{natural}\""
    ))
}

fn kind(of: &ArrowType) -> &'static str {
    match of {
        ArrowType::Time32(_) | ArrowType::Time64(_) => "time of day",
        ArrowType::Interval(_) | ArrowType::Duration(_) => "interval",
        ArrowType::Decimal256(..) => "decimal of more than 38 digits",
        _ => "another one",
    }
}

/// The column in our type, and what is wrong with it, in the order of its rows.
pub(super) fn convert(
    column: &ArrayRef,
    field: &Field,
    flawed: &mut Vec<Flawed>,
) -> Result<ArrayRef, ArrowError> {
    let ours = field.data_type.to_arrow();
    let converted: ArrayRef = match (column.data_type(), field.data_type) {
        (ArrowType::Null, _) => new_null_array(&ours, column.len()),
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
    if field.data_type == DataType::Text {
        nuls(converted.as_string(), flawed);
    }
    if !field.nullable && converted.null_count() > 0 {
        let nulls = (0..column.len()).filter(|row| column.is_null(*row));
        let flaw = Flaw::Null;
        flawed.extend(nulls.map(|row| Flawed { row, flaw }));
    }
    Ok(converted)
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
    use arrow_array::{
        BinaryArray, Decimal128Array, Float32Array, Int8Array, TimestampNanosecondArray,
        TimestampSecondArray, UInt32Array, UInt64Array,
    };

    fn through(column: impl Array + 'static, to: DataType) -> (ArrayRef, Vec<(usize, Flaw)>) {
        let mut flawed = Vec::new();
        let field = Field::new("a", to);
        fits(column.data_type(), to).unwrap();
        let column: ArrayRef = Arc::new(column);
        let found = convert(&column, &field, &mut flawed).unwrap();
        assert_eq!(found.data_type(), &to.to_arrow());
        (found, flawed.into_iter().map(|f| (f.row, f.flaw)).collect())
    }

    #[test]
    fn numbers_are_exact_or_flaws() {
        let (found, flawed) = through(
            UInt64Array::from(vec![Some(1), None, Some(u64::MAX), Some(i64::MAX as u64)]),
            DataType::Int64,
        );
        let found = found.as_primitive::<Int64Type>();
        assert_eq!((found.value(0), found.value(3)), (1, i64::MAX));
        assert_eq!(flawed, [(2, Flaw::Type)]);
        let (found, _) = through(UInt32Array::from(vec![u32::MAX]), DataType::Int64);
        assert_eq!(
            found.as_primitive::<Int64Type>().value(0),
            i64::from(u32::MAX)
        );
        through(Int8Array::from(vec![-1]), DataType::Int64);
        through(Float32Array::from(vec![0.5]), DataType::Float64);

        let from = Decimal128Array::from(vec![Some(1_2300), Some(1_2345), Some(-99_0000), None])
            .with_precision_and_scale(38, 4)
            .unwrap();
        let to = DataType::Decimal {
            precision: 3,
            scale: 2,
        };
        let (found, flawed) = through(from, to);
        assert_eq!(found.as_primitive::<Decimal128Type>().value(0), 123);
        assert_eq!(flawed, [(1, Flaw::Type), (2, Flaw::Type)]);
    }

    #[test]
    fn times_are_exact_or_flaws() {
        let (found, flawed) = through(
            TimestampNanosecondArray::from(vec![Some(1000), Some(1001), None]),
            DataType::Timestamp,
        );
        let found = found.as_primitive::<TimestampMicrosecondType>();
        assert_eq!(found.value(0), 1);
        assert_eq!(flawed, [(1, Flaw::Type)]);
        let (_, flawed) = through(
            TimestampSecondArray::from(vec![i64::MAX, 1]).with_timezone("+02:00"),
            DataType::Timestamp,
        );
        assert_eq!(flawed, [(0, Flaw::Type)]);
    }

    #[test]
    fn text_that_is_not_marked_as_such_has_to_be_text() {
        let cells: Vec<&[u8]> = vec![b"a", b"\xff", b"b\0"];
        let (found, flawed) = through(BinaryArray::from(cells), DataType::Text);
        assert_eq!(found.as_string::<i32>().value(0), "a");
        assert_eq!(flawed, [(1, Flaw::Utf8), (2, Flaw::Nul)]);
    }

    #[test]
    fn a_type_that_does_not_fit_comes_with_one_that_does() {
        let advice = |found, declared| fits(&found, declared).unwrap_err();
        assert_eq!(
            advice(ArrowType::Int32, DataType::Text),
            "holds integers and is declared as text; declare it as type: \"int64\""
        );
        assert!(
            advice(ArrowType::Decimal128(9, 2), DataType::Float64).contains("\"decimal(9,2)\"")
        );
        assert!(advice(ArrowType::Utf8, DataType::Bytes).contains("\"text\""));
        let time = ArrowType::Time64(TimeUnit::Microsecond);
        assert!(advice(time, DataType::Text).contains("time of day"));
    }
}
