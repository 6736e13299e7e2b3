//! Returns more findings than the host takes for the poison: a million of one row, or a million
//! of none. The host must refuse them at its limit.

use glovebox_guests::{Batch, Finding, Grant, Validator, has_poison};

struct Act;

impl Validator for Act {
    fn apply(grant: &Grant, batch: Batch) -> Vec<Finding> {
        let finding = if grant.says("empty") { vec![] } else { vec![0] };
        let many = if has_poison(&batch) { 1_100_000 } else { 0 };
        (0..many)
            .map(|_| Finding {
                rule: 0,
                rows: finding.clone(),
            })
            .collect()
    }
}

glovebox_guests::validator!(Act);
