//! Many callers at a time, and what they are told when the disk refuses.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Mutex;

use glovebox_audit::{CheckpointPolicy, Checkpoints, Log};

use crate::support::{KEY, Place, event, key, told};

#[test]
fn concurrent_callers_get_numbers_of_their_own_and_share_syncs() {
    const THREADS: u64 = 32;
    const EACH: u64 = 40;
    let place = Place::new();
    let mut options = place.options();
    options.segment_size = 1 << 20;
    let log = Log::open(options).unwrap();
    let numbers = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut before = 0;
                for n in 0..EACH {
                    let sequence = log.record_blocking(event(n)).unwrap().sequence;
                    assert!(sequence > before);
                    before = sequence;
                    assert!(numbers.lock().unwrap().insert(sequence));
                }
            });
        }
    });
    let syncs = log.syncs();
    log.close().unwrap();
    assert_eq!(numbers.lock().unwrap().len() as u64, THREADS * EACH);
    assert!(
        syncs < THREADS * EACH,
        "{syncs} syncs: no two callers shared one"
    );
    let found = place.verify();
    assert!(found.intact, "{}", told(&found));
    assert_eq!(found.last, Some(THREADS * EACH + 2));
}

#[test]
fn a_record_is_on_disk_when_it_is_acknowledged() {
    let place = Place::new();
    let log = place.open();
    for n in 0..20 {
        let sequence = log.record_blocking(event(n)).unwrap().sequence;
        let text: String = place
            .segments()
            .iter()
            .map(|s| fs::read_to_string(s).unwrap())
            .collect();
        assert!(text.contains(&format!("\"event.sequence\":{sequence},")));
    }
    log.close().unwrap();
}

#[test]
fn async_callers_are_served_too() {
    let place = Place::new();
    let log = place.open();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let receipt = runtime.block_on(log.record(event(0))).unwrap();
    assert_eq!(receipt.sequence, 3);
}

#[test]
fn a_second_place_that_is_full_stops_every_later_record() {
    let place = Place::new();
    let mut options = place.options();
    options.segment_size = 2000;
    options.checkpoints = Some(Checkpoints {
        folder: place.checkpoints(),
        key: key(KEY),
        pace: CheckpointPolicy {
            records: 1,
            ..CheckpointPolicy::default()
        },
    });
    let log = Log::open(options).unwrap();
    // A device that takes nothing, in the place of the second segment's checkpoints.
    symlink(
        "/dev/full",
        place.checkpoints().join("checkpoints-0000000002.jsonl"),
    )
    .unwrap();
    let mut refused = None;
    for n in 0..20 {
        if let Err(error) = log.record_blocking(event(n)) {
            refused = Some(error.to_string());
            break;
        }
    }
    let refused = refused.expect("a full device took checkpoints");
    assert!(refused.contains("cannot take records"), "{refused}");
    assert!(
        refused.contains("checkpoints-0000000002.jsonl"),
        "{refused}"
    );
    for n in 0..3 {
        let again = log.record_blocking(event(n)).unwrap_err().to_string();
        assert_eq!(again, refused, "every later record is refused alike");
    }
    assert!(log.ready().is_err());
    assert!(log.close().is_err());
}
