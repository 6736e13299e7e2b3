//! Returns the extremes of every type: the contract allows them, and nothing after may break.

use glovebox_guests::{
    Batch, Column, DataType, Field, Grant, Transformed, Transformer, Values, text, variable,
};

struct Act;

fn cycle<T: Clone>(values: &[T], rows: usize) -> Vec<T> {
    values.iter().cycle().take(rows).cloned().collect()
}

fn extremes(data_type: &DataType, rows: usize) -> Column {
    let longs = [i64::MIN, i64::MAX, 0, -1];
    let values = match data_type {
        DataType::Boolean => Values::Boolean(vec![0xff; rows.div_ceil(8)]),
        DataType::Int64 => Values::Int64(cycle(&longs, rows)),
        DataType::Timestamp => Values::Timestamp(cycle(&longs, rows)),
        DataType::Date => Values::Date(cycle(&[i32::MIN, i32::MAX, 0, -1], rows)),
        DataType::Float64 => Values::Float64(cycle(
            &[
                f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                -0.0,
                f64::MIN_POSITIVE,
            ],
            rows,
        )),
        // Minus one in the smallest unit: the sign reaches into the high word.
        DataType::Decimal(_) => Values::Decimal(vec![u64::MAX; 2 * rows]),
        DataType::Bytes => Values::Bytes(variable(cycle(&[&b"\0\xff"[..], b""], rows))),
        DataType::Text => {
            return text(cycle(
                &["", "\u{10ffff}", "\0", "\u{1b}[31m", "\",\n"],
                rows,
            ));
        }
    };
    Column {
        values,
        validity: None,
    }
}

impl Transformer for Act {
    fn apply(grant: &Grant, batch: Batch) -> Transformed {
        let extreme = |f: &Field| extremes(&f.data_type, batch.rows as usize);
        Transformed {
            columns: grant.adds.iter().map(extreme).collect(),
            keep: None,
        }
    }
}

glovebox_guests::transformer!(Act);
