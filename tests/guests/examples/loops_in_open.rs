//! Loops without end in `open`. The host must give up on it before the first row.

use glovebox_guests::{ConfigError, Grant, Validator};

struct Act;

impl Validator for Act {
    fn open(_: &Grant) -> Result<(), ConfigError> {
        loop {
            std::hint::spin_loop();
        }
    }
}

glovebox_guests::validator!(Act);
