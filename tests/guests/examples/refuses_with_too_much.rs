//! The host must cut or refuse it.

use glovebox_guests::{ConfigError, Grant, Validator};

struct Act;

impl Validator for Act {
    fn open(_: &Grant) -> Result<(), ConfigError> {
        Err(ConfigError {
            path: "/".repeat(10 << 20),
            message: "x".repeat(10 << 20),
        })
    }
}

glovebox_guests::validator!(Act);
