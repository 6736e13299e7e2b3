//! `glovebox plugin test`, `check` and `bench` on real components, standard and hostile, and what
//! of a guest's words a run leaves out.

use std::path::{Path, PathBuf};

use glovebox_tests::pipeline::{Pipeline, Ran};
use serde_json::Value;

/// A cell that no run may show.
const CANARY: &str = "canary-in-a-panic-5Rw";

/// The component of a guest in `tests/guests/examples`.
fn guest(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap_or(Path::new("."));
    let path = target.join(format!("wasm32-wasip2/plugin/examples/{name}.wasm"));
    assert!(path.is_file(), "build the guests: cargo xtask plugins");
    path
}

fn test(plugin: &str, cases: &str) -> Ran {
    let folder = Pipeline::empty().file("cases.yaml", cases);
    folder.call(&["plugin", "test", plugin, "cases.yaml"])
}

const PARTIAL: &str = r#"
- name: the last four stay
  columns: { phone: text, n: int64 }
  masks: [phone]
  with: { keep-last: 4 }
  rows:
    - ["0170 1234567", 1]
    - { n: 2 }
    - ["", 3]
  expect:
    fields: { phone: text }
    columns:
      phone: [XXXXXXXX4567, null, ""]
      n: [1, 2, 3]
- name: numbers are refused
  columns: { n: int64 }
  masks: [n]
  with: { keep-last: 4 }
  expect:
    config-error: { message: text }
- name: a misspelled option is refused at its place
  columns: { phone: text }
  masks: [phone]
  with: { keep-lst: 4 }
  expect:
    config-error: { path: /keep-lst }
"#;

