//! What `check` lets pass; what it refuses is in `tests/diagnostics`.

use std::path::Path;

use chrono::NaiveDate;

use crate::{Known, read};

const HEAD: &str = "\
name: people
source: { csv: { path: people.csv } }
columns:
  name: { type: text, personal: true }
  city: { type: text }
";

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

fn messages(rest: &str) -> Vec<String> {
    messages_on(day(2026, 11, 21), rest)
}

fn messages_on(today: NaiveDate, rest: &str) -> Vec<String> {
    let known = Known {
        standard: &["required", "redact", "keep", "row-id"],
        today,
    };
    match read(Path::new("m.yaml"), &format!("{HEAD}{rest}"), &known) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.into_iter().map(|p| p.message).collect(),
    }
}

const SINK: &str = "sink: { sqlite: { path: p.db, table: p } }\n";

#[test]
fn a_mask_opens_the_way_to_the_sink() {
    let mask = format!("steps: [{{ mask: redact, masks: [name] }}]\n{SINK}");
    assert_eq!(messages(&mask), [""; 0]);
    let leave_out = "sink: { sqlite: { path: p.db, table: p }, columns: [city] }\n";
    assert_eq!(messages(leave_out), [""; 0]);
}

#[test]
fn reading_is_not_masking() {
    let reads = format!("steps: [{{ mask: redact, reads: [name], masks: [city] }}]\n{SINK}");
    assert_eq!(
        messages(&reads),
        ["`name` is personal and reaches the sink unmasked"]
    );
}

#[test]
fn a_release_holds_to_its_last_day() {
    let text = format!(
        "steps:
  - transform: row-id
    adds:
      id: {{ type: text, personal: true, release: {{ reason: r, owner: o, until: 2027-01-31 }} }}
  - {{ mask: redact, masks: [name] }}
{SINK}"
    );
    assert_eq!(messages_on(day(2027, 1, 31), &text), [""; 0]);
    assert_eq!(
        messages_on(day(2027, 2, 1), &text),
        ["the release of `id` ended on 2027-01-31"]
    );
}

#[test]
fn a_column_made_from_masked_ones_need_not_say_anything() {
    let after = format!(
        "steps:
  - {{ mask: redact, masks: [name] }}
  - {{ transform: keep, reads: [name], adds: {{ short: {{ type: text }} }} }}
{SINK}"
    );
    assert_eq!(messages(&after), [""; 0]);
}

#[test]
fn a_replaced_column_is_what_its_replacement_says() {
    let replaced = format!(
        "steps:
  - {{ transform: keep, reads: [name], adds: {{ name: {{ type: int64, personal: false }} }} }}
{SINK}"
    );
    assert_eq!(messages(&replaced), [""; 0]);
    let again = format!(
        "steps:
  - {{ mask: redact, masks: [name] }}
  - {{ transform: row-id, adds: {{ name: {{ type: text, personal: true }} }} }}
{SINK}"
    );
    assert_eq!(
        messages(&again),
        ["`name` is personal and reaches the sink unmasked"]
    );
}

#[test]
fn what_could_not_be_read_is_not_complained_about_twice() {
    let no_columns =
        "name: x\nsource: { csv: { path: a.csv } }\nsteps: [{ validate: required, reads: [a] }]\n";
    let known = Known {
        standard: &["required"],
        today: day(2026, 11, 21),
    };
    let problems = read(Path::new("m.yaml"), no_columns, &known).unwrap_err();
    let messages: Vec<&str> = problems.iter().map(|p| p.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "the manifest needs the key `columns`",
            "the manifest needs the key `sink`"
        ]
    );
}

#[test]
fn problems_of_places_and_of_the_whole_come_together() {
    let both = format!(
        "steps: [{{ validate: required, reads: [nmae], limits: {{ time: 1 }} }}, {{ mask: redact, masks: [name] }}]\n{SINK}"
    );
    assert_eq!(
        messages(&both),
        [
            "there is no column `nmae` here",
            "`time` needs a number with a unit"
        ]
    );
}

#[test]
fn the_manifest_itself_is_not_written_over() {
    let itself = "sink: { csv: { path: ./m.yaml }, columns: [city] }\n";
    assert_eq!(messages(itself), ["the sink would overwrite the manifest"]);
}
