//! What `load` makes of good manifests: defaults, resolved paths, units, places.

use std::path::{Path, PathBuf};
use std::time::Duration;

use glovebox_core::{DataType, Input, Limits, World};
use serde_json::json;

use crate::model::*;
use crate::{Known, load, read};

const SALES: &str = include_str!("../../../../data/sales.yaml");

const SMALL: &str = "\
name: small
source: { csv: { path: in.csv } }
columns: { a: { type: text } }
sink: { csv: { path: out.csv } }
";

fn good(text: &str) -> Manifest {
    match load(Path::new("some/folder/m.yaml"), text) {
        Ok(manifest) => manifest,
        Err(problems) => panic!("{}", crate::render(&problems, "m.yaml", text, false)),
    }
}

#[test]
fn the_reference_manifest_is_read_as_written() {
    let m = good(SALES);
    assert_eq!(m.name.value, "sales");
    let Source::Csv(csv) = &m.source else {
        panic!("{:?}", m.source);
    };
    assert_eq!(
        csv.paths[0].value,
        Input::Path(PathBuf::from("some/folder/sales.csv"))
    );
    let columns: Vec<(&str, DataType)> = m
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.data_type.value))
        .collect();
    assert_eq!(
        columns,
        [
            ("product", DataType::Text),
            ("price", DataType::Float64),
            ("quantity", DataType::Int64)
        ]
    );
    let stores: Vec<&Store> = m.credentials.iter().map(|s| &s.value).collect();
    assert_eq!(
        stores,
        [
            &Store::Keyring,
            &Store::Env,
            &Store::Files("some/folder/demo-secrets".into())
        ]
    );
    let steps: Vec<(&str, World)> = m.steps.iter().map(|s| (s.name.as_str(), s.world)).collect();
    assert_eq!(
        steps,
        [
            ("complete", World::Validator),
            ("halal only", World::Transformer),
            ("number customers", World::Transformer),
            ("pseudonymise customers", World::Masker)
        ]
    );
    assert_eq!(
        m.steps[1].with.value,
        json!({ "column": "product", "starts-with": "Halal" })
    );
    assert!(m.steps[2].adds[0].is_personal());
    assert_eq!(m.steps[3].keys[0].name.value, "pseudonym");
    assert_eq!(
        m.steps[3].keys[0].secrets[0].value.as_str(),
        "sales/customer-salt"
    );
    assert_eq!(m.steps[3].granted()[0].value, "customer_id");
    let SinkTarget::Sqlite(sqlite) = &m.sink.target else {
        panic!()
    };
    assert_eq!(sqlite.mode, Mode::Replace);
    assert_eq!(
        m.rejects.at_most.as_ref().map(|a| a.value),
        Some(AtMost::Share(0.5))
    );
}

#[test]
fn what_is_left_out_has_its_default() {
    let m = good(SMALL);
    let Source::Csv(csv) = &m.source else {
        panic!("{:?}", m.source);
    };
    assert!(csv.header);
    assert_eq!((csv.delimiter.as_str(), csv.quote), (",", Some(b'"')));
    assert_eq!((csv.quotes, csv.ragged), (Quotes::Strict, Ragged::Reject));
    assert_eq!(csv.null, [""]);
    assert_eq!((csv.max_field, csv.max_record), (1 << 20, 8 << 20));
    let stores: Vec<&Store> = m.credentials.iter().map(|s| &s.value).collect();
    assert_eq!(stores, [&Store::Keyring, &Store::Env]);
    assert_eq!(m.steps, []);
    let SinkTarget::Csv(sink) = &m.sink.target else {
        panic!()
    };
    assert_eq!(sink.mode, Mode::Replace);
    assert!(sink.header && !sink.escape_formulas);
    assert_eq!(m.sink.columns, None);
    assert_eq!(
        m.rejects.path.value,
        PathBuf::from("some/folder/small.rejects.jsonl")
    );
    assert_eq!(m.rejects.at_most, None);
}

#[test]
fn steps_without_a_name_are_called_after_their_plugin() {
    let m = good(
        &(SMALL.to_owned()
            + "steps:\n  - { transform: keep }\n  - { transform: keep }\n  - { transform: ./lib/own.wasm }\n"),
    );
    let names: Vec<&str> = m.steps.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["keep", "keep 2", "own"]);
    assert_eq!(
        m.steps[2].plugin.value,
        PluginRef::File {
            path: "some/folder/./lib/own.wasm".into(),
            sha256: None
        }
    );
}

