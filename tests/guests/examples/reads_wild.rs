//! Reads outside of its memory when it sees the poison. The host's memory must not be behind it.
#![allow(unsafe_code)]

use glovebox_guests::{Batch, Finding, Grant, Validator, has_poison};

struct Act;

impl Validator for Act {
    fn apply(_: &Grant, batch: Batch) -> Vec<Finding> {
        if has_poison(&batch) {
            let place: *const u64 = std::ptr::without_provenance(0xffff_fff0);
            // SAFETY: none; that is the act.
            std::hint::black_box(unsafe { place.read_volatile() });
        }
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
