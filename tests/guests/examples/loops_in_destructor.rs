//! Loops without end when its resource is dropped. The host must not wait for it.

use glovebox_guests::Validator;

struct Act;

impl Validator for Act {
    fn dropped() {
        loop {
            std::hint::spin_loop();
        }
    }
}

glovebox_guests::validator!(Act);
