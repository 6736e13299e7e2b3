//! Asks WASI for more at once than the machine has when it sees the poison: zeroes on standard
//! output, bytes from standard input, random bytes. The host must not allocate them.

use glovebox_guests::{Batch, Finding, Grant, Validator, has_poison};

struct Act;

impl Validator for Act {
    fn apply(grant: &Grant, batch: Batch) -> Vec<Finding> {
        if has_poison(&batch) {
            let much = 1 << 40;
            if grant.says("zeroes") {
                let _ = wasip2::cli::stdout::get_stdout().write_zeroes(much);
            } else if grant.says("random") {
                let _ = wasip2::random::random::get_random_bytes(much);
            } else {
                let _ = wasip2::cli::stdin::get_stdin().blocking_read(much);
            }
        }
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
