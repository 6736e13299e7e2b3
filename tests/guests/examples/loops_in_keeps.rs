//! Loops without end when asked what it keeps. The host must give up on it before the first row.

use glovebox_guests::{Grant, Kept, Masker};

struct Act;

impl Masker for Act {
    fn keeps(_: &Grant) -> Vec<Kept> {
        loop {
            std::hint::spin_loop();
        }
    }
}

glovebox_guests::masker!(Act);
