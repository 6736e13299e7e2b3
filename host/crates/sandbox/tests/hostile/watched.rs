//! What an author who watches gets to see of a guest, and a run does not.

use std::path::PathBuf;

use glovebox_core::Limits;
use glovebox_sandbox::{Channel, GuestOutput, Line, Workbench};

use crate::room::{CANARIES, Room, guest, poisonous, silent};

fn workbench() -> Workbench {
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("guests-cache");
    Workbench::new(Some(cache)).unwrap()
}

fn words_of(name: &'static str, config: &str) -> (Vec<Line>, usize) {
    let words = GuestOutput::default();
    let room = Room::of(name);
    let plugin = workbench()
        .load(name, &guest(name), &Limits::default(), &words)
        .unwrap();
    let mut sitting = plugin.open(config, &room.grants, &words).unwrap();
    let frames = match sitting.apply(&poisonous()) {
        Ok(_) => 0,
        Err(fault) => {
            silent(&format!("{fault:?}"));
            words.take_frames().len()
        }
    };
    (words.take().0, frames)
}

#[test]
fn a_panics_message_is_the_authors() {
    let (lines, _) = words_of("panics", "{}");
    let said = lines.iter().find(|l| l.text.contains(CANARIES[0]));
    assert_eq!(said.map(|l| l.voice), Some(Channel::Error), "{lines:?}");
}

#[test]
fn a_backtrace_is_the_authors() {
    // A run's faults have no place for one.
    let (_, frames) = words_of("recurses", "{}");
    assert_eq!(frames, 20);
}

#[test]
fn log_lines_are_the_authors() {
    let (lines, _) = words_of("shouts", "{}");
    let logged = lines.iter().any(|l| matches!(l.voice, Channel::Log(_)));
    assert!(logged, "{} lines", lines.len());
}

#[test]
fn imports_are_judged_one_by_one() {
    let parts = workbench().parts(&guest("imports_secrets")).unwrap();
    let refused: Vec<&str> = parts
        .imports
        .iter()
        .filter(|i| i.verdict.is_err())
        .map(|i| i.name.as_str())
        .collect();
    assert_eq!(refused, ["acme:vault/secrets"]);
    assert!(parts.imports.iter().any(|i| i.verdict.is_ok()));
}
