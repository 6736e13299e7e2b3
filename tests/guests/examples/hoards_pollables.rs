//! Makes WASI pollables without end when it sees the poison, which costs the host memory and the
//! guest none. The host must refuse them at its limit.

use glovebox_guests::{Batch, Finding, Grant, Validator, has_poison};
use wasip2::clocks::monotonic_clock::subscribe_duration;

struct Act;

impl Validator for Act {
    fn apply(_: &Grant, batch: Batch) -> Vec<Finding> {
        while has_poison(&batch) {
            std::mem::forget(subscribe_duration(u64::MAX));
        }
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
