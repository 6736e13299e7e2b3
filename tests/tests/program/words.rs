//! What people are told: in JSON where that is asked for, before the first row where it can be, and
//! of what `-` is.

use glovebox_tests::pipeline::{Pipeline, Ran};
use serde_json::Value;

const COPY: &str = "name: words
source: { csv: { path: in.csv } }
columns: { id: { type: int64 }, name: { type: text } }
sink: { jsonl: { path: out.jsonl } }
rejects: { path: rejects.jsonl }
";

fn copy() -> Pipeline {
    Pipeline::new(COPY).file("in.csv", "id,name\n1,ann\nx,bob\n")
}

/// Each line of standard error as JSON.
fn lines(ran: &Ran) -> Vec<Value> {
    let line = |line: &str| serde_json::from_str(line).expect("a line of JSON");
    ran.stderr.lines().map(line).collect()
}

#[test]
fn with_json_logs_errors_and_ends_of_runs_are_json() {
    let json = ["--log-format", "json"];
    let ran = copy().call(&[&json[..], &["run", "manifest.yaml"]].concat());
    let ran = ran.ends_with(0);
    let [ended] = lines(&ran).try_into().expect("one line");
    assert_eq!(
        (&ended["log.level"], &ended["message"]),
        (&"info".into(), &"the run ended".into())
    );
    assert_eq!(
        (&ended["labels.rows_stored"], &ended["labels.rows_rejected"]),
        (&1.into(), &1.into())
    );

    let broken = Pipeline::new(&COPY.replace("int64", "int46"));
    for (pipeline, call, code, part) in [
        (&broken, "check", 2, "int46"),
        (&Pipeline::new(COPY), "run", 1, "in.csv"),
        (&Pipeline::empty(), "run", 2, "cannot read the manifest"),
    ] {
        let ran = pipeline.call(&[&json[..], &[call, "manifest.yaml"]].concat());
        let ran = ran.ends_with(code);
        for line in lines(&ran) {
            assert_eq!(line["log.level"], "error", "{line}");
            let message = line["message"].as_str().unwrap();
            assert!(
                message.contains(part) && !message.contains('\u{1b}'),
                "{message}"
            );
        }
        assert!(!ran.stderr.is_empty());
    }
}

#[test]
fn for_the_journal_each_line_has_its_level() {
    let journal = ["--log-format", "journal"];
    let broken = Pipeline::new(&COPY.replace("int64", "int46"));
    let ran = broken.call(&[&journal[..], &["check", "manifest.yaml"]].concat());
    let ran = ran.ends_with(2);
    assert!(ran.stderr.lines().count() > 3, "{}", ran.stderr);
    assert!(
        ran.stderr.lines().all(|l| l.starts_with("<3>")),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_log_level_that_is_none_is_a_wrong_call() {
    let ran = copy()
        .call(&["--log", "foo=bar", "run", "manifest.yaml"])
        .ends_with(2);
    let _ = ran.says("--log").says("error, warn, info, debug, trace");
}

#[test]
fn check_looks_at_the_files_that_a_run_needs() {
    let _ = copy().call(&["check", "manifest.yaml"]).ends_with(0);
    let away = Pipeline::new(COPY);
    let _ = away
        .call(&["check", "manifest.yaml"])
        .ends_with(1)
        .says("in.csv");
    let folder =
        Pipeline::new(&COPY.replace("out.jsonl", "away/out.jsonl")).file("in.csv", "id,name\n");
    let ran = folder.call(&["check", "manifest.yaml"]).ends_with(1);
    let _ = ran.says("the sink's folder").says("does not exist");
    let rejects = Pipeline::new(&COPY.replace("rejects.jsonl", "away/rejects.jsonl"))
        .file("in.csv", "id,name\n");
    let _ = rejects
        .call(&["check", "manifest.yaml"])
        .ends_with(1)
        .says("away/rejects.jsonl");
    let postgres = "sink: { postgres: { host: localhost, database: d, user: u, password: { secret: p }, table: t, tls: { ca: ca.pem } } }";
    let manifest =
        COPY.replace("sink: { jsonl: { path: out.jsonl } }", postgres) + "credentials: [env]\n";
    let pipeline = Pipeline::new(&manifest)
        .file("in.csv", "id,name\n")
        .env("GLOVEBOX_SECRET_P", "p");
    let ran = pipeline.call(&["check", "manifest.yaml"]).ends_with(1);
    let _ = ran.says("cannot read `tls.ca`").says("ca.pem");
    pipeline.write("ca.pem", "no certificate");
    let ran = pipeline.call(&["check", "manifest.yaml"]).ends_with(1);
    let _ = ran.says("has no certificate");
}

#[test]
fn a_dash_is_standard_input_and_nothing_else() {
    let piped = Pipeline::new(&COPY.replace("in.csv", "\"-\""));
    for call in [
        &["check", "manifest.yaml"][..],
        &["check", "manifest.yaml", "--connect"],
    ] {
        let ran = piped.call(call).ends_with(0);
        let _ = ran.prints("standard input: not checked");
    }
    let ran = piped.call_with_input(&["run", "manifest.yaml"], b"id,name\n1,ann\n");
    let _ = ran.ends_with(0);
    assert!(piped.read("out.jsonl").contains("ann"));
    for (place, said) in [
        ("out.jsonl", "rows cannot go to standard output"),
        ("rejects.jsonl", "rejects cannot go to standard output"),
    ] {
        let pipeline = Pipeline::new(&COPY.replace(place, "\"-\"")).file("in.csv", "id,name\n");
        for call in ["check", "run", "preview"] {
            let _ = pipeline
                .call(&[call, "manifest.yaml"])
                .ends_with(2)
                .says(said);
        }
        assert_eq!(pipeline.names(), ["in.csv", "manifest.yaml"]);
    }
}

#[test]
fn a_short_key_is_noted() {
    let manifest = format!(
        "{COPY}credentials: [env]
steps:
  - {{ mask: pseudonym, masks: [name], with: {{ method: hmac-sha256 }}, keys: {{ pseudonym: some/salt }} }}
"
    );
    let pipeline = |key: &str| {
        Pipeline::new(&manifest)
            .file("in.csv", "id,name\n1,ann\n")
            .env("GLOVEBOX_SECRET_SOME_SALT", key)
    };
    for call in ["check", "run"] {
        let ran = pipeline("short")
            .call(&[call, "manifest.yaml"])
            .ends_with(0);
        let _ = ran.says("note: the mask key `some/salt` has fewer than 16 bytes");
        let ran = pipeline("sixteen bytes ok")
            .call(&[call, "manifest.yaml"])
            .ends_with(0);
        assert_eq!(ran.stderr, "");
    }
}
