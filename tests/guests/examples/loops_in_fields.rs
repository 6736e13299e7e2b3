//! Loops without end when asked for its fields. The host must give up on it before the first row.

use glovebox_guests::{Field, Grant, Transformer};

struct Act;

impl Transformer for Act {
    fn fields(_: &Grant) -> Vec<Field> {
        loop {
            std::hint::spin_loop();
        }
    }
}

glovebox_guests::transformer!(Act);
