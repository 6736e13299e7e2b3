//! Guests that look for a way out.

use crate::room::{Room, clean, findings, poisonous, silent};

#[test]
fn every_door_of_wasi_is_shut() {
    let mut instance = Room::of("looks_around").open().unwrap();
    let opened = findings(instance.apply(&clean()).unwrap());
    let doors = instance.announced();
    assert!(opened.is_empty(), "{opened:?} of {doors:?}");
}

#[test]
fn what_it_writes_and_logs_is_dropped() {
    // What reaches the process's own standard output and error is asserted end to end.
    let mut room = Room::of("shouts");
    room.limits.memory = 64 << 20;
    let mut instance = room.open().unwrap();
    let answer = instance.apply(&poisonous()).unwrap();
    silent(&format!("{answer:?}"));
    assert!(findings(answer).is_empty());
}
