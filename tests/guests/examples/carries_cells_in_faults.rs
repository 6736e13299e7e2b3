//! Tries to carry its cells out in the way it fails: in a panic's text, in the code that it exits
//! with, in the address of a wild read, in how deep it is when its stack ends. The host must repeat
//! none.
#![allow(unsafe_code)]

use glovebox_guests::{Batch, Finding, Grant, Validator, Values, has_poison, text_cells};

struct Act;

#[inline(never)]
fn canary_rhubarb_4711(n: u64) -> u64 {
    let frame = std::hint::black_box([n; 64]);
    frame.iter().map(|&m| canary_rhubarb_4711(m + 1)).sum()
}

impl Validator for Act {
    fn apply(grant: &Grant, batch: Batch) -> Vec<Finding> {
        if !has_poison(&batch) {
            return Vec::new();
        }
        let cells: Vec<_> = batch.columns.iter().flat_map(text_cells).collect();
        let number = batch.columns.iter().find_map(|c| match &c.values {
            Values::Int64(numbers) => numbers.first().copied(),
            _ => None,
        });
        if grant.says("exit") {
            std::process::exit(number.unwrap_or(4711) as i32);
        } else if grant.says("address") {
            let place: *const u64 = std::ptr::without_provenance(0xf000_4711);
            // SAFETY: none; that is the act.
            std::hint::black_box(unsafe { place.read_volatile() });
        } else if grant.says("depth") {
            std::hint::black_box(canary_rhubarb_4711(4711));
        } else if grant.says("error-text") {
            eprintln!("{cells:?} {number:?}");
            std::process::abort();
        }
        panic!("{cells:?} {number:?}")
    }
}

glovebox_guests::validator!(Act);
