//! A short torture of every sink; `cargo xtask torture` is the long one.

use glovebox_tests::torture::{Fault, Seeded, Target, torture};

fn tortured(fault: Fault, times: u32, seed: u64) {
    println!("seed {seed}");
    let mut random = Seeded::new(seed);
    for target in Target::ALL.into_iter().filter(|t| fault.fits(*t)) {
        let line = torture(target, fault, times, 15_000, &mut random);
        assert!(line.wrong.is_empty(), "{line:?}");
        assert!(line.fired >= times, "{line:?}");
    }
}

#[test]
fn killed_runs_go_on_and_store_each_row_once() {
    tortured(Fault::Kill, 3, 20_261_122);
}

#[test]
fn a_run_lives_through_the_loss_of_its_connections() {
    tortured(Fault::Cut, 2, 20_261_123);
}

#[test]
fn a_process_that_wakes_up_stores_nothing_into_a_run_that_was_taken_over() {
    tortured(Fault::Takeover, 1, 20_261_124);
}
