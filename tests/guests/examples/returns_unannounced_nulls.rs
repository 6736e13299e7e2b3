//! Announces columns without nulls and returns nulls for the poison. The host must use none.

use glovebox_guests::{Batch, Column, Field, Grant, Transformed, Transformer, column, has_poison};

struct Act;

impl Transformer for Act {
    fn fields(grant: &Grant) -> Vec<Field> {
        let strict = |f: &Field| Field {
            nullable: false,
            ..f.clone()
        };
        grant.adds.iter().map(strict).collect()
    }

    fn apply(grant: &Grant, batch: Batch) -> Transformed {
        let nulls = vec![0; batch.rows.div_ceil(8) as usize];
        let lie = |f: &Field| Column {
            validity: has_poison(&batch).then(|| nulls.clone()),
            ..column(&f.data_type, batch.rows)
        };
        Transformed {
            columns: grant.adds.iter().map(lie).collect(),
            keep: None,
        }
    }
}

glovebox_guests::transformer!(Act);
