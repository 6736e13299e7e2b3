//! The table of `cargo xtask hostile`, with deadlines that hold on a busy machine; and that no guest
//! is missing in it.

use std::path::Path;

use glovebox_tests::attacks::{self, Patience, Source, Table};

#[test]
fn every_guest_is_contained() {
    let program = Path::new(env!("CARGO_BIN_EXE_glovebox-hostile"));
    let table = Table::run(program, Patience::Busy, 2).unwrap();
    assert!(table.holds(), "{}", table.text());
    assert_eq!(table.lines.len(), attacks::all().len());
    let faults = |guest: &str, act: &str| {
        let line = |l: &&attacks::Line| l.attack.guest == guest && l.attack.act == act;
        table.lines.iter().find(line).map(|l| l.seen.faults)
    };
    assert_eq!(faults("panics", "ten-thousand-times"), Some(10_000));
    // After a fault a fresh instance goes on; a pollable is two handles.
    for act in ["own-handle", "pollable", "stream"] {
        let met = faults("leaks_with_every_batch", act);
        assert!(matches!(met, Some(1 | 2)), "{act}: {met:?}");
    }
    assert!(!attacks::has_canary(&table.text()));
    assert!(!attacks::has_canary(&table.json().to_string()));
}

fn names(folder: &Path, ending: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(ending).map(str::to_owned))
        .collect()
}

#[test]
fn every_guest_is_in_the_table() {
    let listed = attacks::all();
    let is_listed = |name: &str, act: Option<&str>, raw: bool| {
        listed.iter().any(|a| {
            a.guest == name
                && act.is_none_or(|act| act == a.act)
                && matches!(a.source, Source::Raw) == raw
        })
    };
    let guests = names(&attacks::raw_folder().join("../examples"), ".rs");
    assert!(guests.len() > 70);
    for name in guests {
        assert!(is_listed(&name, None, false), "nobody runs {name}");
    }
    let raw = names(&attacks::raw_folder(), ".wat");
    assert!(raw.len() > 10);
    for name in raw {
        for act in attacks::raw_acts(&name).unwrap() {
            assert!(
                is_listed(&name, Some(&act), true),
                "nobody runs {name} {act}"
            );
        }
    }
}

#[test]
fn the_threat_model_names_every_guest() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/threat-model.md");
    let text = std::fs::read_to_string(file).unwrap();
    for attack in attacks::all() {
        let named = format!("`{}`", attack.guest);
        assert!(text.contains(&named), "the threat model lacks {named}");
    }
}
