//! Answers the same batch otherwise each time, by counting in its own memory. Nothing forbids that;
//! an answer is checked each time as if it were the first.

use std::sync::atomic::{AtomicU32, Ordering};

use glovebox_guests::{Batch, Finding, Grant, Validator, has_poison};

static TIMES: AtomicU32 = AtomicU32::new(0);

struct Act;

impl Validator for Act {
    fn apply(_: &Grant, batch: Batch) -> Vec<Finding> {
        if !has_poison(&batch) {
            return Vec::new();
        }
        let row = TIMES.fetch_add(1, Ordering::Relaxed) % batch.rows;
        vec![Finding {
            rule: 0,
            rows: vec![row],
        }]
    }
}

glovebox_guests::validator!(Act);
