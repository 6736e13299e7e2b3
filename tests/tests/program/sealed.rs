//! Rejects that are kept encrypted: who opens them, what they hold, and what is left of them in the clear.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use glovebox_tests::markdown::blocks;
use glovebox_tests::pipeline::{Pipeline, Ran};
use glovebox_tests::postgres::Postgres;
use glovebox_tests::sqlite;
use serde_json::{Value, json};

const TABLE: &str = "sqlite: { path: out.db, table: things }";
const LONG: &str = "canary-too-long-for-the-rule";
const BROKEN: &str = "canary-is-no-number";
const ROWS: &str = "id,name,undeclared
1,ann,x
2,canary-too-long-for-the-rule,x
canary-is-no-number,eve,x
4,\"canary-\"broken,x
5,,x
";

/// Rejects names of more than so many characters.
fn manifest(sink: &str, most: u32, method: &str) -> String {
    format!(
        "name: things
source: {{ csv: {{ path: in.csv }} }}
columns: {{ id: {{ type: int64 }}, name: {{ type: text, personal: true }} }}
credentials: [{{ files: keys }}, env]
steps:
  - {{ validate: length, reads: [name], with: {{ max: {most} }} }}
  - {{ mask: pseudonym, masks: [name], with: {{ method: {method} }}, keys: {{ pseudonym: salt }} }}
sink: {{ {sink} }}
rejects: {{ path: rejects.jsonl, sealed-to: [audit/public, other-public] }}
"
    )
}

/// Two recipients with their pairs, and a third who is none.
fn pipeline(sink: &str) -> Pipeline {
    let pipeline = Pipeline::new(&manifest(sink, 10, "hmac-sha256"))
        .file("in.csv", ROWS)
        .file("keys/salt", "a salt that is long enough")
        .env("GLOVEBOX_SECRET_PASSWORD", Postgres::shared().password());
    for (private, public) in [
        ("audit/private", "audit/public"),
        ("other", "other-public"),
        ("nobody", "nobody-public"),
    ] {
        let made = pipeline.call(&["key", "--files", "keys", "new", private, "--pair"]);
        let line = made.ends_with(0).stdout;
        let key = line.lines().find_map(|l| l.strip_prefix("public key: "));
        pipeline.write(&format!("keys/{public}"), key.unwrap());
    }
    pipeline
}

fn postgres(database: &str) -> String {
    let server = Postgres::shared();
    format!(
        "postgres: {{ {}, table: public.things }}",
        server.place(database)
    )
}

fn open_with(pipeline: &Pipeline, file: &str, key: &str, output: &str) -> Ran {
    pipeline.call(&[
        "rejects",
        "open",
        file,
        "--key",
        key,
        "--files",
        "keys",
        "--reason",
        "ticket 17",
        "--audit",
        "audit",
        "--output",
        output,
    ])
}

/// The opened rows by their numbers.
fn opened(pipeline: &Pipeline, key: &str) -> BTreeMap<u64, Value> {
    let ran = open_with(pipeline, "rejects.sealed", key, "-").ends_with(0);
    rows(&ran.stdout)
}

fn rows(text: &str) -> BTreeMap<u64, Value> {
    let rows = text.lines().map(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        (row["row"].as_u64().unwrap(), row)
    });
    let all: Vec<_> = rows.collect();
    let found: BTreeMap<_, _> = all.iter().cloned().collect();
    assert_eq!(all.len(), found.len(), "a row is there twice");
    found
}

/// That no file in the folder holds a cell, but for the input and what was opened.
fn nothing_in_the_clear(pipeline: &Pipeline) {
    let mut folders = vec![pipeline.folder().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|n| n != "in.csv") {
                let bytes = fs::read(&path).unwrap();
                let found = memchr::memmem::find(&bytes, b"canary");
                assert_eq!(found, None, "{}", path.display());
            }
        }
    }
}

