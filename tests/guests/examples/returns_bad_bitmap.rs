//! Returns a bitmap of a wrong length for the poison: of present cells, of rows to keep, of boolean
//! cells. The host must use none.

use glovebox_guests::{
    Batch, Column, DataType, Field, Grant, Transformed, Transformer, Values, column, has_poison,
};

struct Act;

impl Transformer for Act {
    fn apply(grant: &Grant, batch: Batch) -> Transformed {
        let right = batch.rows.div_ceil(8) as usize;
        let length = match has_poison(&batch) {
            true if grant.says("short") => right - 1,
            true => right + 1,
            false => right,
        };
        let bits = vec![0xff; length];
        let lie = |f: &Field| match f.data_type {
            DataType::Boolean if grant.says("cells") => Column {
                values: Values::Boolean(bits.clone()),
                validity: None,
            },
            ref data_type => Column {
                validity: grant.says("validity").then(|| bits.clone()),
                ..column(data_type, batch.rows)
            },
        };
        Transformed {
            columns: grant.adds.iter().map(lie).collect(),
            keep: grant.says("keep").then(|| bits.clone()),
        }
    }
}

glovebox_guests::transformer!(Act);
