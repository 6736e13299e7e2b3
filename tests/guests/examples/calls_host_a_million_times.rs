//! Calls the host a million times when it sees the poison, with a text each time, and returns. The
//! host must keep nothing of it.

use glovebox_guests::{Batch, Finding, Grant, Level, Validator, has_poison, log};

struct Act;

impl Validator for Act {
    fn apply(_: &Grant, batch: Batch) -> Vec<Finding> {
        if has_poison(&batch) {
            for _ in 0..1_000_000 {
                log(
                    Level::Error,
                    "a text of which a million are a few megabytes",
                );
            }
        }
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
