//! Loops without end when the host has read its answer and lets it clean up. The host must count
//! that as the call.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};

use glovebox_guests::{Batch, Finding, Grant, Validator, poisoned};

static ARMED: AtomicBool = AtomicBool::new(false);

struct Trick;

// SAFETY: it is the system's, but for the act.
unsafe impl GlobalAlloc for Trick {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        while ARMED.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
        // SAFETY: passed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static TRICK: Trick = Trick;

struct Act;

impl Validator for Act {
    fn apply(_: &Grant, batch: Batch) -> Vec<Finding> {
        let rows = poisoned(&batch);
        if rows.is_empty() {
            return Vec::new();
        }
        // What is freed from here on is the answer.
        std::mem::forget(batch);
        ARMED.store(true, Ordering::Relaxed);
        vec![Finding { rule: 0, rows }]
    }
}

glovebox_guests::validator!(Act);
