//! Calls the host without end when it sees the poison, each call a quick one. The host must stop
//! it in its time.

use glovebox_guests::{Batch, Finding, Grant, Level, Validator, has_poison, log};

struct Act;

impl Validator for Act {
    fn apply(_: &Grant, batch: Batch) -> Vec<Finding> {
        while has_poison(&batch) {
            for _ in 0..1_000_000 {
                log(Level::Debug, "still here");
            }
        }
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
