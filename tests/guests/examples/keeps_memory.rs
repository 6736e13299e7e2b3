//! Keeps a megabyte of every batch. The host must replace it before it is full, and go on.

use glovebox_guests::{Batch, Finding, Grant, Validator};

struct Act;

impl Validator for Act {
    fn apply(_: &Grant, _: Batch) -> Vec<Finding> {
        std::mem::forget(std::hint::black_box(vec![1_u8; 1 << 20]));
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
