//! Points at rows by a bitmap of the wrong length when it sees the poison. The host must mask none
//! of them.

use glovebox_guests::{Action, Batch, Grant, Masked, Masker, Target, has_poison};

struct Act;

impl Masker for Act {
    fn apply(grant: &Grant, batch: Batch) -> Vec<Masked> {
        let right = batch.rows.div_ceil(8) as usize;
        let length = match has_poison(&batch) {
            true if grant.says("short") => right - 1,
            true => right + 1,
            false => right,
        };
        let nullified = |&column: &u32| Masked {
            column,
            action: Action::Nullify(Target::Rows(vec![0xff; length])),
        };
        grant.masks.iter().map(nullified).collect()
    }
}

glovebox_guests::masker!(Act);
