//! Has a documentation of a megabyte, or a name of two thousand letters. The host must refuse it.

use glovebox_guests::{About, Validator};

struct Act;

impl Validator for Act {
    fn describe() -> About {
        About {
            name: "guest".into(),
            version: "0.1.0".into(),
            summary: String::new(),
            documentation: "x".repeat(1 << 20),
            config_schema: "{}".into(),
        }
    }
}

glovebox_guests::validator!(Act);
