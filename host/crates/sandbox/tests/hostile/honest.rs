//! Honest guests: every type crosses both ways unchanged, whatever shape its batch has come to, and
//! a step is a function of its input.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array,
    Int64Array, RecordBatch, RecordBatchOptions, StringArray, TimestampMicrosecondArray,
    new_null_array,
};
use glovebox_core::{
    Answer, Batch, DataType, Field, Grants, Instance, Limits, Origin, Plugin, Schema,
};

use crate::room::{guest, sandbox};

const TYPES: [(&str, DataType); 8] = [
    ("boolean", DataType::Boolean),
    ("int64", DataType::Int64),
    ("float64", DataType::Float64),
    (
        "decimal",
        DataType::Decimal {
            precision: 38,
            scale: 4,
        },
    ),
    ("text", DataType::Text),
    ("bytes", DataType::Bytes),
    ("date", DataType::Date),
    ("timestamp", DataType::Timestamp),
];

fn grants(extra: &[&str]) -> Grants {
    let add =
        |(name, data_type): &(&str, DataType)| Field::new(format!("{name}-again"), *data_type);
    let mut adds: Vec<_> = TYPES.iter().map(add).collect();
    adds.extend(extra.iter().map(|&name| Field::new(name, DataType::Int64)));
    Grants {
        fields: fields(),
        masks: Vec::new(),
        adds,
    }
}

fn fields() -> Vec<Field> {
    TYPES.iter().map(|&(name, t)| Field::new(name, t)).collect()
}

fn echo() -> Arc<dyn Plugin> {
    sandbox()
        .load("echoes", &guest("echoes"), &Limits::default())
        .unwrap()
}

/// `rows` rows of every type; every third cell null, shifted by a row from column to column.
fn batch(rows: usize, first_row: u64) -> Batch {
    let at = |i: usize, column: usize| !(i + column).is_multiple_of(3);
    let texts = ["", "Zo\u{eb}", "\u{1f9e4}", "plain", "\0"];
    let long = i128::from(i64::MAX) * 1_000;
    let n = || 0..rows;
    let text = |i: usize| texts[i % texts.len()];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(BooleanArray::from_iter(
            n().map(|i| at(i, 0).then_some(i % 5 < 2)),
        )),
        Arc::new(Int64Array::from_iter(
            n().map(|i| at(i, 1).then_some(i64::MIN + i as i64)),
        )),
        Arc::new(Float64Array::from_iter(
            n().map(|i| at(i, 2).then_some(-0.5 * i as f64)),
        )),
        Arc::new(
            Decimal128Array::from_iter(n().map(|i| at(i, 0).then_some(-long + i as i128)))
                .with_precision_and_scale(38, 4)
                .unwrap(),
        ),
        Arc::new(StringArray::from_iter(
            n().map(|i| at(i, 1).then_some(text(i))),
        )),
        Arc::new(BinaryArray::from_iter(
            n().map(|i| at(i, 2).then_some([0xff_u8, i as u8])),
        )),
        Arc::new(Date32Array::from_iter(
            n().map(|i| at(i, 0).then_some(i as i32 - 40)),
        )),
        Arc::new(
            TimestampMicrosecondArray::from_iter(n().map(|i| at(i, 1).then_some(i as i64 * -7)))
                .with_timezone("UTC"),
        ),
    ];
    let schema = Schema::new(fields()).to_arrow();
    Batch::new(
        RecordBatch::try_new(schema, columns).unwrap(),
        Origin::contiguous(first_row),
    )
}

fn apply(instance: &mut dyn Instance, batch: &Batch) -> (Vec<ArrayRef>, Option<BooleanArray>) {
    match instance.apply(batch).unwrap() {
        Answer::Transformed { columns, keep } => (columns, keep),
        other => panic!("no columns: {other:?}"),
    }
}

#[track_caller]
fn comes_back(batch: &Batch) {
    let plugin = echo();
    let mut instance = plugin.open("{}", &grants(&["row"])).unwrap();
    let (columns, keep) = apply(instance.as_mut(), batch);
    let (rows, columns) = columns.split_last().unwrap();
    assert_eq!(columns, batch.columns.columns());
    assert!(keep.is_none());
    let numbers: Vec<_> = (0..batch.rows())
        .map(|i| batch.origin.row(i) as i64)
        .collect();
    assert_eq!(rows.as_ref(), &Int64Array::from(numbers) as &dyn Array);
}

