//! A masker that writes another column, which it may read, into the one that it masks. The host lets
//! it: whoever grants both has granted that. A column that is not granted is not there to copy.

use glovebox_guests::{Batch, Grant, Masked, Masker, Values, replaced, text, text_cells};

struct Act;

impl Masker for Act {
    fn apply(grant: &Grant, batch: Batch) -> Vec<Masked> {
        let rows = batch.rows as usize;
        let others = (0_u32..)
            .zip(&batch.columns)
            .filter(|(place, _)| !grant.masks.contains(place));
        let mut cells = vec![String::new(); rows];
        for (_, column) in others {
            let found = match &column.values {
                Values::Int64(numbers) => numbers.iter().map(i64::to_string).collect(),
                _ => text_cells(column),
            };
            cells
                .iter_mut()
                .zip(found)
                .for_each(|(cell, found)| cell.push_str(&found));
        }
        let copied = |&m: &u32| replaced(m, text(&cells));
        grant.masks.iter().map(copied).collect()
    }
}

glovebox_guests::masker!(Act);
