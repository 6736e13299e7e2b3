//! Waits, when it sees the poison, for what never comes: the end of time, or any of a thousand
//! timers. It runs no instruction that could be counted, and the host must stop waiting in its time.

use glovebox_guests::{Batch, Finding, Grant, Validator, has_poison};
use wasip2::clocks::monotonic_clock::{subscribe_duration, subscribe_instant};

struct Act;

impl Validator for Act {
    fn apply(grant: &Grant, batch: Batch) -> Vec<Finding> {
        if has_poison(&batch) {
            if grant.says("many") {
                let timers: Vec<_> = (0..1_000).map(|_| subscribe_duration(u64::MAX)).collect();
                wasip2::io::poll::poll(&timers.iter().collect::<Vec<_>>());
            } else {
                subscribe_instant(u64::MAX).block();
            }
        }
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
