//! Loops without end when the host asks it for room for a batch. The host must count that as the
//! call.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};

use glovebox_guests::{Grant, Rule, Validator};

static ARMED: AtomicBool = AtomicBool::new(false);

struct Trick;

// SAFETY: it is the system's, but for the act.
unsafe impl GlobalAlloc for Trick {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        while ARMED.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static TRICK: Trick = Trick;

struct Act;

impl Validator for Act {
    fn rules(_: &Grant) -> Vec<Rule> {
        // The next to allocate is the host, for the first batch.
        ARMED.store(true, Ordering::Relaxed);
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
