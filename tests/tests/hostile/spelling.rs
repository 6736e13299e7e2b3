//! Guests that spell a cell in what is said of them: by how they fail, by how often and in which
//! order they find a rule, and in every text that they may choose. Nothing of it is in what a run
//! says or keeps.

use std::collections::{BTreeMap, BTreeSet};

use glovebox_tests::pipeline::{Pipeline, Ran};
use serde_json::Value;

use crate::act::{ROWS, World, act, component, sentence, silent};

/// Every text that a run of it says or keeps, the journal in the database's file among them.
fn all_said(pipeline: &Pipeline, ran: &Ran) -> String {
    let mut said = format!("{}\n{}\n{}\n", ran.stdout, ran.stderr, ran.report);
    for name in pipeline.names() {
        if !name.ends_with(".wasm") && name != "manifest.yaml" && name != "in.csv" {
            let bytes = std::fs::read(pipeline.path(&name)).unwrap_or_default();
            said += &String::from_utf8_lossy(&bytes);
        }
    }
    said
}

#[test]
fn a_masker_cannot_spell_a_cell_by_how_it_fails() {
    let letters: Vec<char> = ('a'..='s').collect();
    let mut rows = String::from("id,city\n");
    for (id, letter) in letters.iter().enumerate() {
        rows += &format!("{id},{letter}\n");
    }
    let manifest = "name: hostile
source: { csv: { path: in.csv } }
columns:
  id:   { type: int64 }
  city: { type: text }
credentials: [env]
steps:
  - name: guest
    mask: ./guest.wasm
    masks: [city]
    keys: { key: guest/key }
    limits: { time: 10s, memory: 64MiB, returned: 4MiB }
sink: { sqlite: { path: out.db, table: cities, mode: append } }
rejects: { path: rejects.jsonl }
";
    let pipeline = Pipeline::new(manifest)
        .file("in.csv", rows)
        .file("guest.wasm", component("spells_cells_in_faults"))
        .env("GLOVEBOX_SECRET_GUEST_KEY", "a key of the tests")
        .env("WASMTIME_BACKTRACE_DETAILS", "1");
    let ran = pipeline.run_with(&["--log", "trace"]).ends_with(0);
    assert_eq!(ran.rows("rejected"), letters.len() as u64);
    assert!(ran.is_balanced());

    let said = all_said(&pipeline, &ran);
    assert!(
        said.contains("plugin-trap"),
        "the journal was not looked at"
    );
    for word in ["letter_", "spells_cells", "0xf000"] {
        assert!(!said.contains(word), "{word}: {said}");
    }
    let mut messages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in pipeline.read("rejects.jsonl").lines() {
        let reject: Value = serde_json::from_str(line).unwrap();
        for violation in reject["violations"].as_array().unwrap() {
            assert_eq!(violation.get("column"), None, "{violation}");
            let text = |name: &str| violation[name].as_str().unwrap().to_owned();
            messages
                .entry(text("rule"))
                .or_default()
                .insert(text("message"));
        }
    }
    let plugin = ran.report["steps"][0]["plugin"].as_str().unwrap();
    let rules: Vec<&str> = messages.keys().map(String::as_str).collect();
    assert_eq!(rules, ["plugin-breach", "plugin-memory", "plugin-trap"]);
    for (rule, said) in &messages {
        let said: Vec<&str> = said.iter().map(String::as_str).collect();
        assert_eq!(said, [sentence(plugin, rule)], "{rule}");
    }
    let faults = ran.report["faults"].as_object().unwrap();
    assert_eq!(faults.len(), rules.len(), "{faults:?}");
    assert_eq!(ran.report.get("fault-places"), None);
}

#[test]
fn a_rule_is_broken_once_a_row_however_often_and_in_which_order_it_is_found() {
    let act = act("carries_cells_in_findings", World::Validator, "often");
    let pipeline = act.pipeline();
    let ran = pipeline.run().ends_with(0);
    silent(&act.title(), &pipeline, &ran);
    assert_eq!(
        (ran.rows("stored"), ran.rows("rejected")),
        (ROWS as u64 - 1, 1)
    );
    let reject: Value = serde_json::from_str(pipeline.read("rejects.jsonl").trim()).unwrap();
    let violations = reject["violations"].as_array().unwrap();
    let rules: Vec<&str> = violations
        .iter()
        .filter_map(|v| v["rule"].as_str())
        .collect();
    assert_eq!(rules, ["zero", "one"]);
    for count in ran.report["rejects"].as_array().unwrap() {
        assert_eq!(count["rows"], 1, "{count}");
    }
}

#[test]
fn what_it_calls_itself_is_in_no_report() {
    let act = act("writes_on_the_terminal", World::Validator, "");
    let pipeline = act.pipeline();
    let ran = pipeline.run().ends_with(0);
    let said = all_said(&pipeline, &ran);
    assert!(!said.contains("evil"), "{said}");
    let plugin = ran.report["steps"][1]["plugin"].as_str().unwrap();
    assert!(plugin.ends_with("guest.wasm"), "{plugin}");
    for command in ["check", "preview"] {
        let ran = pipeline.call(&[command, "manifest.yaml"]).ends_with(0);
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains("evil"), "{command}: {text}");
        }
    }
}

#[test]
fn why_it_refuses_is_for_its_author() {
    let act = act("writes_on_the_terminal", World::Validator, "refuse");
    let pipeline = act.pipeline();
    for command in ["run", "check", "preview"] {
        let ran = pipeline.call(&[command, "manifest.yaml"]).ends_with(2);
        assert!(!ran.stderr.contains("evil"), "{}", ran.stderr);
        let ran = ran.says("refuses its `with:`").says("--> manifest.yaml:");
        let _ = ran.says("glovebox plugin check");
    }
    let told = pipeline.call(&[
        "plugin",
        "check",
        "guest.wasm",
        "--with",
        "{ act: refuse }",
        "--columns",
        "city:text",
    ]);
    let told = told.ends_with(2).says("evil");
    let plain = |c: char| c != '\n' && c.is_control();
    assert!(!told.stderr.contains(plain), "{:?}", told.stderr);
}

#[test]
fn a_key_that_it_names_is_shown_only_if_it_could_be_one() {
    let pipeline = act("names_another_key", World::Masker, "evil").pipeline();
    let ran = pipeline.run().ends_with(2);
    assert!(!ran.stderr.contains("evil"), "{}", ran.stderr);
    let _ = ran.says("is not in the step's `keys:` block");
}
