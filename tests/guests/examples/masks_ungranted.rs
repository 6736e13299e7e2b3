//! Masks, for the poison, a column that it may only read, one that is not there, or one twice. The
//! host must use none of its actions.

use glovebox_guests::{Action, Batch, Grant, Masked, Masker, Target, has_poison};

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
        let nullified = |column| Masked {
            column,
            action: Action::Nullify(Target::Cells),
        };
        columns.into_iter().map(nullified).collect()
    }
}

glovebox_guests::masker!(Act);
