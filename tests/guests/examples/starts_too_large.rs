//! Has a memory of 100 MiB to begin with. The host must refuse to start it.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU8, Ordering};

use glovebox_guests::{Grant, Rule, Validator};

static LARGE: [AtomicU8; 100 << 20] = [const { AtomicU8::new(0) }; 100 << 20];

struct Act;

impl Validator for Act {
    fn rules(grant: &Grant) -> Vec<Rule> {
        for byte in LARGE.iter().skip(grant.config.len()) {
            byte.fetch_add(1, Ordering::Relaxed);
        }
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
