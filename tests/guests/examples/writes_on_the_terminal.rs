//! Says of itself what would clear an operator's screen and ring the bell, in every text that it may
//! announce. The host must take the control characters out.

use glovebox_guests::{About, ConfigError, Grant, Rule, Validator};

const EVIL: &str = "\u{1b}[2J\u{7}evil\r\u{9b}1m";

struct Act;

impl Validator for Act {
    fn describe() -> About {
        About {
            name: EVIL.into(),
            version: EVIL.into(),
            summary: EVIL.into(),
            documentation: format!("{EVIL}\n{EVIL}"),
            config_schema: "{}".into(),
        }
    }

    fn open(grant: &Grant) -> Result<(), ConfigError> {
        let refused = ConfigError {
            path: EVIL.into(),
            message: EVIL.repeat(1_000),
        };
        if grant.says("refuse") {
            Err(refused)
        } else {
            Ok(())
        }
    }

    fn rules(_: &Grant) -> Vec<Rule> {
        vec![Rule {
            id: EVIL.into(),
            column: None,
            message: EVIL.into(),
        }]
    }
}

glovebox_guests::validator!(Act);
