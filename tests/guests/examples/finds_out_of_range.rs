//! Finds what is not there when it sees the poison: a row or a rule that does not exist, rows that
//! fall, a row twice. The host must use none of its findings.

use glovebox_guests::{Batch, Finding, Grant, Validator, has_poison};

struct Act;

impl Validator for Act {
    fn apply(grant: &Grant, batch: Batch) -> Vec<Finding> {
        if !has_poison(&batch) {
            return Vec::new();
        }
        let (rule, rows) = if grant.says("rule") {
            (1, vec![0])
        } else if grant.says("row") {
            (0, vec![0, batch.rows])
        } else if grant.says("last-row") {
            (0, vec![u32::MAX])
        } else if grant.says("falling") {
            (0, vec![batch.rows - 1, 0])
        } else {
            (0, vec![0, 0])
        };
        vec![Finding { rule, rows }]
    }
}

glovebox_guests::validator!(Act);
