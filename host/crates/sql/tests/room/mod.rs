//! A table of five rows, and what a query makes of it.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use glovebox_core::{
    Answer, Batch, DataType, Fault, Field, Grants, Limits, Origin, Schema, Selection,
};

/// Its columns.
pub(crate) fn columns() -> Schema {
    let personal = Field {
        personal: true,
        ..Field::new("name", DataType::Text)
    };
    Schema::new(vec![
        Field::new("id", DataType::Int64),
        personal,
        Field::new(
            "price",
            DataType::Decimal {
                precision: 10,
                scale: 2,
            },
        ),
        Field::new("quantity", DataType::Int64),
        Field::new("weight", DataType::Float64),
        Field::new("country", DataType::Text),
        Field::new("sold", DataType::Date),
        Field::new("at", DataType::Timestamp),
        Field::new("paid", DataType::Boolean),
        Field::new("box", DataType::Opaque),
    ])
}

/// Its rows.
pub(crate) fn rows() -> RecordBatch {
    let prices = vec![Some(250), Some(0), None, Some(-100), Some(9_999_999_999)];
    let prices = Decimal128Array::from(prices).with_precision_and_scale(10, 2);
    let at = vec![Some(0), None, Some(1_000_000), Some(86_400_000_000), None];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5])),
        Arc::new(StringArray::from(vec!["Ann", "Bob", "Cid", "Dan", "Eve"])),
        Arc::new(prices.unwrap()),
        Arc::new(Int64Array::from(vec![
            Some(4),
            Some(3),
            Some(0),
            None,
            Some(i64::MAX),
        ])),
        Arc::new(Float64Array::from(vec![
            1.5,
            -0.0,
            f64::NAN,
            f64::INFINITY,
            2.0,
        ])),
        Arc::new(StringArray::from(vec![
            Some("DE"),
            Some("FR"),
            None,
            Some(""),
            Some("12"),
        ])),
        Arc::new(Date32Array::from(vec![
            Some(19_724),
            Some(0),
            None,
            Some(-1),
            Some(19_783),
        ])),
        Arc::new(TimestampMicrosecondArray::from(at).with_timezone("UTC")),
        Arc::new(BooleanArray::from(vec![
            Some(true),
            Some(false),
            None,
            None,
            Some(true),
        ])),
        Arc::new(arrow_array::BinaryArray::from(vec![&b"\x01"[..]; 5])),
    ];
    RecordBatch::try_new(columns_of(), columns).unwrap()
}

fn columns_of() -> arrow_schema::SchemaRef {
    columns().to_arrow()
}

/// What the query makes of some of the rows, or how it fails.
pub(crate) fn answer(query: &Selection, rows: &RecordBatch) -> Result<Answer, Fault> {
    let read = rows.project(&query.reads).unwrap();
    let grants = Grants {
        fields: Vec::new(),
        masks: Vec::new(),
        adds: query.makes.clone(),
    };
    let mut instance = query.plugin.open("{}", &grants).unwrap();
    instance.apply(&Batch::new(read, Origin::contiguous(0)))
}

/// A query that is one.
pub(crate) fn select(text: &str) -> Selection {
    match glovebox_sql::select(text, &columns(), &Limits::default()) {
        Ok(selection) => selection,
        Err(problem) => panic!("{text}: {problem:?}"),
    }
}
