//! A short campaign: few mutants, but of every recipe and all the way.

// clippy.toml lets tests fail loudly, but does not see that what they call is a test's too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::time::Duration;

use glovebox_fuzz::{Bench, Breeder, Campaign, Outcome, Seeds};

const SEED: u64 = 4711;

fn breeder() -> Breeder {
    // `<target>/tmp` is beside the plugins.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    Breeder::new(Seeds::read(target).unwrap(), SEED)
}

#[test]
fn parents_are_given_rows() {
    let breeder = breeder();
    let bench = Bench::new().unwrap().patient(Duration::from_secs(20));
    let mut ran = 0;
    for parent in breeder.parents() {
        match bench.run(&parent) {
            Outcome::Ran => ran += 1,
            // Hostile guests act when they see the poison.
            Outcome::ApplyFault(_) => {}
            other => panic!("{}: {other:?}", parent.parent()),
        }
    }
    assert!(ran >= 10, "only {ran} parents run");
}

#[test]
fn a_mutant_is_a_function_of_seed_and_number() {
    let (one, two) = (breeder(), breeder());
    for number in 0..40 {
        let (a, b) = (one.mutant(number).unwrap(), two.mutant(number).unwrap());
        assert_eq!(a.bytes, b.bytes, "mutant {number}");
        assert_eq!((a.recipe, a.parent()), (b.recipe, b.parent()));
    }
}

#[test]
fn a_few_hundred_mutants_do_no_harm() {
    println!("seed {SEED}");
    let campaign = Campaign {
        from: 0,
        count: 300,
        workers: std::thread::available_parallelism().map_or(1, usize::from),
        until: None,
        patience: Duration::from_secs(120),
    };
    let ended = campaign.run(&breeder(), &Bench::new().unwrap(), |_, _| {}, |_| {});
    println!("{}", ended.tally);
    assert!(ended.wrong.is_none(), "{:?}", ended.wrong);
    assert!(ended.stuck.is_empty(), "{:?}", ended.stuck);
    assert_eq!(ended.tally.all(), campaign.count);
    // A campaign whose mutants are all refused at the door would find nothing.
    assert!(ended.tally.loaded() >= 40, "{}", ended.tally);
    assert!(ended.tally.met_rows() >= 30, "{}", ended.tally);
}
