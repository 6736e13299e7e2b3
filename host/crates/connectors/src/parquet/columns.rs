//! Converts a Parquet file's columns to the contract's types.

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
use super::nested::{Trouble, has_spelling, is_nested, texts};
use crate::rows::{Flaw, Flawed};

/// Whether a column of the file can be one of that type; if not, what to declare.
pub(super) fn fits(found: &ArrowField, declared: DataType) -> Result<(), String> {
    if *found.data_type() == ArrowType::Null {
        return Ok(());
    }
    let text = declared == DataType::Text;
    let natural = natural(found).or_else(|| has_spelling(found).then_some(DataType::Text));
    let Some(natural) = natural else {
        let kind = kind(found.data_type());
        return Err(format!(
            "holds values of an unsupported type ({kind}); remove it from `columns`, or write it \
            as text in the file"
        ));
    };
    let same = match (natural, declared) {
        // Which of the values fit is seen value by value.
        (DataType::Decimal { .. }, DataType::Decimal { .. }) => true,
        // Older writers do not mark text as such, and a UUID is bytes that have a spelling.
        (DataType::Bytes, DataType::Text) => {
            matches!(
                found.data_type(),
                ArrowType::Binary | ArrowType::LargeBinary
            ) || Mark::of(found) == Some(Mark::Uuid)
        }
        (natural, declared) => natural == declared,
    };
    if same {
        return Ok(());
    }
    let what = match (natural, found.data_type()) {
        (_, nested) if is_nested(nested) => "lists, maps or structs",
        (_, ArrowType::Time32(_) | ArrowType::Time64(_)) => "times of day",
        (_, ArrowType::Decimal256(..)) => "decimals of more than 38 digits",
        (DataType::Boolean, _) => "booleans",
        (DataType::Int64, _) => "integers",
        (DataType::Float64, _) => "floats",
        (DataType::Decimal { .. }, _) => "decimals",
        (DataType::Text, _) => "text",
        (DataType::Date, _) => "dates",
        (DataType::Timestamp, _) => "timestamps",
        (DataType::Bytes | DataType::Opaque, _) => "bytes",
    };
    let as_json = match is_nested(found.data_type()) && !text {
        true => ", for JSON text",
        false => "",
    };
    Err(format!(
        "holds {what} and is declared as {declared}; declare it as type: \"{natural}\"{as_json}"
    ))
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

fn kind(of: &ArrowType) -> &'static str {
    match of {
        ArrowType::Interval(_) | ArrowType::Duration(_) => "interval",
        _ => "another one",
    }
}

/// The column in our type, and what is wrong with it, in the order of its rows.
pub(super) fn convert(
    column: &ArrayRef,
    found: &ArrowField,
    field: &Field,
    flawed: &mut Vec<Flawed>,
) -> Result<ArrayRef, Trouble> {
    let ours = field.data_type.to_arrow();
    let converted: ArrayRef = match (column.data_type(), field.data_type) {
        (ArrowType::Null, _) => new_null_array(&ours, column.len()),
        (nested, _) if is_nested(nested) => Arc::new(texts(column, found, flawed)?),
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
    use arrow_array::{
        BinaryArray, Decimal128Array, Float32Array, Int8Array, TimestampNanosecondArray,
        TimestampSecondArray, UInt32Array, UInt64Array,
    };

    fn through(column: impl Array + 'static, to: DataType) -> (ArrayRef, Vec<(usize, Flaw)>) {
        let mut flawed = Vec::new();
        let field = Field::new("a", to);
        let there = ArrowField::new("a", column.data_type().clone(), true);
        fits(&there, to).unwrap();
        let column: ArrayRef = Arc::new(column);
        let found = convert(&column, &there, &field, &mut flawed).unwrap();
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
        let there = |found| ArrowField::new("a", found, true);
        let advice = |found, declared| fits(&there(found), declared).unwrap_err();
        assert_eq!(
            advice(ArrowType::Int32, DataType::Text),
            "holds integers and is declared as text; declare it as type: \"int64\""
        );
        assert!(
            advice(ArrowType::Decimal128(9, 2), DataType::Float64).contains("\"decimal(9,2)\"")
        );
        assert!(advice(ArrowType::Utf8, DataType::Bytes).contains("\"text\""));
        let time = ArrowType::Time64(TimeUnit::Microsecond);
        assert!(advice(time, DataType::Int64).contains("times of day"));
        let span = ArrowType::Interval(arrow_schema::IntervalUnit::MonthDayNano);
        assert!(advice(span, DataType::Text).contains("(interval)"));
    }

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
    fn times_of_day_and_uuids_are_text() {
        use arrow_array::{Time32MillisecondArray, Time64NanosecondArray};
        let (found, flawed) = through(
            Time32MillisecondArray::from(vec![Some(0), Some(45_296_700), None, Some(86_400_000)]),
            DataType::Text,
        );
        let found = found.as_string::<i32>();
        assert_eq!((found.value(0), found.value(1)), ("00:00:00", "12:34:56.7"));
        assert_eq!(flawed, [(3, Flaw::Type)]);
        let (found, flawed) = through(Time64NanosecondArray::from(vec![1, -1]), DataType::Text);
        assert_eq!(found.as_string::<i32>().value(0), "00:00:00.000000001");
        assert_eq!(flawed, [(1, Flaw::Type)]);
        let bytes: Vec<u8> = (0..16).map(|i| i * 17).collect();
        assert_eq!(uuid(&bytes), "00112233-4455-6677-8899-aabbccddeeff");
    }
}
