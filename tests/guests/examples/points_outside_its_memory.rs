//! Returns rows that lie outside of its memory, across its end, or not aligned. The host must not
//! read there.
#![allow(unsafe_code)]

use glovebox_guests::{Batch, Finding, Grant, Validator, has_poison};

struct Act;

impl Validator for Act {
    fn apply(grant: &Grant, batch: Batch) -> Vec<Finding> {
        if !has_poison(&batch) {
            return Vec::new();
        }
        let (place, length) = if grant.says("outside") {
            (0xffff_ff00_usize, 1)
        } else if grant.says("across-the-end") {
            (0x1_0000, 0x1000_0000)
        } else {
            (1025, 1)
        };
        let place = std::ptr::without_provenance_mut(place);
        // SAFETY: none; that is the act.
        let rows = unsafe { Vec::from_raw_parts(place, length, length) };
        vec![Finding { rule: 0, rows }]
    }
}

glovebox_guests::validator!(Act);
