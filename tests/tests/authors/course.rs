//! Every block of code in docs/plugin-authoring.md is a part of a file that is compiled, loaded or
//! run by a test, or, in a shell, is run here in the order of the page.

use std::fs;
use std::path::{Path, PathBuf};

use glovebox_tests::markdown::blocks;
use glovebox_tests::pipeline::Pipeline;

use crate::folder::{empty, shell, target};

/// What tests compile, load or run: this file's `the_examples_…` and the journeys.
const TESTED: [(&str, &str); 6] = [
    ("plugins/sdk/examples", "rs"),
    ("plugins/sdk/examples", "yaml"),
    ("templates/rust", "rs"),
    ("templates/rust", "toml"),
    ("templates/python", "py"),
    ("templates/js", "js"),
];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn course() -> String {
    fs::read_to_string(repository().join("docs/plugin-authoring.md")).unwrap()
}

/// All files below a folder with this ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut files(&path, ending));
        } else if path.extension().is_some_and(|e| e == ending) {
            found.push(path);
        }
    }
    found
}

/// The texts that a block of a language may be a part of.
fn tested(language: &str) -> Vec<String> {
    let ending = match language {
        "rust" => "rs",
        "python" => "py",
        language => language,
    };
    let mut folders: Vec<(&str, &str)> = TESTED.into();
    folders.push(("templates/all", "yaml"));
    folders
        .iter()
        .filter(|(_, of)| *of == ending)
        .flat_map(|(folder, ending)| files(&repository().join(folder), ending))
        .map(|path| {
            fs::read_to_string(path)
                .unwrap()
                .replace("{{name}}", "keep-last")
        })
        .collect()
}

/// Whether a text is some whole lines of a file, perhaps indented there.
fn is_part(text: &str, file: &str) -> bool {
    let wanted: Vec<&str> = text.lines().collect();
    let lines: Vec<&str> = file.lines().collect();
    !wanted.is_empty()
        && lines.windows(wanted.len()).any(|window| {
            let indent = |line: &&str| line.len() - line.trim_start().len();
            let full = window.iter().filter(|line| !line.trim().is_empty());
            let indent = full.map(indent).min().unwrap_or(0);
            let same = |(line, wanted): (&&str, &&str)| {
                line.get(indent..).unwrap_or("").trim_end() == wanted.trim_end()
            };
            window.iter().zip(&wanted).all(same)
        })
}

/// The blocks that no test sees, as lines of the page.
fn untested(markdown: &str) -> Vec<String> {
    blocks(markdown)
        .iter()
        .filter(|block| block.language != "sh")
        .filter(|block| {
            let tested = tested(&block.language);
            !tested.iter().any(|file| is_part(&block.text, file))
        })
        .map(|block| format!("line {}: {}", block.line, block.language))
        .collect()
}

#[test]
fn every_block_is_a_part_of_a_tested_file() {
    let course = course();
    assert!(blocks(&course).len() > 15);
    assert_eq!(untested(&course), [] as [&str; 0]);
}

#[test]
fn a_block_that_no_test_sees_is_found() {
    let changed = course().replace("n % 2 != 0", "n % 2 == 1");
    let untested_rust = untested(&changed);
    assert_eq!(untested_rust.len(), 1, "{untested_rust:?}");
    assert!(untested_rust[0].ends_with(": rust"));
    for block in [
        "```\nlet x = 1;\n```\n",
        "```go\nfunc main() {}\n```\n",
        "```yaml\na: b\n```\n",
    ] {
        assert_eq!(untested(block).len(), 1, "{block}");
    }
}

#[test]
fn the_shell_blocks_run_in_the_order_of_the_page() {
    let folder = empty("course");
    let mut script = String::from("set -eu\n");
    let mut lines = 0;
    for block in blocks(&course()) {
        if block.language == "sh" {
            script.push_str(&block.text);
            lines += block.text.lines().count();
        }
    }
    assert!(lines > 5);
    fs::write(folder.join("course.sh"), script).unwrap();
    let said = shell(&folder, "sh -x course.sh").ends_with(0);
    let masked = fs::read_to_string(folder.join("keep-last/clean.csv")).unwrap();
    assert!(masked.contains("***************1111"), "{}", said.all);
    assert!(folder.join("keep-last-too/masker.py").is_file());
}

fn example(name: &str) -> Vec<u8> {
    let built = target().join(format!("wasm32-wasip2/plugin/examples/{name}.wasm"));
    fs::read(&built).unwrap_or_else(|_| {
        panic!(
            "there is no {}; build it: cargo xtask plugins",
            built.display()
        )
    })
}

#[test]
fn the_examples_pass_their_cases() {
    let folder = repository().join("plugins/sdk/examples");
    let mut passed = 0;
    for plugin in files(&folder, "rs") {
        let name = plugin.file_stem().unwrap().to_str().unwrap();
        let cases = fs::read(folder.join(format!("{name}.cases.yaml")));
        let cases = cases.unwrap_or_else(|_| panic!("{name} has no cases"));
        let here = Pipeline::empty()
            .file("plugin.wasm", example(name))
            .file("cases.yaml", cases);
        let _ = here
            .call(&["plugin", "test", "plugin.wasm", "cases.yaml"])
            .ends_with(0);
        passed += 1;
    }
    assert!(passed >= 4);
}

fn manifest(name: &str) -> String {
    fs::read_to_string(repository().join("plugins/sdk/examples").join(name)).unwrap()
}

#[test]
fn the_manifest_of_the_free_text_runs() {
    let notes = "id,note\n1,\"mail ann@example.org, not Ann\"\n2,nothing\n3,ann@example.org\n";
    let here = Pipeline::new(&manifest("mail_addresses.yaml"))
        .file("mail_addresses.wasm", example("mail_addresses"))
        .file("notes.csv", notes)
        .env(
            "GLOVEBOX_SECRET_NOTES_PSEUDONYM",
            "0123456789abcdef0123456789abcdef",
        );
    let _ = here.run().ends_with(0);
    let clean = here.read("clean.csv");
    let rows: Vec<&str> = clean.lines().collect();
    let pseudonym = rows[3].strip_prefix("3,").unwrap();
    assert_eq!(pseudonym.len(), 44);
    assert_eq!(rows[1], format!("1,\"mail {pseudonym}, not Ann\""));
    assert_eq!(rows[2], "2,nothing");
}

#[test]
fn the_manifest_of_the_orders_runs() {
    let here = Pipeline::new(&manifest("total.yaml"))
        .file("even.wasm", example("even"))
        .file("total.wasm", example("total"))
        .file(
            "orders.csv",
            "number,price,quantity\n2,2.5,4\n3,1,1\n4,,1\n",
        );
    let _ = here.run().ends_with(0);
    let rows: Vec<serde_json::Value> = here
        .read("clean.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["total"], 10.0);
    assert!(rows[1]["total"].is_null());
}