#[test]
fn cases_of_a_masker_pass() {
    let ran = test("partial", PARTIAL).ends_with(0);
    assert_eq!(
        ran.stdout,
        format!(
            "ok      the last four stay\nok      numbers are refused\nok      a misspelled option is refused at its place\n\npartial {} (masker): 3 of 3 cases passed\n",
            env!("CARGO_PKG_VERSION")
        )
    );
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_case_that_fails_shows_row_by_row_what_was_due_and_what_came() {
    let wrong = PARTIAL
        .replace("XXXXXXXX4567, null", "XXXXXXXX4568, \"\"")
        .replace("path: /keep-lst", "path: /keep");
    let ran = test("partial", &wrong).ends_with(1);
    for line in [
        "FAILED  the last four stay",
        "  columns, phone, row 0:\n    expected \"XXXXXXXX4568\"\n    got      \"XXXXXXXX4567\"",
        "  columns, phone, row 1:\n    expected \"\"\n    got      null",
        "ok      numbers are refused",
        "  config-error path: expected \"/keep\", got \"/keep-lst\"",
        "1 of 3 cases passed",
    ] {
        assert!(
            ran.stdout.contains(line),
            "{line}\n--- in ---\n{}",
            ran.stdout
        );
    }
}

#[test]
fn cases_of_a_validator_compare_findings_by_rule_column_and_row() {
    let cases = r#"
- name: found
  columns: { a: text, b: text }
  rows: [[x, null], [null, y], [x, y]]
  expect:
    findings: { required: { a: [1], b: [0] } }
- name: found wherever it is
  columns: { a: text, b: text }
  rows: [[x, null], [null, y], [x, y]]
  expect:
    findings: { required: [0, 1] }
- name: nothing
  columns: { a: text }
  rows: [[x]]
  expect: { findings: {} }
"#;
    let ran = test("required", cases).ends_with(0);
    assert!(ran.stdout.contains("3 of 3"), "{}", ran.stdout);
    let wrong = cases
        .replace("a: [1], b: [0]", "a: [1, 2]")
        .replace("findings: {}", "findings: { other: [0] }");
    let ran = test("required", &wrong).ends_with(1);
    for line in [
        "  findings of required in a, row 2: expected a finding, got none (the row is \"x\", \"y\")",
        "  findings of required in b, row 0: expected no finding, got one (the row is \"x\", null)",
        "  findings of other, row 0: expected a finding, got none",
    ] {
        assert!(
            ran.stdout.contains(line),
            "{line}\n--- in ---\n{}",
            ran.stdout
        );
    }
}

#[test]
fn cases_of_a_transformer_compare_what_stays_and_what_is_added() {
    let cases = r#"
- name: some stay
  columns: { product: text }
  with: { column: product, starts-with: Halal }
  rows: [[Halal A], [Other], [null], [Halal B]]
  expect: { keep: [0, 3], columns: { product: [Halal A, Halal B] } }
"#;
    let _ = test("keep", cases).ends_with(0);
    let ran = test("keep", &cases.replace("keep: [0, 3]", "keep: [0]")).ends_with(1);
    assert!(
        ran.stdout.contains("keep: expected [0], got [0, 3]"),
        "{}",
        ran.stdout
    );
    let ids = r#"
- name: rows are numbered by their place in the source
  columns: {}
  adds: { id: { type: text } }
  with: { prefix: cust }
  first-row: 41
  rows: [[], []]
  expect: { columns: { id: [cust41, cust42] } }
"#;
    let _ = test("row-id", ids).ends_with(0);
}

#[test]
fn cases_of_keyed_masks_look_at_the_order() {
    let cases = r#"
- name: all cells
  columns: { who: text }
  masks: [who]
  keys: [pseudonym]
  with: { method: pbkdf2-sha256, iterations: 1000 }
  rows: [[ann], [null], [""]]
  expect:
    keyed: { who: { method: pbkdf2-sha256, iterations: 1000, key: pseudonym, cells: all } }
    columns: { who: [«pseudonym», null, null] }
"#;
    let _ = test("pseudonym", cases).ends_with(0);
    let wrong = cases
        .replace("keys: [pseudonym]", "keys: [other]")
        .replace("iterations: 1000, key", "iterations: 1001, key");
    let ran = test("pseudonym", &wrong).ends_with(1);
    for line in [
        "it points at key `pseudonym`, which is not in the case's `keys:`",
        "keyed, who, iterations: expected 1001, got 1000",
    ] {
        assert!(
            ran.stdout.contains(line),
            "{line}\n--- in ---\n{}",
            ran.stdout
        );
    }
}

#[test]
fn a_wrong_file_of_cases_is_shown_at_its_lines() {
    for (cases, due) in [
        ("- nam: x\n", "cases.yaml:1:3"),
        (
            "- name: x\n  columns: { a: text }\n  rows: [[1]]\n  expect: { findings: {} }\n",
            "cases.yaml:3:11",
        ),
        (
            "- name: x\n  columns: { a: txt }\n  expect: { trap: true }\n",
            "cases.yaml:2:17",
        ),
        (
            "- name: x\n  columns: { a: text }\n  rows: [[a, b]]\n  expect: { findings: {} }\n",
            "this row has 2 cells, but there are 1 columns",
        ),
        (
            "- name: x\n  columns: { a: text }\n  masks: [b]\n  expect: { trap: true }\n",
            "`masks` names a column that is not",
        ),
        (
            "- name: x\n  columns: { a: text }\n  expect: {}\n",
            "expects nothing",
        ),
        (
            "- name: x\n  columns: { a: text }\n  expect: { trap: true, keep: [] }\n",
            "cannot be combined with other keys",
        ),
        ("", "the file is empty"),
    ] {
        let _ = test("required", cases).ends_with(2).says(due);
    }
    let _ = Pipeline::empty()
        .call(&["plugin", "test", "required", "away.yaml"])
        .ends_with(1)
        .says("cannot read the cases away.yaml");
}

#[test]
fn a_panics_message_is_the_authors_and_not_the_runs() {
    let panics = guest("panics");
    let cases = format!(
        "- name: it panics
  columns: {{ note: text, other: text }}
  rows: [[a, b], [poison, {CANARY}], [c, d]]
  expect: {{ findings: {{}} }}
- name: it is known to
  columns: {{ note: text }}
  rows: [[poison]]
  expect: {{ trap: true }}
"
    );
    let ran = test(&panics.to_string_lossy(), &cases).ends_with(1);
    for part in [
        "panicked in `apply`",
        "given 3 rows × 2 columns (note text, other text)",
        "row 1 alone causes it",
        "backtrace, innermost first:",
        "stderr    | ",
        CANARY,
        "ok      it is known to",
    ] {
        assert!(
            ran.stdout.contains(part),
            "{part}\n--- in ---\n{}",
            ran.stdout
        );
    }
    let pipeline = Pipeline::new(&format!(
        "name: p
source: {{ csv: {{ path: in.csv }} }}
columns: {{ note: {{ type: text }}, other: {{ type: text }} }}
steps:
  - {{ name: panics, validate: {{ file: {} }}, reads: [note, other] }}
sink: {{ jsonl: {{ path: out.jsonl }} }}
rejects: {{ path: rejects.jsonl }}
",
        panics.display()
    ))
    .file("in.csv", format!("note,other\na,b\npoison,{CANARY}\nc,d\n"))
    .env("RUST_BACKTRACE", "1")
    .env("WASMTIME_BACKTRACE_DETAILS", "1");
    let ran = pipeline.call(&[
        "run",
        "manifest.yaml",
        "--log",
        "trace",
        "--report",
        "report.json",
    ]);
    let ran = ran.ends_with(0);
    let left = [
        &ran.stdout,
        &ran.stderr,
        &pipeline.read("report.json"),
        &pipeline.read("rejects.jsonl"),
    ];
    for text in left {
        assert!(!text.contains(CANARY) && !text.contains("I saw"), "{text}");
    }
    let report: Value = serde_json::from_str(&pipeline.read("report.json")).unwrap();
    let faults = report["faults"].as_object().unwrap();
    let [fault] = faults.keys().collect::<Vec<_>>()[..] else {
        panic!("one sentence a kind: {report:#}");
    };
    assert!(fault.contains("crashed"), "{fault}");
    assert_eq!(report.get("fault-places"), None);
}

#[test]
fn what_a_plugin_writes_is_shown_capped() {
    let shouts = guest("shouts");
    let cases = "- name: it shouts\n  columns: { note: text }\n  rows: [[\"a\\u001b[31mred\"]]\n  expect: { findings: { guest: [0] } }\n";
    let ran = test(&shouts.to_string_lossy(), cases).ends_with(1);
    assert!(ran.stdout.contains("red"), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\u{1b}'));
    assert!(ran.stdout.contains("beyond 64 KiB"), "{}", ran.stdout.len());
    assert!(ran.stdout.len() < 400 << 10, "{}", ran.stdout.len());
}

#[test]
fn check_examines_each_standard_plugin_and_finds_it_sound() {
    for plugin in [
        "allowed-values",
        "checksum",
        "length",
        "pattern",
        "range",
        "required",
        "generalize",
        "partial",
        "pseudonym",
        "redact",
        "keep",
        "row-id",
    ] {
        let ran = Pipeline::empty().call(&["plugin", "check", plugin, "--json"]);
        let ran = ran.ends_with(0);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(report["name"], plugin);
        assert_eq!(report["sound"], true);
        assert_eq!(report["deterministic"], true);
        assert_eq!(report["batches"].as_array().map(Vec::len), Some(10));
        assert!(report["peak-memory"].as_u64() > Some(1 << 16), "{report:#}");
        assert!(report["nanoseconds-a-row"].as_f64() > Some(0.0));
        let imports = report["imports"].as_array().unwrap();
        assert!(imports.iter().all(|i| i["allowed"] == true), "{report:#}");
        let suggested = report["suggested"].as_str().unwrap();
        assert!(suggested.starts_with("limits: { memory: "), "{suggested}");
    }
}

#[test]
fn check_in_words_says_what_it_is_what_it_may_and_what_it_costs() {
    let ran = Pipeline::empty()
        .call(&[
            "plugin",
            "check",
            "partial",
            "--with",
            "{ keep-last: 4 }",
            "--columns",
            "a:text,b:text",
        ])
        .ends_with(0);
    for part in [
        "sha256   ",
        "glovebox:plugin/columns@0.1.0",
        "allowed: the contract",
        "WASI, empty: no arguments",
        "partial 0.1.0 (masker)",
        "keep-last ",
        "with     {\"keep-last\":4} (--with)",
        "columns  a:text,b:text",
        "masks to a text",
        "ok      65,536 rows",
        "deterministic: two instances gave the same answers",
        "ns per row",
        "limits: { memory: ",
    ] {
        assert!(
            ran.stdout.contains(part),
            "{part}\n--- in ---\n{}",
            ran.stdout
        );
    }
}

#[test]
fn check_says_what_to_pass_where_it_finds_nothing_that_is_taken() {
    let columns = Pipeline::empty().call(&["plugin", "check", "length", "--columns", "n:int64"]);
    let _ = columns.ends_with(2).says("--columns");
    let empty = Pipeline::empty().call(&["plugin", "check", "partial", "--with", "[]"]);
    let _ = empty.ends_with(2).says("--with takes a block of keys");
}

#[test]
fn check_fails_on_plugins_that_break_the_contract() {
    let wild = guest("lends_wild_memory");
    let ran = Pipeline::empty()
        .call(&[
            "plugin",
            "check",
            &wild.to_string_lossy(),
            "--columns",
            "a:text,n:int64",
        ])
        .ends_with(1);
    for part in [
        "FAILED  one row",
        "did something in `apply` that the host does not allow",
        "given 8192 rows × 2 columns (a text, n int64)",
        "row 0 alone causes it",
        "it BREAKS the contract",
    ] {
        assert!(
            ran.stdout.contains(part),
            "{part}\n--- in ---\n{}",
            ran.stdout
        );
    }
    let panics = guest("panics_in_open");
    let ran = Pipeline::empty().call(&["plugin", "check", &panics.to_string_lossy()]);
    let _ = ran
        .ends_with(1)
        .says("panicked in `open`")
        .says("backtrace, innermost first:")
        .says("stderr    | ");
}

#[test]
fn check_tells_how_much_memory_an_instance_came_to_hold() {
    let keeps = guest("keeps_memory");
    let call = ["plugin", "check", &keeps.to_string_lossy(), "--json"];
    let ran = Pipeline::empty().call(&call).ends_with(0);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    // It keeps a megabyte of each of the ten batches.
    assert!(
        report["peak-memory"].as_u64() > Some(10 << 20),
        "{report:#}"
    );
}

#[test]
fn check_tells_what_is_refused_and_what_to_rebuild_with() {
    let ran = Pipeline::empty()
        .call(&[
            "plugin",
            "check",
            &guest("imports_secrets").to_string_lossy(),
        ])
        .ends_with(1)
        .says("imports `acme:vault/secrets`, which plugins do not get");
    assert!(
        ran.stdout.contains("REFUSED: imports `acme:vault/secrets`"),
        "{}",
        ran.stdout
    );
    for name in [
        "speaks_another_version",
        "imports_newer_log",
        "is_half_a_world",
    ] {
        let _ = Pipeline::empty()
            .call(&["plugin", "check", &guest(name).to_string_lossy()])
            .ends_with(1)
            .says("0.1.0")
            .says(
                "rebuild it with glovebox-sdk 0.1, or from the WIT package glovebox:plugin@0.1.0",
            );
    }
    let _ = Pipeline::empty()
        .file("not.wasm", "\0asm\u{1}\0\0\0")
        .call(&["plugin", "check", "not.wasm"])
        .ends_with(1)
        .says("is a core WebAssembly module, not a component");
}

#[test]
fn bench_measures_every_size() {
    let call = ["plugin", "bench", "redact", "--columns", "a:text", "--json"];
    let ran = Pipeline::empty().call(&call).ends_with(0);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let sizes: Vec<u64> = report["sizes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|s| s["rows"].as_u64())
        .collect();
    assert_eq!(sizes, [1, 16, 256, 1_024, 8_192, 65_536]);
    let ran = Pipeline::empty().call(&call[..5]).ends_with(0);
    assert_eq!(ran.stdout.matches("rows per call").count(), 6);
    assert!(
        ran.stdout.contains('#') && !ran.stdout.contains('█'),
        "{}",
        ran.stdout
    );
}
