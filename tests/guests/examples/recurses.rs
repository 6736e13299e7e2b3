//! Recurses too deeply when it sees the poison, on the machine's stack or, with large frames, on
//! its own in its memory. The host's own stack must not be touched.

use glovebox_guests::{Batch, Finding, Grant, Validator, has_poison};

struct Act;

/// Ackermann's function, which no compiler makes a loop of.
fn ackermann(m: u64, n: u64) -> u64 {
    match (m, n) {
        (0, n) => n + 1,
        (m, 0) => ackermann(m - 1, 1),
        (m, n) => ackermann(m - 1, ackermann(m, n - 1)),
    }
}

#[inline(never)]
fn large(n: u64) -> u64 {
    let frame = std::hint::black_box([n; 512]);
    frame.iter().map(|&m| large(m + 1)).sum()
}

impl Validator for Act {
    fn apply(grant: &Grant, batch: Batch) -> Vec<Finding> {
        if has_poison(&batch) {
            std::hint::black_box(match grant.says("frames") {
                true => large(0),
                false => ackermann(4, std::hint::black_box(1)),
            });
        }
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
