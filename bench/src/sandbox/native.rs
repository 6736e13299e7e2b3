//! A standard plugin's code outside of the sandbox, on what the host would have copied into it.

use std::hint::black_box;

use anyhow::{Context, bail};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType as ArrowType;
use glovebox_sdk::bindings::glovebox::plugin::columns as wit;
use glovebox_sdk::{Masker, OpenMasker, OpenTransformer, OpenValidator, Transformer, Validator};

use super::case::{Case, Native};

pub(super) fn validator<T: Validator>(case: &Case, rows: &RecordBatch) -> anyhow::Result<Native> {
    let (fields, batch) = given(case, rows)?;
    let plugin = OpenValidator::<T>::open(case.with, fields)
        .ok()
        .context(REFUSED)?;
    Ok(Box::new(move || {
        black_box(plugin.apply(black_box(&batch)));
    }))
}

pub(super) fn masker<T: Masker>(case: &Case, rows: &RecordBatch) -> anyhow::Result<Native> {
    let (fields, batch) = given(case, rows)?;
    let masks = (0_u32..).take(fields.len()).collect();
    let plugin = OpenMasker::<T>::open(case.with, fields, masks)
        .ok()
        .context(REFUSED)?;
    Ok(Box::new(move || {
        black_box(plugin.apply(black_box(&batch)));
    }))
}

pub(super) fn transformer<T: Transformer>(
    case: &Case,
    rows: &RecordBatch,
) -> anyhow::Result<Native> {
    let (fields, batch) = given(case, rows)?;
    let adds = case.adds.iter().map(|name| wit::Field {
        name: (*name).into(),
        data_type: wit::DataType::Int64,
        nullable: true,
    });
    let plugin = OpenTransformer::<T>::open(case.with, fields, adds.collect())
        .ok()
        .context(REFUSED)?;
    Ok(Box::new(move || {
        black_box(plugin.apply(black_box(&batch)));
    }))
}

const REFUSED: &str = "it refuses its configuration";

fn given(case: &Case, rows: &RecordBatch) -> anyhow::Result<(Vec<wit::Field>, wit::Batch)> {
    let granted = case.reads(rows)?;
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in granted.schema().fields().iter().zip(granted.columns()) {
        let (data_type, values) = values(column)?;
        fields.push(wit::Field {
            name: field.name().clone(),
            data_type,
            nullable: true,
        });
        columns.push(wit::Column {
            values,
            validity: None,
        });
    }
    let batch = wit::Batch {
        rows: u32::try_from(rows.num_rows())?,
        first_row: 0,
        positions: None,
        columns,
    };
    Ok((fields, batch))
}

fn values(column: &ArrayRef) -> anyhow::Result<(wit::DataType, wit::Values)> {
    Ok(match column.data_type() {
        ArrowType::Int64 => (
            wit::DataType::Int64,
            wit::Values::Int64(column.as_primitive::<Int64Type>().values().to_vec()),
        ),
        ArrowType::Float64 => (
            wit::DataType::Float64,
            wit::Values::Float64(column.as_primitive::<Float64Type>().values().to_vec()),
        ),
        ArrowType::Date32 => (
            wit::DataType::Date,
            wit::Values::Date(column.as_primitive::<Date32Type>().values().to_vec()),
        ),
        ArrowType::Utf8 => {
            let text = column.as_string::<i32>();
            let cells = wit::VariableWidth {
                offsets: text.offsets().to_vec(),
                data: text.value_data().to_vec(),
            };
            (wit::DataType::Text, wit::Values::Text(cells))
        }
        other => bail!("no column of the file is {other}"),
    })
}
