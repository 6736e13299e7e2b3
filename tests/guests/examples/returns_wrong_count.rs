//! Returns one cell too few or too many, of each type, for the poison. The host must use none.

use glovebox_guests::{Batch, Field, Grant, Transformed, Transformer, column, has_poison};

struct Act;

impl Transformer for Act {
    fn apply(grant: &Grant, batch: Batch) -> Transformed {
        let rows = match has_poison(&batch) {
            // A bitmap of 8 more rows or less is a byte more or less.
            true if grant.says("few") => batch.rows.saturating_sub(8),
            true => batch.rows + 8,
            false => batch.rows,
        };
        let lie = |f: &Field| column(&f.data_type, rows);
        Transformed {
            columns: grant.adds.iter().map(lie).collect(),
            keep: None,
        }
    }
}

glovebox_guests::transformer!(Act);
