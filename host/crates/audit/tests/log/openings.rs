//! Opening a log again: after a clean end, a crash, damage, or while another process writes it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use glovebox_audit::{Log, Options};

use crate::support::{Place, event, files, lines, told};

fn append(path: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

fn refusal(place: &Place) -> String {
    Log::open(place.options()).unwrap_err().to_string()
}

#[test]
fn a_log_goes_on_where_it_stood() {
    let place = Place::new();
    place.write(3);
    let log = place.open();
    // Three records, and what the log says of itself: a segment, two openings.
    assert_eq!(log.record_blocking(event(0)).unwrap().sequence, 7);
    log.close().unwrap();
    let found = place.verify();
    assert!(found.intact, "{}", told(&found));
    assert_eq!((found.first, found.last), (Some(1), Some(7)));
}

#[test]
fn a_second_writer_is_refused_until_the_first_one_is_gone() {
    let place = Place::new();
    let log = place.open();
    assert!(refusal(&place).starts_with("another process writes the audit log in "));
    log.close().unwrap();
    assert!(log.record_blocking(event(0)).is_err());
    place.write(1);
}

#[test]
fn a_torn_end_is_set_aside_and_noted() {
    for torn in [
        &b"{\"@timestamp\":\"2026-1"[..],
        b"{}",
        &[0; 5000],
        b"\0\0\0\n{\"whole\":1}\n",
    ] {
        let place = Place::new();
        place.write(3);
        let segment = place.segments().pop().unwrap();
        let whole = fs::read(&segment).unwrap();
        append(&segment, torn);
        assert!(!place.verify().intact);
        place.write(2);
        let found = place.verify();
        assert!(found.intact, "{}", told(&found));
        assert!(fs::read(&segment).unwrap().starts_with(&whole));
        let aside = files(&place.log(), "torn-");
        assert_eq!(fs::read(&aside[0]).unwrap(), torn);
        let text = fs::read_to_string(&segment).unwrap();
        assert!(text.contains(&format!("\"labels.torn\":[\"{}\",", torn.len())));
    }
}

#[test]
fn a_crash_between_a_segments_name_and_its_first_record_is_mended() {
    for begun in [&b""[..], b"{\"@times"] {
        let place = Place::new();
        place.write(30);
        let next = place.segments().len() + 1;
        let path = place.log().join(format!("audit-{next:010}.jsonl"));
        fs::write(&path, begun).unwrap();
        place.write(30);
        let found = place.verify();
        assert!(found.intact, "{}", told(&found));
        assert!(found.segments > next as u64);
    }
}

#[test]
fn a_crash_before_the_very_first_record_is_mended() {
    let place = Place::new();
    fs::create_dir_all(place.log()).unwrap();
    fs::write(place.log().join("audit-0000000001.jsonl"), "").unwrap();
    place.write(1);
    assert!(place.verify().intact);
}

#[test]
fn a_torn_checkpoint_is_cut_off() {
    let place = Place::new();
    place.write(3);
    let last = files(&place.checkpoints(), "").pop().unwrap();
    append(&last, b"{\"@timestamp\":");
    assert!(!place.verify().intact);
    place.write(1);
    let found = place.verify();
    assert!(found.intact, "{}", told(&found));
}

#[test]
fn a_writer_does_not_go_on_over_damage() {
    let damaged = |change: &dyn Fn(&Place)| {
        let place = Place::new();
        place.write(30);
        change(&place);
        refusal(&place)
    };
    let last = |place: &Place| place.segments().pop().unwrap();
    let told = damaged(&|place| {
        let text = fs::read_to_string(last(place)).unwrap();
        fs::write(last(place), text.replace("\"ann\"", "\"bob\"")).unwrap();
    });
    assert!(told.contains("does not continue the chain"), "{told}");
    assert!(told.contains("Keep the folder as evidence"), "{told}");

    let told = damaged(&|place| {
        let text = lines(&last(place));
        fs::write(last(place), text[..text.len() - 1].concat()).unwrap();
    });
    assert!(told.contains("its tail was truncated"), "{told}");

    let told = damaged(&|place| fs::remove_file(&place.segments()[0]).unwrap());
    assert!(told.contains("segment 1 is missing"), "{told}");

    let told = damaged(&|place| fs::remove_file(&place.segments()[1]).unwrap());
    assert!(told.contains("segment 2 is missing"), "{told}");

    let told = damaged(&|place| {
        for segment in place.segments() {
            fs::remove_file(segment).unwrap();
        }
    });
    assert!(told.contains("there is no log, but checkpoint"), "{told}");

    let told = damaged(&|place| {
        let all = files(&place.checkpoints(), "");
        fs::remove_file(all.last().unwrap()).unwrap();
        fs::remove_file(&all[all.len() - 2]).unwrap();
    });
    assert!(told.contains("names checkpoint"), "{told}");
}

#[test]
fn checkpoints_of_another_log_are_refused() {
    let (one, other) = (Place::new(), Place::new());
    one.write(3);
    other.write(3);
    fs::remove_dir_all(one.checkpoints()).unwrap();
    fs::rename(other.checkpoints(), one.checkpoints()).unwrap();
    assert!(refusal(&one).contains("the checkpoints belong to another log"));
    assert!(told(&one.verify()).contains("the checkpoints belong to another log"));
}

#[test]
fn a_log_without_checkpoints_works_and_may_not_be_shortened() {
    let place = Place::new();
    let log = Log::open(Options::new(place.log())).unwrap();
    log.record_blocking(event(0)).unwrap();
    log.close().unwrap();
    let mut options = Options::new(place.log());
    options.keep_for = Some(std::time::Duration::from_secs(1));
    let told = Log::open(options).unwrap_err().to_string();
    assert!(told.contains("needs checkpoints"), "{told}");
}
