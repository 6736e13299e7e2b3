//! Writes all its cells on standard output, standard error and into the log, a megabyte of each.
//! The host must keep them out of everything that leaves it.

use std::io::Write;

use glovebox_guests::{Batch, Finding, Grant, Level, Validator, log, text_cells};

struct Act;

impl Validator for Act {
    fn apply(_: &Grant, batch: Batch) -> Vec<Finding> {
        let cells: Vec<_> = batch.columns.iter().flat_map(text_cells).collect();
        let mut shout = cells.join("\n");
        while !shout.is_empty() && shout.len() < 1 << 20 {
            shout = shout.repeat(2);
        }
        // It does not matter whether anybody listens.
        let _ = std::io::stdout().write_all(shout.as_bytes());
        let _ = std::io::stderr().write_all(shout.as_bytes());
        for level in [Level::Debug, Level::Info, Level::Warn, Level::Error] {
            log(level, &shout);
        }
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
