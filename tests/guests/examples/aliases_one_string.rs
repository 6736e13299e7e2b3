//! Announces ten thousand rules whose names and messages are all the same 64 KiB, which are more
//! than a gigabyte to whoever copies them. The host must refuse that at its limit.
#![allow(unsafe_code)]

use glovebox_guests::{Grant, Rule, Validator};

struct Act;

impl Validator for Act {
    fn rules(_: &Grant) -> Vec<Rule> {
        let text = "x".repeat(64 << 10).leak();
        let alias = || {
            // SAFETY: none; that is the act. It ends in the host's refusal.
            unsafe { String::from_raw_parts(text.as_ptr().cast_mut(), text.len(), text.len()) }
        };
        (0..10_000)
            .map(|_| Rule {
                id: alias(),
                column: None,
                message: alias(),
            })
            .collect()
    }
}

glovebox_guests::validator!(Act);