#[test]
fn either_recipient_opens_the_rejected_rows_and_nobody_else() {
    let server = Postgres::shared();
    let database = server.database("sealed");
    let sinks = [
        TABLE.to_owned(),
        postgres(&database),
        "jsonl: { path: out.jsonl }".to_owned(),
    ];
    for sink in sinks {
        let pipeline = pipeline(&sink);
        let ran = pipeline.run().ends_with(0);
        assert_eq!((ran.rows("stored"), ran.rows("rejected")), (2, 3), "{sink}");
        let told = &ran.report["sealed-rejects"];
        assert_eq!(told["rows"], 3, "{sink}");
        nothing_in_the_clear(&pipeline);
        let found = opened(&pipeline, "audit/private@1");
        assert_eq!(found, opened(&pipeline, "other@1"), "{sink}");
        assert_eq!(found[&1]["cells"], json!({ "id": "2", "name": LONG }));
        assert_eq!(found[&1]["line"], 3);
        assert_eq!(found[&1]["violations"][0]["rule"], "length");
        assert_eq!(found[&2]["record"], format!("{BROKEN},eve,x"));
        assert_eq!(found[&3]["record"], "4,\"canary-\"broken,x");
        let _ = open_with(&pipeline, "rejects.sealed", "nobody@1", "none")
            .ends_with(1)
            .says("is not sealed to this key");
        assert!(!pipeline.path("none").exists());
        nothing_in_the_clear(&pipeline);
    }
    let sealed = "SELECT string_agg(block, '') FROM glovebox.sealed";
    let text = format!("{:?}", server.query(&database, sealed));
    assert!(text.contains("keys") && !text.contains("canary"), "{text}");
}

#[test]
fn rows_of_parquet_and_of_a_database_are_sealed_by_their_cells() {
    let server = Postgres::shared();
    let database = server.database("sealed_sources");
    let _ = server.query(
        &database,
        &format!(
            "CREATE TABLE public.given (id bigint PRIMARY KEY, name text); \
             INSERT INTO public.given VALUES (1, 'ann'), (2, '{LONG}'), (3, NULL)"
        ),
    );
    let given = postgres(&database).replace("public.things", "public.given");
    let parquet = "parquet: { path: given.parquet }";
    for source in [parquet, &given] {
        let pipeline = pipeline(TABLE);
        pipeline.write("in.csv", format!("id,name\n1,ann\n2,{LONG}\n3,\n"));
        pipeline.write(
            "copy.yaml",
            format!(
                "name: copy\nsource: {{ csv: {{ path: in.csv }} }}\n\
                 columns: {{ id: {{ type: int64 }}, name: {{ type: text }} }}\n\
                 sink: {{ {parquet} }}\nrejects: {{ path: copy.jsonl }}\n"
            ),
        );
        let _ = pipeline.call(&["run", "copy.yaml"]).ends_with(0);
        let ours = manifest(TABLE, 10, "hmac-sha256").replace("csv: { path: in.csv }", source);
        pipeline.write("manifest.yaml", ours);
        let ran = pipeline.run().ends_with(0);
        assert_eq!(
            (ran.rows("stored"), ran.rows("rejected")),
            (2, 1),
            "{source}"
        );
        let found = opened(&pipeline, "other@1");
        assert_eq!(found.len(), 1, "{source}");
        assert_eq!(
            found[&1]["cells"],
            json!({ "id": "2", "name": LONG }),
            "{source}"
        );
    }
}

#[test]
fn opening_is_on_record_and_writes_no_file_that_is_there() {
    let pipeline = pipeline(TABLE);
    let _ = pipeline.run().ends_with(0);
    let open = |output| open_with(&pipeline, "rejects.sealed", "other@1", output);
    let _ = open("opened.jsonl").ends_with(0);
    assert_eq!(rows(&pipeline.read("opened.jsonl")).len(), 3);
    let _ = open("opened.jsonl").ends_with(2).says("exists");
    let log = pipeline.read("audit/audit-0000000001.jsonl");
    let records = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let records: Vec<Value> = records
        .filter(|r: &Value| r["event.action"] == "rejects-opened")
        .collect();
    assert_eq!(records.len(), 1, "{log}");
    assert_eq!(records[0]["labels.because"], "ticket 17");
    assert!(!log.contains("canary"));
}

