//! Writes its cells without end when it sees the poison: on standard output, on standard error or
//! into the log. The host must keep none of it, and stop it in its time.

use std::io::Write;

use glovebox_guests::{Batch, Finding, Grant, Level, Validator, has_poison, log, text_cells};

struct Act;

impl Validator for Act {
    fn apply(grant: &Grant, batch: Batch) -> Vec<Finding> {
        let cells: Vec<_> = batch.columns.iter().flat_map(text_cells).collect();
        let shout = cells.join("\n").repeat(1_000);
        while has_poison(&batch) {
            // It does not matter whether anybody listens.
            if grant.says("output") {
                let _ = std::io::stdout().write_all(shout.as_bytes());
            } else if grant.says("error") {
                let _ = std::io::stderr().write_all(shout.as_bytes());
            } else {
                log(Level::Error, &shout);
            }
        }
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
