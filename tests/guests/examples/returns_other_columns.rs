//! Returns a column too few or too many for the poison. The host must use none.

use glovebox_guests::{Batch, Field, Grant, Transformed, Transformer, column, has_poison, int64};

struct Act;

impl Transformer for Act {
    fn apply(grant: &Grant, batch: Batch) -> Transformed {
        let honest = |f: &Field| column(&f.data_type, batch.rows);
        let mut columns: Vec<_> = grant.adds.iter().map(honest).collect();
        if has_poison(&batch) {
            match grant.says("few") {
                true => columns.clear(),
                false => columns.push(int64(0..i64::from(batch.rows))),
            }
        }
        Transformed {
            columns,
            keep: None,
        }
    }
}

glovebox_guests::transformer!(Act);
