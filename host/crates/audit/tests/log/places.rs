//! What is said of each kind of damage, and that it names the place.

use std::fs;

use glovebox_audit::{Trust, verify};

use crate::support::{Place, lines, told};

/// Damages the second segment and returns what is said.
fn after(change: impl FnOnce(&mut Vec<Vec<u8>>)) -> String {
    let place = Place::new();
    place.write(30);
    let segment = &place.segments()[1];
    let mut text = lines(segment);
    change(&mut text);
    fs::write(segment, text.concat()).unwrap();
    told(&place.verify())
}

#[test]
fn an_edited_line_is_one_finding() {
    let told = after(|text| {
        let edited = String::from_utf8(text[3].clone()).unwrap();
        text[3] = edited.replace("\"ann\"", "\"bob\"").into_bytes();
    });
    assert_eq!(
        told,
        "audit-0000000002.jsonl, line 4: does not match its hash: it was edited, or an earlier \
        record was"
    );
}

#[test]
fn a_deleted_line_is_missing_before_the_next_one() {
    let told = after(|text| {
        text.remove(3);
    });
    assert!(
        told.starts_with("audit-0000000002.jsonl, line 4: record "),
        "{told}"
    );
    assert!(told.contains("is missing before it"), "{told}");
}

#[test]
fn an_inserted_line_and_a_repeated_one_are_named() {
    let told = after(|text| text.insert(3, b"{\"event.action\":\"login\"}\n".to_vec()));
    assert_eq!(
        told,
        "audit-0000000002.jsonl, line 4: is not a record: edited or inserted"
    );
    let told = after(|text| text.insert(3, text[1].clone()));
    assert!(
        told.contains("line 4: is record") && told.contains("inserted, repeated or moved"),
        "{told}"
    );
}

#[test]
fn a_tail_that_was_cut_is_seen_by_the_checkpoints_alone() {
    let place = Place::new();
    place.write(5);
    let segment = &place.segments()[0];
    let text = lines(segment);
    fs::write(segment, text[..text.len() - 1].concat()).unwrap();
    let found = place.verify();
    assert!(
        told(&found).contains("its tail was truncated"),
        "{}",
        told(&found)
    );

    let found = verify(&place.log(), &Trust::default()).unwrap();
    assert!(found.intact);
    assert!(found.notes[0].contains("a truncated tail"));
}

#[test]
fn a_tail_that_was_cut_is_seen_by_a_head_that_was_noted() {
    let place = Place::new();
    place.write(5);
    let before = place.verify();
    let (last, head) = (before.last.unwrap(), before.head.unwrap());
    let trust = Trust {
        noted: Some((last, &head)),
        ..Trust::default()
    };
    assert!(verify(&place.log(), &trust).unwrap().intact);
    let segment = &place.segments()[0];
    let text = lines(segment);
    fs::write(segment, text[..text.len() - 1].concat()).unwrap();
    let found = verify(&place.log(), &trust).unwrap();
    assert_eq!(
        told(&found),
        format!("record {last}, named by --head, is missing")
    );
}

#[test]
fn a_missing_segment_is_named_wherever_it_was() {
    for (index, says) in [
        (
            0,
            "begins with segment 1, but the first one in the folder is 2",
        ),
        (1, "segment 2 is missing"),
    ] {
        let place = Place::new();
        place.write(40);
        fs::remove_file(&place.segments()[index]).unwrap();
        let told = told(&place.verify());
        assert!(told.contains(says), "{told}");
    }
}

#[test]
fn a_log_in_a_folder_without_one_is_a_finding() {
    let empty = tempfile::tempdir().unwrap();
    let found = verify(empty.path(), &Trust::default()).unwrap();
    assert_eq!(told(&found), "there is no log segment");
}
