//! Converts a Parquet file's columns to the contract's types.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::{DataType as ArrowType, Field as ArrowField};
use glovebox_core::{DataType, Field};

use super::marks::Mark;
use super::nested::{has_spelling, is_nested, texts};
use super::single::{self, Trouble, judge, natural};
use crate::rows::Flawed;

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
    if !is_nested(column.data_type()) {
        return single::convert(column, field, flawed);
    }
    let converted: ArrayRef = Arc::new(texts(column, found, flawed)?);
    judge(column, &converted, field, flawed);
    Ok(converted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Flaw;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Decimal128Type, Int64Type, TimestampMicrosecondType};
    use arrow_array::{
        Array, BinaryArray, Decimal128Array, Float32Array, Int8Array, TimestampNanosecondArray,
        TimestampSecondArray, UInt32Array, UInt64Array,
    };
    use arrow_schema::TimeUnit;

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
    fn times_of_day_are_text() {
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
    }
}