#[test]
fn every_type_comes_back_as_it_went() {
    for rows in [1, 7, 8, 9, 64, 8_192, 65_536] {
        let mut batch = batch(rows, 3);
        batch.origin = Origin::contiguous(1 << 40);
        comes_back(&batch);
    }
}

#[test]
fn an_empty_batch_comes_back_empty() {
    comes_back(&batch(0, 0));
}

#[test]
fn cuts_come_back_as_they_were_cut() {
    let whole = batch(1_000, 500);
    for (start, rows) in [
        (1, 10),
        (3, 500),
        (7, 1),
        (8, 8),
        (64, 64),
        (65, 935),
        (999, 1),
        (5, 0),
    ] {
        comes_back(&whole.slice(start, rows));
        // A cut of a cut: offsets add up.
        comes_back(&whole.slice(start, rows).slice(rows / 3, rows - rows / 3));
    }
}

#[test]
fn filtered_batches_come_back_with_their_row_numbers() {
    let whole = batch(1_000, 500);
    for step in [2, 3, 7, 999, 5_000] {
        let keep: BooleanArray = (0..1_000).map(|i| Some(i % step == step - 1)).collect();
        let filtered = whole.filter(&keep).unwrap();
        comes_back(&filtered);
        comes_back(&filtered.slice(0, filtered.rows() / 2));
    }
}

#[test]
fn columns_of_nulls_come_back_as_nulls() {
    let nulls: Vec<_> = TYPES
        .iter()
        .map(|(_, t)| new_null_array(&t.to_arrow(), 100))
        .collect();
    let columns = RecordBatch::try_new(Schema::new(fields()).to_arrow(), nulls).unwrap();
    comes_back(&Batch::new(columns, Origin::contiguous(0)));
}

#[test]
fn a_batch_without_columns_has_rows_all_the_same() {
    let options = RecordBatchOptions::new().with_row_count(Some(5));
    let schema = Schema::default().to_arrow();
    let columns = RecordBatch::try_new_with_options(schema, vec![], &options).unwrap();
    let grants = Grants {
        fields: Vec::new(),
        masks: Vec::new(),
        adds: vec![Field::new("row", DataType::Int64)],
    };
    let mut instance = echo().open("{}", &grants).unwrap();
    let batch = Batch::new(columns, Origin::scattered(10, Some(vec![0, 2, 4, 6, 8])));
    let (columns, _) = apply(instance.as_mut(), &batch);
    let due = Int64Array::from(vec![10, 12, 14, 16, 18]);
    assert_eq!(columns[0].as_ref(), &due as &dyn Array);
}

#[test]
fn rows_to_keep_come_back_as_bits() {
    let batch = batch(100, 0).slice(5, 90);
    let mut instance = echo().open("{\"act\":\"keep\"}", &grants(&[])).unwrap();
    let (_, keep) = apply(instance.as_mut(), &batch);
    let first = batch.columns.column(0);
    let due: BooleanArray = (0..90).map(|i| Some(first.is_valid(i))).collect();
    assert_eq!(keep.unwrap(), due);
}

#[test]
fn randomness_depends_on_the_batch_alone() {
    let plugin = echo();
    let open = || plugin.open("{}", &grants(&["random"])).unwrap();
    let random = |instance: &mut Box<dyn Instance>, batch: &Batch| {
        let (columns, _) = apply(instance.as_mut(), batch);
        Arc::clone(columns.last().unwrap())
    };
    let (mut one, mut two) = (open(), open());
    let (first, second) = (batch(50, 0), batch(50, 50));
    let of_first = random(&mut one, &first);
    let of_second = random(&mut one, &second);
    // The other instance meets the second batch first.
    assert_eq!(&random(&mut two, &second), &of_second);
    assert_eq!(&random(&mut two, &first), &of_first);
    assert_ne!(&of_first, &of_second);
}
