//! Returns a text column of 40 MiB for the poison. The host must refuse it at its limit.

use glovebox_guests::{Batch, Grant, Masked, Masker, has_poison, replaced, text};

struct Act;

impl Masker for Act {
    fn apply(grant: &Grant, batch: Batch) -> Vec<Masked> {
        let mut cells = vec!["honest".to_owned(); batch.rows as usize];
        if has_poison(&batch) {
            cells
                .iter_mut()
                .take(1)
                .for_each(|c| *c = "x".repeat(40 << 20));
        }
        let column = |&m: &u32| replaced(m, text(&cells));
        grant.masks.iter().map(column).collect()
    }
}

glovebox_guests::masker!(Act);
