//! A thousand things done to a log at random, each of which has to be found.

use std::fs;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::{Place, files, lines, told};

const MUTATIONS: u64 = 1000;

/// Does something to the log or its checkpoints, and says what.
fn damage(place: &Place, random: &mut StdRng) -> String {
    let segments = place.segments();
    let segment = &segments[random.random_range(0..segments.len())];
    let name = segment.file_name().unwrap().to_string_lossy().into_owned();
    let mut text = lines(segment);
    let line = random.random_range(0..text.len());
    let mut other = random.random_range(0..text.len());
    while other == line {
        other = random.random_range(0..text.len());
    }
    let done = match random.random_range(0..14) {
        0 | 1 => return flip(segment, random),
        2 => {
            text.remove(line);
            format!("line {} of {name} deleted", line + 1)
        }
        3 => {
            let made = text[other].clone();
            text.insert(line, made);
            format!("line {} of {name} repeated at {}", other + 1, line + 1)
        }
        4 => {
            text.swap(line, other);
            format!("lines {} and {} of {name} swapped", line + 1, other + 1)
        }
        5 => {
            let made = [&b"\n"[..], b"{}\n", b"not a record\n", b"\0\n"];
            text.insert(line, made[random.random_range(0..made.len())].to_vec());
            format!("something inserted at line {} of {name}", line + 1)
        }
        6 => {
            let cut = random.random_range(0..text.len());
            text.truncate(cut);
            format!("{name} cut after {cut} lines")
        }
        7 => {
            let whole = fs::read(segment).unwrap();
            let cut = random.random_range(0..whole.len());
            fs::write(segment, &whole[..cut]).unwrap();
            return format!("{name} cut after {cut} bytes");
        }
        8 => {
            // A copy from another place of the log, over a line.
            let from = &segments[random.random_range(0..segments.len())];
            let theirs = lines(from);
            let made = theirs[random.random_range(0..theirs.len())].clone();
            if made == text[line] {
                return flip(segment, random);
            }
            text[line] = made;
            format!("line {} of {name} written over", line + 1)
        }
        9 => {
            fs::remove_file(segment).unwrap();
            return format!("{name} deleted");
        }
        10 => {
            fs::rename(segment, segment.with_file_name("audit-0000000099.jsonl")).unwrap();
            return format!("{name} renamed");
        }
        11 => {
            let with = segments.iter().find(|s| *s != segment).unwrap();
            let aside = segment.with_file_name("aside");
            fs::rename(segment, &aside).unwrap();
            fs::rename(with, segment).unwrap();
            fs::rename(&aside, with).unwrap();
            return format!("{name} and another segment exchanged");
        }
        12 => {
            let all = files(&place.checkpoints(), "");
            return flip(&all[random.random_range(0..all.len())], random);
        }
        _ => {
            // A word of a record for another one, hash and all else left as they are.
            let before = String::from_utf8(text[line].clone()).unwrap();
            let after = match before.contains("\"ann\"") {
                true => before.replace("\"ann\"", "\"bob\""),
                false => before.replace("success", "failure"),
            };
            text[line] = after.into_bytes();
            format!("a word of line {} of {name} edited", line + 1)
        }
    };
    fs::write(segment, text.concat()).unwrap();
    done
}

fn flip(path: &Path, random: &mut StdRng) -> String {
    let mut bytes = fs::read(path).unwrap();
    let at = random.random_range(0..bytes.len());
    let bit = random.random_range(0..8);
    bytes[at] ^= 1 << bit;
    fs::write(path, bytes).unwrap();
    let name = path.file_name().unwrap().to_string_lossy();
    format!("bit {bit} of byte {at} of {name} flipped")
}

#[test]
fn every_one_of_a_thousand_mutations_is_found() {
    let original = Place::new();
    original.write(60);
    original.write(5);
    assert!(original.segments().len() > 3);
    let found = original.verify();
    assert!(found.intact, "{}", told(&found));
    for seed in 0..MUTATIONS {
        let place = original.copy();
        let done = damage(&place, &mut StdRng::seed_from_u64(seed));
        let found = place.verify();
        assert!(!found.intact, "seed {seed}: {done}: not found");
        assert!(!found.findings.is_empty());
    }
}

#[test]
fn an_undamaged_copy_is_intact() {
    let original = Place::new();
    original.write(30);
    let found = original.copy().verify();
    assert!(found.intact, "{}", told(&found));
    assert_eq!(found.uncovered, Some(0));
    assert!(found.signatures);
}
