//! Recurses through the host when it sees the poison: its destructor makes and drops another of its
//! resources, or its allocator, which the host calls for an answer, asks the host again. The host's
//! own stack must not be touched.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};

use glovebox_guests::bindings::exports::glovebox::plugin::validator::GuestCheck as _;
use glovebox_guests::{Batch, Finding, Grant, OpenValidator, Validator, has_poison};

static IN_DESTRUCTOR: AtomicBool = AtomicBool::new(false);
static IN_ALLOCATOR: AtomicBool = AtomicBool::new(false);

struct Trick;

// SAFETY: it is the system's, but for the act.
unsafe impl GlobalAlloc for Trick {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if IN_ALLOCATOR.load(Ordering::Relaxed) {
            std::hint::black_box(wasip2::random::random::get_random_bytes(64));
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
    fn apply(grant: &Grant, batch: Batch) -> Vec<Finding> {
        if has_poison(&batch) {
            if grant.says("destructor") {
                IN_DESTRUCTOR.store(true, Ordering::Relaxed);
                drop(OpenValidator::<Act>::open(String::new(), Vec::new()));
            } else {
                IN_ALLOCATOR.store(true, Ordering::Relaxed);
                std::hint::black_box(vec![1_u8; 1_000]);
            }
        }
        Vec::new()
    }

    fn dropped() {
        if IN_DESTRUCTOR.load(Ordering::Relaxed) {
            drop(OpenValidator::<Act>::open(String::new(), Vec::new()));
        }
    }
}

glovebox_guests::validator!(Act);
