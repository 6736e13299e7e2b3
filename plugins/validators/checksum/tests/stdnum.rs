//! `checksum` and Python's `python-stdnum` agree about thousands of numbers, except where this file
//! explains why not. Where `cargo xtask tools` did not install `python-stdnum`, the test says that it
//! did not run.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly, their functions too"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use glovebox_numbers::KINDS;
use glovebox_sdk::testing::{Table, validate};
use plugin_checksum::Checksum;

/// Kinds that python-stdnum does not have, so that published numbers alone are evidence.
const UNKNOWN_THERE: [&str; 4] = ["card", "nino", "personalausweis", "vin"];

/// What python-stdnum takes out of numbers, in kinds where that is not spaces and hyphens.
const SEPARATORS: [(&str, &str); 10] = [
    ("aba", ""),
    ("iban", " -."),
    ("isin", " "),
    ("luhn", ""),
    ("mod-97", ""),
    ("nir", " ."),
    ("steuer-id", " -./,"),
    ("us-itin", "-"),
    ("us-ssn", "-"),
    ("verhoeff", ""),
];

/// A difference that is meant.
struct Meant {
    /// Those that it is about, or none for all.
    kinds: &'static [&'static str],
    why: &'static str,
    /// Whether we accept such a number, and python-stdnum does not.
    ours: bool,
    explains: fn(&str) -> bool,
}

const MEANT: [Meant; 8] = [
    Meant {
        kinds: &[],
        why: "here a separator stands between two characters that are none",
        ours: false,
        explains: |number| {
            let parts: Vec<&str> = number.split([' ', '-', '.', '/', ',']).collect();
            parts.contains(&"")
        },
    },
    Meant {
        kinds: &["aba"],
        why: "here the first two digits must be assigned",
        ours: false,
        explains: |number| {
            let first = number[..2].parse().unwrap();
            !matches!(first, 0..=12 | 21..=32 | 61..=72 | 80)
        },
    },
    Meant {
        kinds: &["iban"],
        why: "here check digits are from 02 to 98",
        ours: false,
        explains: |number| ["00", "01", "99"].contains(&&compact(number)[2..4]),
    },
    Meant {
        kinds: &["imei"],
        why: "here the check digit must be there, and 14 or 16 digits have none",
        ours: false,
        explains: |number| matches!(compact(number).len(), 14 | 16),
    },
    Meant {
        kinds: &["isbn"],
        why: "python-stdnum puts a 0 before the nine digits of the SBN of before 1970",
        ours: false,
        explains: |number| compact(number).len() == 9,
    },
    Meant {
        kinds: &["us-itin"],
        why: "the IRS issues groups 50 to 65 as well",
        ours: true,
        explains: |number| matches!(compact(number)[3..5].parse(), Ok(50..=65)),
    },
    Meant {
        kinds: &["us-itin", "us-ssn"],
        why: "python-stdnum wants hyphens in their places",
        ours: true,
        explains: |number| !number.match_indices('-').map(|(place, _)| place).eq([3, 6]),
    },
    Meant {
        kinds: &["luhn", "verhoeff"],
        why: "here something stands before the check digit",
        ours: false,
        explains: |number| number == "0",
    },
];

fn compact(number: &str) -> String {
    number.replace([' ', '-', '.'], "")
}

/// What python-stdnum said: numbers of each kind, and whether they are right.
fn judged(python: &Path) -> BTreeMap<String, Vec<(String, bool)>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/numbers.py");
    let output = Command::new(python).arg(script).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let mut kinds = BTreeMap::<String, Vec<_>>::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let [kind, number, right] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let numbers = kinds.entry(kind.to_owned()).or_default();
        numbers.push((number.to_owned(), right == "1"));
    }
    kinds
}

/// Compares one kind; returns how many numbers each difference that is meant explains.
fn compare(kind: &str, numbers: &[(String, bool)]) -> [usize; MEANT.len()] {
    let separators = SEPARATORS.iter().find(|(name, _)| *name == kind);
    let separators = separators.map_or(" -", |(_, separators)| separators);
    let config = format!(r#"{{"kind": "{kind}", "separators": "{separators}"}}"#);
    let table = Table::new().text("n", numbers.iter().map(|(number, _)| number.as_str()));
    let validated = validate::<Checksum>(&config, &table).unwrap();
    let violations = validated.violations();
    let wrong: BTreeSet<u32> = violations.iter().map(|(row, _)| *row).collect();

    let mut explained = [0; MEANT.len()];
    for (row, (number, theirs)) in (0..).zip(numbers) {
        let ours = !wrong.contains(&row);
        if ours == *theirs {
            continue;
        }
        let meant = MEANT.iter().position(|meant| {
            (meant.kinds.is_empty() || meant.kinds.contains(&kind))
                && meant.ours == ours
                && (meant.explains)(number)
        });
        let meant = meant.unwrap_or_else(|| panic!("{kind} {number:?}: here {ours}"));
        explained[meant] += 1;
    }
    explained
}

#[test]
fn python_stdnum_says_the_same_of_1000_valid_and_1000_changed_numbers_of_each_kind() {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .unwrap()
        .join("tools/numbers");
    if !tools.join("installed").is_file() {
        let said =
            b"\nnot run: numbers are not compared with python-stdnum's; `cargo xtask tools` installs it\n";
        std::io::stderr().write_all(said).unwrap();
        return;
    }
    let kinds = judged(&tools.join("bin/python"));
    let compared = kinds.keys().map(String::as_str).chain(UNKNOWN_THERE);
    let declared = KINDS.iter().map(|kind| kind.name);
    assert_eq!(
        compared.collect::<BTreeSet<_>>(),
        declared.collect::<BTreeSet<_>>()
    );

    let mut explained = [0; MEANT.len()];
    for (kind, numbers) in &kinds {
        assert_eq!(numbers.len(), 2_000, "{kind}");
        let right = numbers.iter().filter(|(_, right)| *right).count();
        println!("{kind}: {right} right and {} wrong there", 2_000 - right);
        for (total, more) in explained.iter_mut().zip(compare(kind, numbers)) {
            *total += more;
        }
    }
    for (meant, count) in MEANT.iter().zip(explained) {
        println!("{count} of {:?}: {}", meant.kinds, meant.why);
        assert!(count > 0, "it explains nothing: {}", meant.why);
    }
}
