//! Batches of every kind that a plugin will meet, for any columns.
//! They are not random, so that failures are reproducible.

use std::sync::Arc;

use arrow_array::new_null_array;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    RecordBatch, RecordBatchOptions, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::ArrowError;
use glovebox_core::{Batch, DataType, Field, Origin, Schema};

/// Bytes of the longest cells.
const MAX_CELL: usize = 1 << 20;

/// A batch and what is special about it.
pub(crate) struct Named {
    pub(crate) name: &'static str,
    pub(crate) batch: Batch,
}

/// All of them, the small ones first.
pub(crate) fn every(fields: &[Field]) -> Result<Vec<Named>, ArrowError> {
    let named = |name, rows, cell: fn(DataType, usize) -> ArrayRef| {
        batch(fields, rows, cell).map(|batch| Named { name, batch })
    };
    let mut all = vec![
        named("empty", 0, usual)?,
        named("one row", 1, usual)?,
        named("all null", 100, |t, n| new_null_array(&t.to_arrow(), n))?,
        named("not one null", 100, present)?,
        named("non-ASCII", 256, foreign)?,
        named("extremes", 16, extremes)?,
        named("longest cells", 3, longest)?,
        named("8,192 rows", 8_192, usual)?,
        named("65,536 rows", 65_536, usual)?,
    ];
    // As after a step that rejected every row but each third one.
    let scattered = batch(fields, 300, usual)?;
    let positions = (0..300).map(|row| row * 3).collect();
    all.push(Named {
        name: "scattered rows",
        batch: Batch::new(scattered.columns, Origin::scattered(1_000, Some(positions))),
    });
    Ok(all)
}

/// Rows as they usually are: every seventh cell null.
pub(crate) fn plain(fields: &[Field], rows: usize) -> Result<Batch, ArrowError> {
    batch(fields, rows, usual)
}

