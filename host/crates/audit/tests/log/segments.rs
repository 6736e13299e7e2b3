//! Rotation by size and age, and how long segments are kept.

use std::fs;
use std::time::Duration;

use glovebox_audit::Log;

use crate::support::{Place, event, files, lines, told};

#[test]
fn segments_rotate_by_size_and_carry_the_head_before() {
    let place = Place::new();
    place.write(40);
    let segments = place.segments();
    assert!(segments.len() > 3);
    for pair in segments.windows(2) {
        let size = fs::metadata(&pair[0]).unwrap().len();
        assert!((4000..6000).contains(&size), "{size}");
        let before = lines(&pair[0]).pop().unwrap();
        let before: serde_json::Value = serde_json::from_slice(&before).unwrap();
        let first: serde_json::Value = serde_json::from_slice(&lines(&pair[1])[0]).unwrap();
        assert_eq!(first["labels.previous"], before["event.hash"]);
        assert_eq!(first["event.action"], "segment-opened");
    }
}

#[test]
fn segments_rotate_by_age() {
    let place = Place::new();
    let mut options = place.options();
    options.segment_age = Duration::ZERO;
    let log = Log::open(options).unwrap();
    for n in 0..3 {
        log.record_blocking(event(n)).unwrap();
    }
    log.close().unwrap();
    assert_eq!(place.segments().len(), 4);
    assert!(place.verify().intact);
}

#[test]
fn old_segments_go_after_a_checkpoint_that_names_the_new_beginning() {
    let place = Place::new();
    place.write(40);
    let before = place.segments().len();
    let mut options = place.options();
    options.keep_for = Some(Duration::ZERO);
    let log = Log::open(options).unwrap();
    log.record_blocking(event(0)).unwrap();
    log.close().unwrap();
    let segments = place.segments();
    assert!(segments.len() < before);
    let found = place.verify();
    assert!(found.intact, "{}", told(&found));
    assert!(found.first > Some(1));
    assert_eq!(
        files(&place.checkpoints(), "checkpoints-").len(),
        segments.len()
    );

    // It goes on, and what was kept may still not be shortened by anybody else.
    place.write(40);
    assert!(place.verify().intact);
    fs::remove_file(&place.segments()[0]).unwrap();
    let told = told(&place.verify());
    assert!(
        told.contains("by its own records the log begins with"),
        "{told}"
    );
    assert!(
        told.contains("by its last checkpoint the log begins with"),
        "{told}"
    );
}

#[test]
fn a_crash_before_old_segments_are_deleted_is_made_good() {
    let place = Place::new();
    place.write(40);
    let old = place.copy();
    let mut options = place.options();
    options.keep_for = Some(Duration::ZERO);
    Log::open(options).unwrap().close().unwrap();
    let left = place.segments().len();
    for segment in old.segments() {
        let back = place.log().join(segment.file_name().unwrap());
        if !back.exists() {
            fs::copy(&segment, back).unwrap();
        }
    }
    let found = place.verify();
    assert!(found.intact, "{}", told(&found));
    place.write(0);
    assert_eq!(place.segments().len(), left);
}
