//! Loops without end when asked what it is. The host must refuse to load it, in its time.

use glovebox_guests::{About, Masker};

struct Act;

impl Masker for Act {
    fn describe() -> About {
        loop {
            std::hint::spin_loop();
        }
    }
}

glovebox_guests::masker!(Act);
