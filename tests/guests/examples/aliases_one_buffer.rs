//! Returns 100,000 findings whose rows are all the same 4 KiB, which are 400 MiB to whoever copies
//! them. The host must refuse that at its limit.
#![allow(unsafe_code)]

use glovebox_guests::{Batch, Finding, Grant, Validator, has_poison};

struct Act;

impl Validator for Act {
    fn apply(_: &Grant, batch: Batch) -> Vec<Finding> {
        let mut findings = Vec::new();
        if has_poison(&batch) {
            let rows = Vec::leak((0..1024_u32).collect());
            for _ in 0..100_000 {
                // SAFETY: none; that is the act. It ends in the host's refusal.
                let rows = unsafe { Vec::from_raw_parts(rows.as_mut_ptr(), 1024, 1024) };
                findings.push(Finding { rule: 0, rows });
            }
        }
        findings
    }
}

glovebox_guests::validator!(Act);
