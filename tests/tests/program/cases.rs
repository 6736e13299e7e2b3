//! A folder a behaviour, in `tests/cases`: manifest, input, and all that a run leaves behind.
//!
//! `GLOVEBOX_BLESS=1` writes the expectations anew; read the difference before it is committed.
//!
//! In a case, `manifest.yaml` runs first and then every other manifest, by name. `expected.NAME` is
//! the file NAME afterwards, or of an SQLite file NAME a dump of each table; `expected.exit` is the
//! last exit code where it is not 0, `expected.stderr` what was said, where something was, and
//! `expected.report` the report without its times.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use glovebox_tests::pipeline::{Pipeline, Ran};
use glovebox_tests::sqlite;
use serde_json::Value;

const EXPECTED: &str = "expected.";

type Files = BTreeMap<String, Vec<u8>>;

#[test]
fn every_case_leaves_behind_what_is_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(cases.len() >= 20, "only {} cases", cases.len());
    let bless = std::env::var_os("GLOVEBOX_BLESS").is_some();
    let mut problems = String::new();
    for case in &cases {
        let (given, expected) = files(case);
        let found = outcome(&given);
        if bless {
            write(case, &expected, &found);
            continue;
        }
        for problem in differences(&expected, &found) {
            let name = case.file_name().unwrap().to_string_lossy();
            let _ = writeln!(problems, "── {name}: {problem}");
        }
    }
    assert!(problems.is_empty(), "\n{problems}");
}

/// A case's files: those that are given, and those that are expected, without the prefix.
fn files(case: &Path) -> (Files, Files) {
    let mut given = Files::new();
    walk(case, "", &mut given);
    let mut expected = Files::new();
    given.retain(|name, content| match name.strip_prefix(EXPECTED) {
        Some(name) => {
            expected.insert(name.to_owned(), std::mem::take(content));
            false
        }
        None => true,
    });
    (given, expected)
}

fn walk(folder: &Path, prefix: &str, found: &mut Files) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            walk(&path, &format!("{name}/"), found);
        } else {
            found.insert(name, fs::read(path).unwrap());
        }
    }
}

/// Runs a case's manifests, and collects all that is new.
fn outcome(given: &Files) -> Files {
    let mut pipeline = Pipeline::empty();
    for (name, content) in given {
        pipeline = pipeline.file(name, content);
    }
    let mut ran = checked_run(&pipeline, "manifest.yaml");
    for name in given.keys() {
        if name.ends_with(".yaml") && name != "manifest.yaml" {
            ran = checked_run(&pipeline, name);
        }
    }

    let here = format!(
        "{}/",
        fs::canonicalize(pipeline.folder()).unwrap().display()
    );
    let mut found = Files::new();
    if ran.code != Some(0) {
        let code = ran.code.map_or("a signal".into(), |code| code.to_string());
        found.insert("exit".into(), format!("{code}\n").into());
    }
    if !ran.stderr.is_empty() {
        found.insert("stderr".into(), ran.stderr.replace(&here, "").into());
    }
    if ran.report.is_object() {
        found.insert("report".into(), told(&ran.report).into());
    }
    let mut left = Files::new();
    walk(pipeline.folder(), "", &mut left);
    for (name, content) in left {
        if given.get(&name) == Some(&content) {
            continue;
        }
        if content.starts_with(b"SQLite format 3\0") {
            let path = pipeline.path(&name);
            let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE \
                          'glovebox@_%' ESCAPE '@' ORDER BY name";
            for table in sqlite::query(&path, tables).into_iter().flatten().flatten() {
                found.insert(
                    format!("{name}.{table}"),
                    sqlite::dump(&path, &table).into(),
                );
            }
        } else {
            found.insert(name, content);
        }
    }
    found
}

/// A run whose report adds up and agrees with the list of rejects.
fn checked_run(pipeline: &Pipeline, manifest: &str) -> Ran {
    let mut ran = pipeline.call(&["run", manifest, "--report", "report.json"]);
    if let Ok(json) = fs::read(pipeline.path("report.json")) {
        fs::remove_file(pipeline.path("report.json")).unwrap();
        ran.report = serde_json::from_slice(&json).unwrap();
        assert!(ran.is_balanced(), "{manifest}: {:#}", ran.report);
        let rejects = pipeline.read(ran.report["rejects-path"].as_str().unwrap());
        let listed = rejects.lines().count() as u64;
        assert_eq!(ran.rows("rejected"), listed, "{manifest}: {:#}", ran.report);
    }
    ran
}

/// The report without what differs from run to run.
fn told(report: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = &report["rows"];
    let mut told = format!(
        "{}\n{} read = {} stored + {} filtered + {} rejected\n",
        text(&report["outcome"]),
        rows["read"],
        rows["stored"],
        rows["filtered"],
        rows["rejected"]
    );
    if let Some(withheld) = report["withheld-rows"].as_u64() {
        let _ = writeln!(told, "{withheld} withheld");
    }
    for step in report["steps"].as_array().unwrap() {
        let _ = writeln!(
            told,
            "step {} ({}): {} in, {} filtered, {} rejected",
            text(&step["name"]),
            text(&step["plugin"]),
            step["rows-in"],
            step["filtered"],
            step["rejected"]
        );
    }
    for reject in report["rejects"].as_array().unwrap() {
        let column = reject.get("column").map_or("the row".into(), text);
        let _ = writeln!(
            told,
            "rejected by {}: {} {column}, {} rows",
            text(&reject["step"]),
            text(&reject["rule"]),
            reject["rows"]
        );
    }
    for note in report
        .get("notes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let _ = writeln!(told, "note: {}", text(note));
    }
    if let Some(faults) = report.get("faults").and_then(Value::as_object) {
        for (fault, times) in faults {
            let _ = writeln!(told, "fault, {times} times: {fault}");
        }
    }
    told
}

fn write(case: &Path, old: &Files, new: &Files) {
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        fs::remove_file(case.join(format!("{EXPECTED}{name}"))).unwrap();
    }
    for (name, content) in new {
        fs::write(case.join(format!("{EXPECTED}{name}")), content).unwrap();
    }
}

fn differences(expected: &Files, found: &Files) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, content) in expected {
        match found.get(name) {
            None => problems.push(format!("there is no {name}")),
            Some(found) if found == content => {}
            Some(found) => problems.push(format!("{name} differs\n{}", lines(content, found))),
        }
    }
    for (name, content) in found {
        if !expected.contains_key(name) {
            let content = content.escape_ascii();
            problems.push(format!("{name} is not expected: {content}"));
        }
    }
    problems
}

/// The lines that differ, the first ten.
fn lines(expected: &[u8], found: &[u8]) -> String {
    let split = |bytes: &[u8]| -> Vec<String> {
        bytes
            .split_inclusive(|&b| b == b'\n')
            .map(|line| match std::str::from_utf8(line) {
                Ok(line) => line.escape_debug().to_string(),
                Err(_) => line.escape_ascii().to_string(),
            })
            .collect()
    };
    let (expected, found) = (split(expected), split(found));
    let at = |lines: &[String], i: usize| lines.get(i).map_or("(ends)".into(), String::clone);
    (0..expected.len().max(found.len()))
        .filter(|&i| expected.get(i) != found.get(i))
        .take(10)
        .map(|i| {
            format!(
                "   {:>4} - {}\n        + {}\n",
                i + 1,
                at(&expected, i),
                at(&found, i)
            )
        })
        .collect()
}
