//! The host's rules for what a plugin returns, as far as tests need them. A broken rule panics with
//! its name: it is a mistake in the plugin under test.

use crate::bindings::glovebox::plugin::columns::{Batch, Column, DataType, Field};
use crate::{NewColumn, RowMask, Spans, Target};

/// A new column must have the announced type, a cell a row, and no null that was not announced.
#[track_caller]
pub(super) fn column(column: &NewColumn, field: &Field, rows: usize) {
    let name = &field.name;
    let new: &Column = column.inner();
    let fields = std::slice::from_ref(field);
    let batch = Batch {
        rows: rows as u32,
        first_row: 0,
        positions: None,
        columns: vec![new.clone()],
    };
    let column = crate::Batch::new(fields, &batch).column(0);
    let fits = column.is_some_and(|column| match field.data_type {
        DataType::Boolean => column.boolean().is_some(),
        DataType::Int64 => column.int64().is_some(),
        DataType::Float64 => column.float64().is_some(),
        DataType::Decimal(_) => column.decimal().is_some(),
        DataType::Text => column.text().is_some(),
        DataType::Bytes => column.bytes().is_some(),
        DataType::Date => column.date().is_some(),
        DataType::Timestamp => column.timestamp().is_some(),
    });
    assert!(
        fits,
        "column `{name}` is not {rows} cells of the type {:?}",
        field.data_type
    );
    let bits = new.validity.as_ref().map(Vec::len);
    assert!(
        bits.is_none_or(|bits| bits == rows.div_ceil(8)),
        "column `{name}`: validity's length"
    );
    let nulls = column.is_some_and(|column| (0..rows).any(|row| !column.is_present(row)));
    assert!(
        field.nullable || !nulls,
        "column `{name}` has nulls, and its field is not nullable"
    );
}

/// A mask must have a bit a row.
#[track_caller]
pub(super) fn mask(mask: &RowMask, rows: usize) {
    assert_eq!(mask.rows(), rows, "the rows of a row mask");
}

/// Spans must be in order, apart, and within the batch.
#[track_caller]
pub(super) fn target(target: &Target, rows: usize) {
    match target {
        Target::Cells => {}
        Target::Rows(rows_meant) => mask(rows_meant, rows),
        Target::Spans(spans) => self::spans(spans, rows),
    }
}

#[track_caller]
fn spans(spans: &Spans, rows: usize) {
    let mut last = (0, 0);
    for (row, start, end) in spans.iter() {
        assert!(
            (row as usize) < rows,
            "a span is in row {row} of {rows} rows"
        );
        assert!(start <= end, "a span ends before it starts, in row {row}");
        assert!(
            (row, start) >= last,
            "spans are out of order or overlap, in row {row}"
        );
        last = (row, end);
    }
}
