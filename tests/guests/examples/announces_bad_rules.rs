//! Announces rules that cannot be: of a column that it has not, too many, too long, not UTF-8. The
//! host must refuse it before the first row.
#![allow(unsafe_code)]

use glovebox_guests::{Grant, Rule, Validator};

struct Act;

impl Validator for Act {
    fn rules(grant: &Grant) -> Vec<Rule> {
        let mut rule = Rule {
            id: "guest".into(),
            column: None,
            message: "a message".into(),
        };
        if grant.says("column") {
            rule.column = Some(7);
        } else if grant.says("many") {
            return vec![rule; 20_000];
        } else if grant.says("long-id") {
            rule.id = "x".repeat(2_000);
        } else if grant.says("long-message") {
            rule.message = "x".repeat(2_000);
        } else if grant.says("huge") {
            rule.message = "x".repeat(40 << 20);
        } else {
            // SAFETY: none; that is the act.
            rule.message = unsafe { String::from_utf8_unchecked(vec![0xff]) };
        }
        vec![rule]
    }
}

glovebox_guests::validator!(Act);
