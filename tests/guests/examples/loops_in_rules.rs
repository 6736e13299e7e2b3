//! Loops without end when asked for its rules. The host must give up on it before the first row.

use glovebox_guests::{Grant, Rule, Validator};

struct Act;

impl Validator for Act {
    fn rules(_: &Grant) -> Vec<Rule> {
        loop {
            std::hint::spin_loop();
        }
    }
}

glovebox_guests::validator!(Act);
