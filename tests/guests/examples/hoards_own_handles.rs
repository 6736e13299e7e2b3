//! Makes handles of its own resource without end when it sees the poison, which costs the host
//! memory and the guest none. The host must refuse them at its limit.

use glovebox_guests::bindings::exports::glovebox::plugin::validator::GuestCheck;
use glovebox_guests::{Batch, Finding, Grant, OpenValidator, Validator, has_poison};

struct Act;

impl Validator for Act {
    fn apply(_: &Grant, batch: Batch) -> Vec<Finding> {
        while has_poison(&batch) {
            std::mem::forget(OpenValidator::<Act>::open(String::new(), Vec::new()));
        }
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
