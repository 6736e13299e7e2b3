//! Takes memory without end when it sees the poison. The host must refuse it at its limit.

use glovebox_guests::{Batch, Finding, Grant, Validator, has_poison};

struct Act;

impl Validator for Act {
    fn apply(_: &Grant, batch: Batch) -> Vec<Finding> {
        let mut hoard = Vec::new();
        while has_poison(&batch) {
            hoard.push(std::hint::black_box(vec![1_u8; 1 << 20]));
        }
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
