//! Leaks one thing with every batch: a handle of its own, one of WASI's, or a little memory. Over
//! ten thousand batches the host must not grow, and no batch may be lost to it.

use glovebox_guests::bindings::exports::glovebox::plugin::validator::GuestCheck as _;
use glovebox_guests::{Batch, Finding, Grant, OpenValidator, Validator};
use wasip2::clocks::monotonic_clock::subscribe_duration;

struct Act;

impl Validator for Act {
    fn apply(grant: &Grant, _: Batch) -> Vec<Finding> {
        if grant.says("own-handle") {
            std::mem::forget(OpenValidator::<Act>::open(String::new(), Vec::new()));
        } else if grant.says("pollable") {
            std::mem::forget(subscribe_duration(u64::MAX));
        } else if grant.says("stream") {
            std::mem::forget(wasip2::cli::stdout::get_stdout());
        } else {
            std::mem::forget(std::hint::black_box(vec![1_u8; 10_000]));
        }
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