#[test]
fn a_file_that_is_cut_reordered_or_altered_does_not_open() {
    let pipeline = pipeline(TABLE);
    // Three chunks with a reject each.
    let mut input = String::from("id,name\n");
    for n in 0..3 {
        let _ = writeln!(input, "{n},{LONG}");
        for _ in 0..100_000 {
            let _ = writeln!(input, "{n},ann-ann-an");
        }
    }
    pipeline.write("in.csv", &input);
    let _ = pipeline.run().ends_with(0);
    let whole = pipeline.read("rejects.sealed");
    let lines: Vec<&str> = whole.lines().collect();
    assert_eq!(lines.len(), 5, "a head, three blocks and an end");
    let joined = |places: &[usize]| {
        let lines = places.iter().map(|at| format!("{}\n", lines[*at]));
        lines.collect::<String>()
    };
    let other = {
        let _ = pipeline.run_with(&["--again"]).ends_with(0);
        pipeline.read("rejects.sealed")
    };
    let of_other = other.lines().nth(2).unwrap();
    let bent: Vec<(&str, String)> = vec![
        ("no end", joined(&[0, 1, 2, 3])),
        ("half a line", whole[..whole.len() - 40].to_owned()),
        ("a block less", joined(&[0, 1, 3, 4])),
        ("the last block less", joined(&[0, 1, 2, 4])),
        ("no block", joined(&[0, 4])),
        ("reordered", joined(&[0, 2, 1, 3, 4])),
        ("twice", joined(&[0, 1, 1, 2, 3, 4])),
        ("more behind the end", joined(&[0, 1, 2, 3, 4, 3])),
        (
            "other counts",
            whole.replace("\"blocks\":3,\"rows\":3", "\"blocks\":2,\"rows\":2"),
        ),
        (
            "another place",
            whole.replacen("\"part\":0", "\"part\":1", 1),
        ),
        ("another pipeline", whole.replacen("things", "thinks", 1)),
        ("another run's block", whole.replace(lines[2], of_other)),
        (
            "another run's end",
            whole.replace(lines[4], other.lines().last().unwrap()),
        ),
        ("one character", {
            let at = whole.find("\"sealed\":\"").unwrap() + 20;
            let bit = if whole.as_bytes()[at] == b'A' {
                "B"
            } else {
                "A"
            };
            [&whole[..at], bit, &whole[at + 1..]].concat()
        }),
        ("nothing", String::new()),
        ("a list", pipeline.read("rejects.jsonl")),
    ];
    for (how, text) in bent {
        pipeline.write("bent.sealed", &text);
        assert_ne!(text, whole, "{how}");
        let ran = open_with(&pipeline, "bent.sealed", "other@1", "bent.jsonl").ends_with(1);
        assert!(!pipeline.path("bent.jsonl").exists(), "{how}");
        assert!(
            ran.stdout.is_empty() && !ran.stderr.contains("canary"),
            "{how}"
        );
    }
    pipeline.write("whole.sealed", &whole);
    let _ = open_with(&pipeline, "whole.sealed", "other@1", "bent.jsonl").ends_with(0);
}

#[test]
fn keys_that_are_none_are_refused_before_the_first_row() {
    let pipeline = pipeline(TABLE);
    let text = pipeline.read("manifest.yaml");
    let private = pipeline.read("keys/audit/private@1");
    for (keys, says) in [
        ("[audit/private@1]", "or a private one"),
        ("[audit/public, again]", "the key of another recipient too"),
        ("[audit/public, audit/public]", "names this key twice"),
        ("[nowhere]", "nowhere"),
        ("[]", "names no key"),
    ] {
        pipeline.write("keys/again", pipeline.read("keys/audit/public"));
        let changed = text.replace("[audit/public, other-public]", keys);
        pipeline.write("manifest.yaml", changed);
        for call in [["check", "manifest.yaml"], ["run", "manifest.yaml"]] {
            let ran = pipeline.call(&call).ends_with(2).says(says);
            assert!(!ran.stderr.contains(private.trim()), "{}", ran.stderr);
        }
    }
    assert!(!pipeline.path("out.db").exists());
}

const MANY: usize = 12_000;
const SLOW: &str = "pbkdf2-sha256, iterations: 20000";

