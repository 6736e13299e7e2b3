//! Panics in `open`, with its configuration in the message. The host must give up on it before the
//! first row.

use glovebox_guests::{ConfigError, Grant, Validator};

struct Act;

impl Validator for Act {
    fn open(grant: &Grant) -> Result<(), ConfigError> {
        panic!("I was given {}", grant.config)
    }
}

glovebox_guests::validator!(Act);
