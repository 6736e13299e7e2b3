//! Panics when it sees the poison, with all its cells in the message. The host must repeat none.

use glovebox_guests::{Batch, Finding, Grant, Validator, has_poison, text_cells};

struct Act;

impl Validator for Act {
    fn apply(_: &Grant, batch: Batch) -> Vec<Finding> {
        let cells: Vec<_> = batch.columns.iter().flat_map(text_cells).collect();
        assert!(!has_poison(&batch), "I saw {cells:?}");
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
