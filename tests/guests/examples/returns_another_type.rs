//! Returns columns of another type than it announced for the poison. The host must use none.

use glovebox_guests::{
    Batch, DataType, Field, Grant, Transformed, Transformer, column, has_poison,
};

struct Act;

impl Transformer for Act {
    fn apply(grant: &Grant, batch: Batch) -> Transformed {
        let lie = |f: &Field| match (has_poison(&batch), &f.data_type) {
            (false, data_type) => column(data_type, batch.rows),
            (true, DataType::Text) => column(&DataType::Bytes, batch.rows),
            (true, _) => column(&DataType::Text, batch.rows),
        };
        Transformed {
            columns: grant.adds.iter().map(lie).collect(),
            keep: None,
        }
    }
}

glovebox_guests::transformer!(Act);
