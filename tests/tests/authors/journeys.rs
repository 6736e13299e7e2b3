//! From an empty folder to rows that a new plugin made, in every language and world: `plugin new`,
//! then the one command that it prints.
//!
//! The cases in the folder are the same for the three languages, so each passes the others'.

use std::fs;
use std::path::Path;

use crate::folder::{Said, empty, installed, kept, new_plugin, shell};

const MASKED: &str = "\
name,card,city
Ann,***************1111,Oslo
Bo,************5559,Æble
Zoë,,Łódź
,***-000,Rome
Ærø,****,東京
";
const VALIDATED: &str = "\
name,city
Ann,Oslo
Zoë,Łódź
,Rome
Ærø,東京
";
const TRANSFORMED: &str = "\
name,city,name_length
Ann,Oslo,3
Bo,Æble,2
Zoë,Łódź,3
,Rome,
Ærø,東京,3
";

/// The one command, which builds, tests, checks and runs.
fn whole(language: &str, world: &str, rows: &str) {
    if !installed(language) {
        return;
    }
    let above = empty(&format!("{language}-{world}"));
    let name = format!("new-{world}");
    let (folder, printed) = new_plugin(&above, &name, language, world);
    assert_eq!(printed, format!("cd {name} && ./try.sh"));
    let said = shell(&above, &printed);
    assert!(said.stdout.contains(rows), "{}", said.all);
    assert_rows(&folder, rows);
    assert_sound(&said);
    assert_failing_case_fails(&folder, &name);
}

/// The same without building what was built before from the same files.
fn again(language: &str, world: &str, rows: &str) {
    if !installed(language) {
        return;
    }
    let above = empty(&format!("{language}-{world}"));
    let name = format!("new-{world}");
    let (folder, _) = new_plugin(&above, &name, language, world);
    let kept = kept(&folder, &format!("{language}-{world}"));
    let component = folder.join(format!("{name}.wasm"));
    if kept.is_file() {
        fs::copy(&kept, &component).unwrap();
    } else {
        let _ = shell(&folder, "./build.sh").ends_with(0);
        fs::copy(&component, &kept).unwrap();
    }
    // What try.sh does after the build.
    let line = "grep -v build.sh try.sh > rest.sh && sh rest.sh";
    let said = shell(&folder, line);
    assert_rows(&folder, rows);
    assert_sound(&said);
}

#[track_caller]
fn assert_rows(folder: &Path, rows: &str) {
    assert_eq!(fs::read_to_string(folder.join("clean.csv")).unwrap(), rows);
}

/// That `plugin check`, the last command, has nothing to say against it.
#[track_caller]
fn assert_sound(said: &Said) {
    let whole = said.stdout.contains("deterministic: two instances");
    assert!(whole && !said.stdout.contains("REFUSED"), "{}", said.all);
    assert!(!said.stdout.contains("FAILED"), "{}", said.all);
    assert_eq!(said.code, Some(0), "{}", said.all);
}

/// Cases that could not fail would show nothing.
fn assert_failing_case_fails(folder: &Path, name: &str) {
    let cases = fs::read_to_string(folder.join("cases.yaml")).unwrap();
    let wrong = cases
        .replace("\"*2345\"", "\"12345\"")
        .replace("min-length: [1, 2]", "min-length: [1]")
        .replace("[3, 3, 2, 2, 2]", "[3, 3, 2, 2, 3]");
    assert_ne!(wrong, cases);
    fs::write(folder.join("wrong.yaml"), wrong).unwrap();
    let line = format!("glovebox plugin test {name}.wasm wrong.yaml");
    let _ = shell(folder, &line).ends_with(1);
}

#[test]
fn a_masker_in_rust() {
    whole("rust", "masker", MASKED);
}

#[test]
fn a_validator_in_rust() {
    whole("rust", "validator", VALIDATED);
}

#[test]
fn a_transformer_in_rust() {
    whole("rust", "transformer", TRANSFORMED);
}

#[test]
fn a_masker_in_python() {
    whole("python", "masker", MASKED);
}

#[test]
fn a_validator_in_python() {
    again("python", "validator", VALIDATED);
}

#[test]
fn a_transformer_in_python() {
    again("python", "transformer", TRANSFORMED);
}

#[test]
fn a_masker_in_javascript() {
    whole("js", "masker", MASKED);
}

#[test]
fn a_validator_in_javascript() {
    again("js", "validator", VALIDATED);
}

#[test]
fn a_transformer_in_javascript() {
    again("js", "transformer", TRANSFORMED);
}