/// Kills a run when some of its chunks are stored, goes on with it, and compares what was sealed with
/// what was read.
fn killed_and_gone_on(sink: &str, begun: impl Fn(&Pipeline) -> bool) {
    let pipeline = pipeline(sink);
    let mut input = String::from("id,name\n");
    let mut expected = BTreeMap::new();
    for n in 0..MANY {
        let width = if n % 7 == 0 { 900 } else { 800 };
        let name = format!("canary{n:0>width$}");
        if n % 7 == 0 {
            expected.insert(n as u64, name.clone());
        }
        let _ = writeln!(input, "{n},{name}");
    }
    pipeline.write("in.csv", &input);
    pipeline.write("manifest.yaml", manifest(sink, 850, SLOW));
    let mut running = pipeline.start(&["run", "manifest.yaml", "--workers", "1"]);
    running.until("rows are stored", |_| begun(&pipeline));
    running.signal("KILL");
    assert_eq!(running.end().code, None);
    assert!(!pipeline.path("rejects.sealed").exists());
    nothing_in_the_clear(&pipeline);
    let ran = pipeline.run_with(&["--resume"]).ends_with(0);
    assert!(ran.report["resumed-rows"].as_u64() > Some(0));
    assert_eq!(ran.rows("rejected"), expected.len() as u64);
    nothing_in_the_clear(&pipeline);
    let found = opened(&pipeline, "audit/private@1");
    let names = found.iter().map(|(row, kept)| {
        let name = kept["cells"]["name"].as_str().unwrap();
        (*row, name.to_owned())
    });
    assert_eq!(names.collect::<BTreeMap<_, _>>(), expected);
    let listed = rows(&pipeline.read("rejects.jsonl"));
    assert!(listed.keys().eq(found.keys()));
}

#[test]
fn a_killed_run_that_goes_on_has_each_rejected_row_once_in_sqlite() {
    killed_and_gone_on(TABLE, |pipeline| {
        let begun = "SELECT CAST(count(*) AS TEXT) FROM glovebox_sealed";
        pipeline.path("out.db").exists()
            && sqlite::query(
                &pipeline.path("out.db"),
                "SELECT name FROM sqlite_schema WHERE name = 'glovebox_sealed'",
            ) != Vec::<Vec<Option<String>>>::new()
            && sqlite::query(&pipeline.path("out.db"), begun) != [[Some("0".to_owned())]]
    });
}

#[test]
fn a_killed_run_that_goes_on_has_each_rejected_row_once_in_postgres() {
    let server = Postgres::shared();
    let database = server.database("sealed_kill");
    killed_and_gone_on(&postgres(&database), |_| {
        let there = "SELECT to_regclass('glovebox.sealed') IS NOT NULL";
        server.query(&database, there) == [[Some("t".to_owned())]]
            && server.query(&database, "SELECT count(*) FROM glovebox.sealed")
                != [[Some("0".to_owned())]]
    });
    let all = "SELECT count(*), count(DISTINCT id) FROM public.things";
    let stored = Some((MANY - MANY.div_ceil(7)).to_string());
    assert_eq!(server.query(&database, all), [[stored.clone(), stored]]);
}

#[test]
fn rows_that_a_table_refuses_while_they_are_stored_are_sealed_too() {
    let server = Postgres::shared();
    let database = server.database("sealed_late");
    let _ = server.query(
        &database,
        "CREATE TABLE public.things (id bigint UNIQUE, name text)",
    );
    for sink in [TABLE.to_owned(), postgres(&database)] {
        let pipeline = pipeline(&sink);
        if sink == TABLE {
            let create = "CREATE TABLE things (id INTEGER UNIQUE, name TEXT) STRICT";
            pipeline.write("out.db", "");
            sqlite::execute(&pipeline.path("out.db"), create);
        }
        pipeline.write("in.csv", format!("id,name\n1,ann\n1,canary-2\n2,{LONG}\n"));
        let ran = pipeline.run().ends_with(0);
        assert_eq!((ran.rows("stored"), ran.rows("rejected")), (1, 2), "{sink}");
        assert_eq!(ran.report["sealed-rejects"]["rows"], 2, "{sink}");
        nothing_in_the_clear(&pipeline);
        let found = opened(&pipeline, "other@1");
        assert_eq!(found[&1]["cells"]["name"], "canary-2", "{sink}");
        assert_eq!(found[&2]["cells"]["name"], LONG, "{sink}");
    }
}

#[test]
fn the_script_of_the_manual_opens_a_file_and_refuses_a_cut_one() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("tools/masks/bin/python");
    if !python.is_file() {
        eprintln!("not run: no Python with `cryptography`; `cargo xtask tools` installs it");
        return;
    }
    let manual = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/manifest.md");
    let scripts: Vec<_> = blocks(&fs::read_to_string(manual).unwrap())
        .into_iter()
        .filter(|block| block.language == "python" && block.text.contains("X25519PrivateKey"))
        .collect();
    let [script] = scripts.as_slice() else {
        panic!("the manual has one script for this");
    };
    let pipeline = pipeline(TABLE);
    let _ = pipeline.run().ends_with(0);
    pipeline.write("open.py", &script.text);
    let open = |file: &str| {
        Command::new(&python)
            .current_dir(pipeline.folder())
            .args(["open.py", file, "keys/audit/private@1"])
            .output()
            .unwrap()
    };
    let ours = open_with(&pipeline, "rejects.sealed", "other@1", "-").ends_with(0);
    let theirs = open("rejects.sealed");
    let problem = String::from_utf8_lossy(&theirs.stderr);
    assert!(theirs.status.success(), "{problem}");
    assert_eq!(String::from_utf8_lossy(&theirs.stdout), ours.stdout);
    let whole = pipeline.read("rejects.sealed");
    let lines: Vec<&str> = whole.lines().collect();
    let cut = format!("{}\n{}\n", lines[0], lines[lines.len() - 1]);
    pipeline.write("cut.sealed", cut);
    assert!(!open("cut.sealed").status.success());
}

