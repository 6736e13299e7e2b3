//! Masks, for the poison, a column that it may only read, one that is not there, or one twice. The
//! host must use none of its actions.

use glovebox_guests::{Batch, DataType, Grant, Masked, Masker, column, has_poison, replaced};

struct Act;

impl Masker for Act {
    fn apply(grant: &Grant, batch: Batch) -> Vec<Masked> {
        let mut columns = grant.masks.clone();
        if has_poison(&batch) {
            // It is granted the first column of two.
            if grant.says("read-only") {
                columns = vec![1];
            } else if grant.says("absent") {
                columns = vec![u32::MAX];
            } else if grant.says("twice") {
                columns = grant.masks.iter().map(|_| 0).collect();
            } else {
                columns.push(1);
            }
        }
        let honest = |place: u32| {
            let field = grant.fields.get(place as usize);
            let data_type = field.map_or(&DataType::Text, |f| &f.data_type);
            replaced(place, column(data_type, batch.rows))
        };
        columns.into_iter().map(honest).collect()
    }
}

glovebox_guests::masker!(Act);
