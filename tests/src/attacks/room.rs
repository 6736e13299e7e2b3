//! What a guest of the table sees: two columns of twenty rows, with canaries in them.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use glovebox_core::{Batch, DataType, Field, Grants, Origin, Schema};

use super::Attack;

/// Cells that nothing may repeat that the host says.
pub const CANARIES: [&str; 2] = ["canary-4711-rhubarb", "4711471147114711"];

/// Whether a text holds a cell.
pub fn has_canary(text: &str) -> bool {
    CANARIES.iter().any(|canary| text.contains(canary))
}

/// A text column that a masker may mask, an integer column that it may read.
pub(super) fn grants(attack: &Attack) -> Grants {
    Grants {
        fields: fields(),
        masks: attack.masks.to_vec(),
        adds: attack
            .adds
            .map(|t| Field::new("new", t))
            .into_iter()
            .collect(),
    }
}

fn fields() -> Vec<Field> {
    vec![
        Field::new("city", DataType::Text),
        Field::new("number", DataType::Int64),
    ]
}

/// Twenty rows; the first is poison or not.
pub(super) fn batch(poison: bool) -> Result<Batch, String> {
    let first = if poison { "poison" } else { "Paris" };
    let mut cities = vec![first, CANARIES[0], "\u{e9}tampes"];
    cities.resize(20, "Lyon");
    let numbers = vec![4_711_471_147_114_711_i64; cities.len()];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(cities)),
        Arc::new(Int64Array::from(numbers)),
    ];
    let schema = Schema::new(fields()).to_arrow();
    let columns = RecordBatch::try_new(schema, columns).map_err(|e| e.to_string())?;
    Ok(Batch::new(columns, Origin::contiguous(0)))
}
