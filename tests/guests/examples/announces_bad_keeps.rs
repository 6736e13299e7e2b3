//! A masker that says what it keeps of fewer or more columns than it masks, or in a text without
//! measure. The host must refuse it before the first row.

use glovebox_guests::{Grant, Kept, Masker};

struct Act;

impl Masker for Act {
    fn keeps(grant: &Grant) -> Vec<Kept> {
        let columns = grant.masks.len();
        if grant.says("few") {
            Vec::new()
        } else if grant.says("many") {
            vec![Kept::Cells; columns + 1]
        } else {
            vec![Kept::Constant("x".repeat(1 << 20)); columns]
        }
    }
}

glovebox_guests::masker!(Act);