fn batch(
    fields: &[Field],
    rows: usize,
    cells: fn(DataType, usize) -> ArrayRef,
) -> Result<Batch, ArrowError> {
    let columns = fields.iter().map(|f| cells(f.data_type, rows)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let schema = Schema::new(fields.to_vec()).to_arrow();
    let columns = RecordBatch::try_new_with_options(schema, columns, &options)?;
    Ok(Batch::new(columns, Origin::contiguous(0)))
}

fn usual(data_type: DataType, rows: usize) -> ArrayRef {
    column(data_type, rows, |row| row % 7 != 6, text)
}

fn present(data_type: DataType, rows: usize) -> ArrayRef {
    column(data_type, rows, |_| true, text)
}

fn foreign(data_type: DataType, rows: usize) -> ArrayRef {
    const TEXTS: [&str; 8] = [
        "Łukasz Żółć",
        "李小龍",
        "محمد",
        "e\u{301}tampes",
        "👩‍👩‍👧‍👦 family",
        "ǅ ß ﬁ İ",
        "\u{feff}a\u{200b}b\u{202e}c",
        "tab\tline\nnul\0",
    ];
    column(
        data_type,
        rows,
        |row| row % 9 != 8,
        |row| {
            TEXTS
                .get(row % TEXTS.len())
                .copied()
                .unwrap_or_default()
                .to_owned()
        },
    )
}

fn longest(data_type: DataType, rows: usize) -> ArrayRef {
    column(
        data_type,
        rows,
        |_| true,
        |row| {
            let unit = if row % 2 == 0 {
                "a1 ".to_owned()
            } else {
                "é@-".to_owned()
            };
            let mut text = unit.repeat(MAX_CELL / unit.len() + 1);
            text.truncate(text.floor_char_boundary(MAX_CELL));
            text
        },
    )
}

/// Texts of several kinds, as many as a row number gives.
fn text(row: usize) -> String {
    match row % 6 {
        0 => format!("ann{row}@example.org"),
        1 => format!("+49 170 {row:07}"),
        2 => format!("Main Street {row}"),
        3 => String::new(),
        4 => format!("{row:09}"),
        _ => format!("a note of some length about customer {row}, who called twice"),
    }
}

fn column(
    data_type: DataType,
    rows: usize,
    there: fn(usize) -> bool,
    text: fn(usize) -> String,
) -> ArrayRef {
    let number = |row: usize| i64::try_from(row).unwrap_or(i64::MAX);
    fn cells<T>(
        rows: usize,
        there: fn(usize) -> bool,
        cell: impl Fn(usize) -> T,
    ) -> impl Iterator<Item = Option<T>> {
        (0..rows).map(move |row| there(row).then(|| cell(row)))
    }
    match data_type {
        DataType::Boolean => Arc::new(BooleanArray::from_iter(cells(rows, there, |row| {
            row % 2 == 0
        }))),
        DataType::Int64 => Arc::new(Int64Array::from_iter(cells(rows, there, |row| {
            number(row) - 50
        }))),
        DataType::Float64 => {
            // Rows of a batch are few enough to be exact.
            #[allow(clippy::cast_precision_loss)]
            let float = move |row: usize| row as f64 / 8.0;
            Arc::new(Float64Array::from_iter(cells(rows, there, float)))
        }
        DataType::Decimal { precision, scale } => {
            let most = 10_i128.pow(u32::from(precision)) - 1;
            let array = Decimal128Array::from_iter(cells(rows, there, |row| {
                i128::from(number(row)) % most
            }));
            decimal(array, precision, scale)
        }
        DataType::Text => Arc::new(StringArray::from_iter(cells(rows, there, text))),
        DataType::Bytes | DataType::Opaque => {
            let bytes: Vec<Option<Vec<u8>>> =
                cells(rows, there, |row| text(row).into_bytes()).collect();
            Arc::new(BinaryArray::from_iter(bytes))
        }
        DataType::Date => Arc::new(Date32Array::from_iter(cells(rows, there, |row| {
            i32::try_from(row % 40_000).unwrap_or(0) - 10_000
        }))),
        DataType::Timestamp => timestamps(cells(rows, there, |row| number(row) * 86_399_000_001)),
    }
}

fn extremes(data_type: DataType, rows: usize) -> ArrayRef {
    fn cycle<T: Copy>(rows: usize, cells: &[T]) -> impl Iterator<Item = Option<T>> {
        (0..rows).map(move |row| cells.get(row % (cells.len() + 1)).copied())
    }
    match data_type {
        DataType::Int64 => Arc::new(Int64Array::from_iter(cycle(
            rows,
            &[i64::MIN, -1, 0, i64::MAX],
        ))),
        DataType::Float64 => Arc::new(Float64Array::from_iter(cycle(
            rows,
            &[
                f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                -0.0,
                f64::MIN_POSITIVE,
                f64::MAX,
            ],
        ))),
        DataType::Decimal { precision, scale } => {
            let most = 10_i128.pow(u32::from(precision)) - 1;
            decimal(
                Decimal128Array::from_iter(cycle(rows, &[-most, -1, 0, most])),
                precision,
                scale,
            )
        }
        // 0001-01-01 and 9999-12-31.
        DataType::Date => Arc::new(Date32Array::from_iter(cycle(
            rows,
            &[-719_162, 0, 2_932_896],
        ))),
        DataType::Timestamp => timestamps(cycle(
            rows,
            &[-62_135_596_800_000_000, -1, 253_402_300_799_999_999],
        )),
        DataType::Boolean | DataType::Text | DataType::Bytes | DataType::Opaque => column(
            data_type,
            rows,
            |row| row % 2 == 0,
            |row| {
                ["", " ", "\u{10ffff}", "'; DROP TABLE x; --", "=1+1"]
                    .get(row % 5)
                    .copied()
                    .unwrap_or_default()
                    .to_owned()
            },
        ),
    }
}

fn decimal(array: Decimal128Array, precision: u8, scale: u8) -> ArrayRef {
    let scale = i8::try_from(scale).unwrap_or(i8::MAX);
    match array.clone().with_precision_and_scale(precision, scale) {
        Ok(array) => Arc::new(array),
        // A column of another type does not make a batch, which then says so.
        Err(_) => Arc::new(array),
    }
}

fn timestamps(cells: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    let array = TimestampMicrosecondArray::from_iter(cells);
    Arc::new(array.with_timezone("UTC"))
}
