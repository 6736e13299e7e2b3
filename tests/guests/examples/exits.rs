//! Calls `exit` when it sees the poison. The host must not exit with it.

use glovebox_guests::{Batch, Finding, Grant, Validator, has_poison};

struct Act;

impl Validator for Act {
    fn apply(_: &Grant, batch: Batch) -> Vec<Finding> {
        if has_poison(&batch) {
            std::process::exit(0);
        }
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