#[test]
fn a_steps_limits_lie_over_the_manifests() {
    let m = good(
        &(SMALL.to_owned()
            + "limits: { memory: 128MiB, time: 2s, lost-time: 5s }
steps:
  - { transform: keep, limits: { time: 500ms, findings: 10, returned: 1MiB, table-elements: 5, instances: 3 } }
  - { transform: keep }
"),
    );
    let base = Limits {
        memory: 128 << 20,
        time: Duration::from_secs(2),
        lost_time: Duration::from_secs(5),
        ..Limits::default()
    };
    assert_eq!(m.steps[1].limits, base);
    assert_eq!(
        m.steps[0].limits,
        Limits {
            time: Duration::from_millis(500),
            findings: 10,
            returned: 1 << 20,
            table_elements: 5,
            instances: 3,
            ..base
        }
    );
}

#[test]
fn postgres_is_read_with_its_defaults() {
    let text = SMALL.replace(
        "{ csv: { path: out.csv } }",
        "{ postgres: { host: db, database: d, user: u, password: { secret: a/b }, tls: { ca: ca.pem }, table: s.t } }",
    );
    let m = good(&text);
    let SinkTarget::Postgres(p) = &m.sink.target else {
        panic!()
    };
    assert_eq!((p.server.port, p.mode), (5432, Mode::Append));
    assert_eq!(p.server.connect_timeout, Duration::from_secs(10));
    assert_eq!(p.server.password.value.as_str(), "a/b");
    assert_eq!(
        p.server.ca.as_ref().map(|c| c.value.clone()),
        Some("some/folder/ca.pem".into())
    );
    assert_eq!(p.table.value, "s.t");
}

#[test]
fn a_plugins_complaint_finds_its_place() {
    let text = SMALL.to_owned()
        + "steps:\n  - transform: keep\n    with:\n      in: [größe, b]\n      deep: { a/b: { c~d: 1 } }\n";
    let m = good(&text);
    let with = &m.steps[0].with;
    let at = |pointer: &str| &text[with.span_of(pointer)];
    assert_eq!(at("/in/1"), "b");
    assert_eq!(at("/in"), "[größe, b]");
    assert_eq!(at("/in/7"), "[größe, b]", "the nearest parent");
    assert_eq!(at("/deep/a~1b/c~0d"), "1");
    assert_eq!(at("/nowhere/at/all"), "with");
    assert_eq!(at(""), "with");
    assert_eq!(at("no pointer"), "with");
    assert_eq!(
        with.value,
        json!({ "in": ["größe", "b"], "deep": { "a/b": { "c~d": 1 } } })
    );
}

#[test]
fn absolute_paths_and_standard_input_stay() {
    let text = SMALL
        .replace("in.csv", "'-'")
        .replace("out.csv", "/tmp/out.csv");
    let m = good(&text);
    let Source::Csv(csv) = &m.source else {
        panic!("{:?}", m.source);
    };
    assert_eq!(csv.paths[0].value, Input::Stdin);
    assert_eq!(
        m.sink.target.path().map(|p| p.value.clone()),
        Some("/tmp/out.csv".into())
    );
}

#[test]
fn a_decimal_needs_quotes_in_braces_and_is_read_all_the_same() {
    let cut = SMALL.replace("{ type: text }", "{ type: decimal(12,2), personal: false }");
    let problems = load(Path::new("m.yaml"), &cut).unwrap_err();
    let messages: Vec<&str> = problems.iter().map(|p| p.message.as_str()).collect();
    assert_eq!(messages, ["inside braces, YAML ends a value at the comma"]);
    let quoted = SMALL.replace("{ type: text }", "{ type: 'decimal(12,2)' }");
    assert_eq!(
        good(&quoted).columns[0].data_type.value,
        DataType::Decimal {
            precision: 12,
            scale: 2
        }
    );
}

/// A small generator (xorshift64*, Vigna 2016), so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n
    }
}

#[test]
fn no_damage_to_a_manifest_makes_it_panic() {
    const PIECES: &[&str] = &[
        ":",
        ": ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "\"",
        "'",
        "\n",
        "\r",
        "\t",
        "  ",
        "#",
        "&a ",
        "*a",
        "!t ",
        "|",
        ">",
        "%",
        "@",
        "---\n",
        "...",
        "? ",
        "~",
        "null",
        "true",
        "0",
        "-1",
        "1e999",
        "ä",
        "数",
        "🦀",
        "\u{feff}",
        "\u{85}",
        "\u{2028}",
        "\0",
        "\u{1b}",
        "\\",
        "<<: ",
        "sink:",
        "steps:\n",
        "password: x",
        "keys: { a: b }",
        "64MiB",
        "50%",
        "-",
        "://u:p@",
        "decimal(",
    ];
    let known = Known {
        standard: &["required", "keep"],
        today: chrono::NaiveDate::MIN,
    };
    let seeds = [SALES, SMALL];
    let mut dice = Dice(0x5EED_0F61_0B0C_A11E);
    for round in 0..6_000 {
        let seed = seeds[round % seeds.len()];
        let mut chars: Vec<char> = seed.chars().collect();
        for _ in 0..=dice.below(4) {
            let at = dice.below(chars.len() + 1);
            match dice.below(5) {
                0 => chars.truncate(at),
                1 => {
                    let end = (at + dice.below(20)).min(chars.len());
                    chars.drain(at..end);
                }
                2 => {
                    let end = (at + dice.below(60)).min(chars.len());
                    let piece: Vec<char> = chars[at..end].to_vec();
                    let to = dice.below(chars.len() + 1);
                    chars.splice(to..to, piece);
                }
                _ => {
                    let piece = PIECES[dice.below(PIECES.len())];
                    chars.splice(at..at, piece.chars());
                }
            }
        }
        let text: String = chars.into_iter().collect();
        if let Err(problems) = read(Path::new("m.yaml"), &text, &known) {
            assert!(!problems.is_empty(), "{text}");
            for p in &problems {
                let places = std::iter::once(&p.span).chain(p.context.iter().map(|c| &c.0));
                for span in places {
                    assert!(text.get(span.clone()).is_some(), "{p:?} in {text:?}");
                }
            }
            let shown = crate::render(&problems, "m.yaml", &text, round % 7 == 0);
            assert!(shown.contains("m.yaml"));
        }
    }
}
