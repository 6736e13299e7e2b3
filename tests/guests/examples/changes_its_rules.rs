//! Tries to announce other rules each time: by chance, by the clock, by the place of its memory, by
//! what it saw before. The host must give it nothing to tell the times apart by.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use glovebox_guests::{Grant, Rule, Validator};

static TIMES: AtomicU64 = AtomicU64::new(0);

struct Act;

impl Validator for Act {
    fn rules(_: &Grant) -> Vec<Rule> {
        let place = Box::new(0_u8);
        let signs = [
            RandomState::new().hash_one(1),
            wasip2::random::random::get_random_u64(),
            wasip2::random::insecure::get_insecure_random_u64(),
            wasip2::random::insecure_seed::insecure_seed().0,
            wasip2::clocks::monotonic_clock::now(),
            wasip2::clocks::wall_clock::now().seconds,
            (&raw const *place).addr() as u64,
            TIMES.fetch_add(1, Ordering::Relaxed),
        ];
        vec![Rule {
            id: format!("{signs:?}"),
            column: None,
            message: format!("{:?} {:?}", Instant::now(), SystemTime::now()),
        }]
    }
}

glovebox_guests::validator!(Act);
