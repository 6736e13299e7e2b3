//! Returns a text column of 40 MiB for the poison. The host must refuse it at its limit.

use glovebox_guests::{Batch, Grant, Masked, Masker, has_poison, replaced, text};

struct Act;

impl Masker for Act {
    fn apply(grant: &Grant, batch: Batch) -> Vec<Masked> {
        let size = if has_poison(&batch) { 40 << 20 } else { 8 };
        let mut cells = vec!["x".repeat(size)];
        cells.resize(batch.rows as usize, String::new());
        let column = |&m: &u32| replaced(m, text(&cells));
        grant.masks.iter().map(column).collect()
    }
}

glovebox_guests::masker!(Act);
