//! Returns decimals of half the words, or of more digits than announced, for the poison. The host
//! must use none.

use glovebox_guests::{
    Batch, Column, Field, Grant, Transformed, Transformer, Values, column, has_poison,
};

struct Act;

impl Transformer for Act {
    fn apply(grant: &Grant, batch: Batch) -> Transformed {
        let words = match grant.says("half") {
            true => vec![0; 2 * batch.rows as usize - 1],
            false => vec![u64::MAX >> 1; 2 * batch.rows as usize],
        };
        let lie = |f: &Field| match has_poison(&batch) {
            true => Column {
                values: Values::Decimal(words.clone()),
                validity: None,
            },
            false => column(&f.data_type, batch.rows),
        };
        Transformed {
            columns: grant.adds.iter().map(lie).collect(),
            keep: None,
        }
    }
}

glovebox_guests::transformer!(Act);
