//! Returns two million findings of no row for the poison, each a few bytes for the guest and more
//! for whoever reads them. The host must refuse them at its limit.

use glovebox_guests::{Batch, Finding, Grant, Validator, has_poison};

struct Act;

impl Validator for Act {
    fn apply(_: &Grant, batch: Batch) -> Vec<Finding> {
        let many = if has_poison(&batch) { 2_000_000 } else { 0 };
        let mut findings = Vec::with_capacity(many);
        findings.extend((0..many).map(|_| Finding {
            rule: 0,
            rows: Vec::new(),
        }));
        findings
    }
}

glovebox_guests::validator!(Act);