/// The names that are stored, without their masks.
fn stored(pipeline: &Pipeline) -> Vec<String> {
    let rows = sqlite::query(
        &pipeline.path("out.db"),
        "SELECT CAST(id AS TEXT) FROM things ORDER BY id",
    );
    rows.into_iter().filter_map(|row| row[0].clone()).collect()
}

#[test]
fn sealed_rows_are_run_again_without_their_input_and_none_twice() {
    let pipeline = pipeline(TABLE);
    let _ = pipeline.run().ends_with(0);
    fs::rename(
        pipeline.path("rejects.sealed"),
        pipeline.path("first.sealed"),
    )
    .unwrap();
    fs::remove_file(pipeline.path("in.csv")).unwrap();
    pipeline.write("manifest.yaml", manifest(TABLE, 50, "hmac-sha256"));
    let again = |more: &[&str]| {
        pipeline.run_with(&[&["--rejects-of", "first.sealed", "--key"], more].concat())
    };
    let _ = pipeline
        .run_with(&["--rejects-of", "first.sealed"])
        .ends_with(2)
        .says("--key");
    let _ = again(&["nobody@1"])
        .ends_with(2)
        .says("is not sealed to this key");
    let ran = again(&["other@1"]).ends_with(0);
    assert_eq!((ran.rows("stored"), ran.rows("rejected")), (1, 2));
    assert_eq!(stored(&pipeline), ["1", "2", "5"]);
    nothing_in_the_clear(&pipeline);
    // What could not be read keeps its record and its place.
    let found = opened(&pipeline, "other@1");
    assert_eq!(found[&2]["record"], format!("{BROKEN},eve,x"));
    assert_eq!((&found[&3]["line"], found.len()), (&json!(5), 2));
    let _ = again(&["other@1"])
        .ends_with(2)
        .says("has already added the rows of this input");
    assert_eq!(stored(&pipeline), ["1", "2", "5"]);
}

#[test]
fn corrected_rows_are_stored_under_their_numbers_and_not_twice() {
    let pipeline = pipeline(TABLE);
    let _ = pipeline.run().ends_with(0);
    let _ = open_with(&pipeline, "rejects.sealed", "other@1", "opened.jsonl").ends_with(0);
    let opened = rows(&pipeline.read("opened.jsonl"));
    let mut corrected = String::new();
    for (row, mut kept) in opened {
        match row {
            1 => kept["cells"]["name"] = json!("bob"),
            2 => kept["cells"] = json!({ "id": 3, "name": "eve" }),
            _ => {}
        }
        let _ = writeln!(corrected, "{kept}");
    }
    pipeline.write("corrected.jsonl", &corrected);
    let again =
        |more: &[&str]| pipeline.run_with(&[&["--rejects-of", "corrected.jsonl"], more].concat());
    let ran = again(&[]).ends_with(0);
    assert_eq!((ran.rows("stored"), ran.rows("rejected")), (2, 1));
    assert_eq!(ran.report["rerun"]["passed-over"], 0);
    assert_eq!(stored(&pipeline), ["1", "2", "3", "5"]);
    let _ = again(&[]).ends_with(2);
    let _ = again(&["--input", "in.csv"]).ends_with(2).says("--input");
    pipeline.write("corrected.jsonl", corrected.replace("\"bob\"", "\"joe\""));
    let _ = again(&[]).ends_with(2);
    assert_eq!(stored(&pipeline), ["1", "2", "3", "5"]);
    // The rest by the list that this run has left.
    let list = pipeline.read("rejects.jsonl");
    assert_eq!(rows(&list).into_keys().collect::<Vec<_>>(), [3]);
}
