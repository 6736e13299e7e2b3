//! Recurses without end when it sees the poison. The host's own stack must not be touched.

use glovebox_guests::{Batch, Finding, Grant, Validator, has_poison};

struct Act;

#[inline(never)]
fn deeper(n: u64) -> u64 {
    let frame = std::hint::black_box([n; 16]);
    frame.iter().map(|&m| deeper(m + 1)).sum()
}

impl Validator for Act {
    fn apply(_: &Grant, batch: Batch) -> Vec<Finding> {
        if has_poison(&batch) {
            std::hint::black_box(deeper(0));
        }
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
