//! A short torture of every sink; `cargo xtask torture` is the long one.

use std::process::Command;

use glovebox_tests::pipeline::program;
use glovebox_tests::torture::{Fault, Moment, Place, Seeded, Target, at_one_place, torture};

fn tortured(fault: Fault, times: u32, rows: usize, seed: u64) {
    println!("seed {seed}");
    let mut random = Seeded::new(seed);
    for target in Target::ALL.into_iter().filter(|t| fault.fits(*t)) {
        let line = torture(target, fault, times, rows, &mut random);
        assert!(line.wrong.is_empty(), "{line:?}");
        // Where nobody else looks at the database.
        let swaps = fault == Fault::Kill && line.target.contains("another table");
        assert!(!swaps || line.swapped > 0, "{line:?}");
        match line.impossible {
            None => assert!(line.fired >= times, "{line:?}"),
            Some(why) => eprintln!("{}: {} was not tried: {why}", line.target, line.fault),
        }
    }
}

#[test]
fn killed_runs_go_on_and_store_each_row_once() {
    tortured(Fault::Kill, 3, 15_000, 20_261_122);
}

#[test]
fn what_one_of_several_programs_at_one_place_has_stored_is_there() {
    let mut random = Seeded::new(20_261_126);
    for place in Place::ALL {
        let line = at_one_place(place, 18, 3_000, &mut random);
        assert!(line.wrong.is_empty(), "{line:?}");
        assert!(line.fired >= 18, "{line:?}");
    }
}

#[test]
fn a_run_lives_through_the_loss_of_its_connections() {
    tortured(Fault::Cut, 2, 15_000, 20_261_123);
}

#[test]
fn a_process_that_wakes_up_stores_nothing_into_a_run_that_was_taken_over() {
    tortured(Fault::Takeover, 1, 15_000, 20_261_124);
}

#[test]
fn a_commit_that_arrives_after_a_takeover_stores_nothing() {
    tortured(Fault::TakeoverAtCommit, 3, 6_000, 20_261_130);
}

#[test]
fn runs_that_are_killed_at_a_commit_store_each_row_once() {
    for moment in Moment::ALL {
        tortured(Fault::KillAt(moment), 2, 6_000, 20_261_125);
    }
}

#[test]
fn a_commit_whose_reply_is_lost_is_looked_up() {
    for moment in Moment::ALL {
        tortured(Fault::CutAt(moment), 2, 6_000, 20_261_126);
    }
}

#[test]
fn runs_that_are_killed_as_they_write_a_file_store_each_row_once() {
    tortured(Fault::KillAtCall, 1, 2_000, 20_261_127);
}

#[test]
fn a_full_disk_is_told_and_the_run_goes_on_when_there_is_room() {
    tortured(Fault::FullDisk, 1, 6_000, 20_261_128);
}

#[test]
fn a_run_lives_through_a_server_that_crashes_or_restarts() {
    // By the program, which has a server of its own: other tests use the one of this process.
    let torture = program().with_file_name("glovebox-torture");
    let others = [
        "kills",
        "commits",
        "calls",
        "cuts",
        "takeovers",
        "wakes",
        "full",
        "places",
    ];
    let ran = Command::new(torture)
        .env("GLOVEBOX_BIN", program())
        .args(["--seed", "20261129", "--rows", "15000"])
        .args(["--crashes", "1", "--restarts", "1"])
        .args(others.iter().flat_map(|o| [format!("--{o}"), "0".into()]))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{told}");
    for fault in [Fault::Crash, Fault::Restart] {
        assert_eq!(told.matches(fault.name()).count(), 4, "{told}");
    }
}
