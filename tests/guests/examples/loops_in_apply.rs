//! Loops without end in `apply` when it sees the poison. The host must stop it in its time.

use glovebox_guests::{Batch, Finding, Grant, Validator, has_poison};

struct Act;

impl Validator for Act {
    fn apply(_: &Grant, batch: Batch) -> Vec<Finding> {
        while has_poison(&batch) {}
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
