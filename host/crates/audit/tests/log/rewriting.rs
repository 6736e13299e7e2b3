//! Somebody who has the log, knows the formula and writes the chain anew: by an implementation of
//! its own, which also shows that the formula is the documented one.

use std::fs;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{KEY, OTHER_KEY, Place, files, key, lines, told};
use glovebox_audit::{Trust, verify};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}

/// Rewrites every line from that one on, so that the chain holds again.
fn rewrite(segments: &[impl AsRef<Path>], from: usize, edit: impl Fn(String) -> String) {
    let mut head: Option<Vec<u8>> = None;
    let mut seen = 0;
    for segment in segments {
        let mut made = String::new();
        for line in lines(segment.as_ref()) {
            let line = String::from_utf8(line).unwrap();
            let (body, hash) = line.trim_end().rsplit_once(",\"event.hash\":\"").unwrap();
            let mut body = body.to_owned();
            let fields: Value = serde_json::from_str(&format!("{body}}}")).unwrap();
            if let (Some(previous), Some(head)) = (fields["labels.previous"].as_str(), &head) {
                body = body.replace(previous, &hex(head));
            }
            if seen >= from {
                body = edit(body);
                let before = head.clone().unwrap_or(vec![0; 32]);
                let next = Sha256::digest([&before[..], body.as_bytes()].concat());
                head = Some(next.to_vec());
            } else {
                head = Some(unhex(&hash[..64]));
            }
            let hash = hex(head.as_ref().unwrap());
            made += &format!("{body},\"event.hash\":\"{hash}\"}}\n");
            seen += 1;
        }
        fs::write(segment, made).unwrap();
    }
}

#[test]
fn a_chain_written_anew_with_nothing_changed_is_the_same_bytes() {
    let place = Place::new();
    place.write(30);
    let before: Vec<_> = place
        .segments()
        .iter()
        .map(|s| fs::read(s).unwrap())
        .collect();
    rewrite(&place.segments(), 0, |body| body);
    let after: Vec<_> = place
        .segments()
        .iter()
        .map(|s| fs::read(s).unwrap())
        .collect();
    assert!(before == after, "the formula is not the documented one");
}

#[test]
fn a_chain_written_anew_holds_by_itself_and_not_against_its_checkpoints() {
    let original = Place::new();
    original.write(40);
    for from in [0, 1, 2, 9, 20, 39] {
        let place = original.copy();
        rewrite(&place.segments(), from, |body| {
            body.replace("\"ann\"", "\"eve\"")
        });
        let alone = verify(&place.log(), &Trust::default()).unwrap();
        assert!(alone.intact, "from {from}: {}", told(&alone));
        let found = place.verify();
        assert!(
            told(&found).contains("the log was rewritten at or before it"),
            "from {from}: {}",
            told(&found)
        );
    }
}

#[test]
fn checkpoints_signed_by_another_key_are_refused() {
    let place = Place::new();
    place.write(10);
    let (mine, theirs) = (key(KEY).public().clone(), key(OTHER_KEY).public().clone());
    let checkpoints = place.checkpoints();
    let by = |keys: &[_]| {
        let trust = Trust {
            checkpoints: Some(&checkpoints),
            keys,
            ..Trust::default()
        };
        verify(&place.log(), &trust).unwrap()
    };
    assert!(by(&[theirs.clone(), mine.clone()]).intact);
    assert!(told(&by(&[theirs])).contains("not signed by a given key"));

    // The name of our key with somebody else's signature.
    let file = &files(&checkpoints, "checkpoints-")[0];
    let text = fs::read_to_string(file).unwrap();
    let (body, _) = text
        .lines()
        .next()
        .unwrap()
        .rsplit_once(",\"signature\"")
        .unwrap();
    let forged = format!("{body},\"signature\":\"{}==\"}}\n", "A".repeat(86));
    fs::write(file, forged).unwrap();
    assert!(told(&by(&[mine])).contains("not signed by a given key"));
}

#[test]
fn removed_checkpoints_are_missed() {
    let original = Place::new();
    original.write(40);
    let place = original.copy();
    let all = files(&place.checkpoints(), "checkpoints-");
    fs::remove_file(&all[1]).unwrap();
    assert!(told(&place.verify()).contains("others were removed, added or moved"));

    // The last ones: the log itself says how many there were when its last segment began.
    let place = original.copy();
    for file in &files(&place.checkpoints(), "checkpoints-")[1..] {
        fs::remove_file(file).unwrap();
    }
    let told = told(&place.verify());
    assert!(told.contains("names checkpoint"), "{told}");
}
