//! Golden tests: a bad manifest and, beside it, the exact text that an operator gets for it.
//!
//! `GLOVEBOX_BLESS=1` writes the texts anew; read each as someone would who was called at night.

#![allow(
    clippy::unwrap_used,
    reason = "tests may fail loudly, their functions too"
)]

use std::fs;
use std::path::{Path, PathBuf};

use glovebox_manifest::{Diagnostic, Known, json_schema, read, render, unpinned};

const KNOWN: Known<'static> = Known {
    standard: &[
        "required",
        "range",
        "pattern",
        "allowed-values",
        "length",
        "redact",
        "partial",
        "pseudonym",
        "generalize",
        "keep",
        "row-id",
    ],
    today: chrono::NaiveDate::from_ymd_opt(2026, 11, 21).unwrap(),
};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

fn manifests() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(repository().join("tests/diagnostics"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    found.sort();
    found
}

/// What an operator gets, and the problems that it was made of.
fn rendered(path: &Path, color: bool) -> (String, Vec<Diagnostic>) {
    let text = fs::read_to_string(path).unwrap();
    let file = path.file_name().unwrap().to_str().unwrap();
    match read(Path::new(file), &text, &KNOWN) {
        // What is wrong under `--locked` only.
        Ok(good) if file.starts_with("locked-") => {
            let problems = unpinned(&good);
            (render(&problems, file, &text, color), problems)
        }
        Ok(_) => (String::new(), Vec::new()),
        Err(problems) => (render(&problems, file, &text, color), problems),
    }
}

#[test]
fn every_bad_manifest_gets_its_exact_text() {
    let bless = std::env::var_os("GLOVEBOX_BLESS").is_some();
    let manifests = manifests();
    assert!(manifests.len() >= 30, "only {} manifests", manifests.len());
    let mut wrong = Vec::new();
    for path in &manifests {
        let (text, _) = rendered(path, false);
        let golden = path.with_extension("txt");
        if bless {
            fs::write(&golden, &text).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if text.is_empty() || text != expected {
            wrong.push(format!(
                "--- {}\n{text}--- instead of\n{expected}",
                path.display()
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nif the new texts are better: GLOVEBOX_BLESS=1 cargo test -p glovebox-manifest --test diagnostics",
        wrong.join("\n")
    );
}

#[test]
fn every_text_has_its_manifest() {
    for entry in fs::read_dir(repository().join("tests/diagnostics")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "txt") {
            assert!(path.with_extension("yaml").exists(), "{}", path.display());
        }
    }
}

#[test]
fn every_problem_says_what_to_do() {
    for path in manifests() {
        for problem in rendered(&path, false).1 {
            assert!(problem.help.is_some(), "{}: {problem:?}", path.display());
        }
    }
}

#[test]
fn no_planted_secret_is_shown() {
    let planted = ["hunter2", "correct horse", "Tr0ub4dor", "1234567890"];
    let mut met = 0;
    for path in manifests() {
        let source = fs::read_to_string(&path).unwrap();
        for secret in planted.iter().filter(|s| source.contains(*s)) {
            met += 1;
            for color in [false, true] {
                let (text, problems) = rendered(&path, color);
                assert!(!text.contains(secret), "{}:\n{text}", path.display());
                assert!(!format!("{problems:?}").contains(secret));
            }
        }
    }
    assert!(met >= 5, "the planted secrets are gone from the manifests");
}

#[test]
fn the_manifests_of_the_data_folder_are_good() {
    for name in ["sales.yaml", "customers.yaml"] {
        let path = repository().join("data").join(name);
        let text = fs::read_to_string(&path).unwrap();
        if let Err(problems) = read(&path, &text, &KNOWN) {
            panic!("{}", render(&problems, name, &text, false));
        }
    }
}

#[test]
fn the_manuals_examples_are_good() {
    let manual = fs::read_to_string(repository().join("docs/manifest.md")).unwrap();
    let examples: Vec<&str> = manual
        .split("```yaml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(examples.len() >= 3);
    for example in examples {
        if let Err(problems) = read(Path::new("example.yaml"), example, &KNOWN) {
            panic!("{}", render(&problems, "docs/manifest.md", example, false));
        }
    }
}

#[test]
fn the_manual_names_every_key() {
    let manual = fs::read_to_string(repository().join("docs/manifest.md")).unwrap();
    let mut keys = Vec::new();
    keys_of(&json_schema(), &mut keys);
    assert!(keys.len() > 40);
    for key in keys {
        let told = [
            format!("`{key}`"),
            format!("`{key}:"),
            format!("{{ {key}: "),
            format!(", {key}: "),
        ];
        assert!(told.iter().any(|t| manual.contains(t)), "{key}");
    }
}

fn keys_of(schema: &serde_json::Value, keys: &mut Vec<String>) {
    if let Some(properties) = schema.get("properties").and_then(|p| p.as_object()) {
        keys.extend(properties.keys().cloned());
    }
    for definition in schema
        .get("$defs")
        .and_then(|d| d.as_object())
        .into_iter()
        .flatten()
    {
        keys_of(definition.1, keys);
    }
}
