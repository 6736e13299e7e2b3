//! Sleeps for an hour when it sees the poison: it runs no instruction that could be counted. The
//! host must stop waiting in its time.

use std::time::Duration;

use glovebox_guests::{Batch, Finding, Grant, Validator, has_poison};

struct Act;

impl Validator for Act {
    fn apply(_: &Grant, batch: Batch) -> Vec<Finding> {
        if has_poison(&batch) {
            std::thread::sleep(Duration::from_secs(3600));
        }
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
