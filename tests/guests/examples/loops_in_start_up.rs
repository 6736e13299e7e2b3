//! Loops without end in code that runs before any call. The host must count that as the call.
#![allow(unsafe_code)]

use glovebox_guests::Validator;

struct Act;

impl Validator for Act {}

extern "C" fn start_up() {
    // Lint the guest natively, but never run this there.
    while cfg!(target_arch = "wasm32") {
        std::hint::spin_loop();
    }
}

#[used]
#[unsafe(link_section = ".init_array")]
static START_UP: extern "C" fn() = start_up;

glovebox_guests::validator!(Act);
