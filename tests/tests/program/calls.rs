//! Calls of the program as a person or a script makes them: exit codes, where output goes, and
//! what is said when something is missing.

use std::process::Command;

use glovebox_tests::pipeline::{Pipeline, Running, program};
use serde_json::Value;

const COPY: &str = "\
name: copy
source: { csv: { path: in.csv } }
columns:
  id:   { type: int64 }
  name: { type: text }
sink: { jsonl: { path: out.jsonl } }
";

fn copy() -> Pipeline {
    Pipeline::new(COPY).file("in.csv", "id,name\n1,ann\nx,bob\n")
}

#[test]
fn exit_codes_tell_how_it_ended() {
    let pipeline = copy();
    for (arguments, code) in [
        (&["run", "manifest.yaml"][..], 0),
        (&["check", "manifest.yaml"], 0),
        (&["preview", "manifest.yaml"], 0),
        (&["--help"], 0),
        (&["--version"], 0),
        (&[], 2),
        (&["walk"], 2),
        (&["run"], 2),
        (&["run", "manifest.yaml", "--workers", "0"], 2),
        (&["run", "not-there.yaml"], 2),
        (&["check", "not-there.yaml"], 2),
        (&["preview", "manifest.yaml", "-n", "0"], 2),
    ] {
        let _ = pipeline.call(arguments).ends_with(code);
    }
    pipeline.write("strict.yaml", format!("{COPY}rejects: {{ at-most: 0 }}\n"));
    let ran = pipeline.call(&["run", "strict.yaml"]).ends_with(3);
    let _ = ran.says("1 of 2 rows were rejected, more than `at-most`");
    pipeline.write("wrong.yaml", COPY.replace("csv:", "cvs:"));
    let _ = pipeline
        .call(&["run", "wrong.yaml"])
        .ends_with(2)
        .says("did you mean `csv`?");
    std::fs::remove_file(pipeline.path("in.csv")).unwrap();
    let _ = pipeline
        .call(&["run", "manifest.yaml"])
        .ends_with(1)
        .says("in.csv");
    let _ = pipeline
        .call(&["check", "manifest.yaml"])
        .ends_with(1)
        .says("in.csv");
    let _ = pipeline
        .call(&["check", "manifest.yaml", "--connect"])
        .ends_with(1);
}

#[test]
fn a_manifest_that_is_not_there_is_named() {
    let ran = copy().call(&["run", "away/not-there.yaml"]).ends_with(2);
    let _ = ran.says("cannot read the manifest away/not-there.yaml");
}

#[test]
fn a_missing_secret_names_every_place_looked_in() {
    let manifest = format!(
        "{COPY}credentials: [env, {{ files: secrets }}]
steps:
  - mask: pseudonym
    masks: [name]
    with: {{ method: hmac-sha256 }}
    keys: {{ pseudonym: some/salt }}
"
    );
    let pipeline = Pipeline::new(&manifest).file("in.csv", "id,name\n1,ann\n");
    for call in ["run", "check", "preview"] {
        let ran = pipeline.call(&[call, "manifest.yaml"]).ends_with(2);
        let ran = ran
            .says("no secret `some/salt`")
            .says("manifest.yaml:12:")
            .says("GLOVEBOX_SECRET_SOME_SALT")
            .says("secrets/some/salt")
            .says("secrets/some.salt")
            .says("set GLOVEBOX_SECRET_SOME_SALT for this process; or write it to");
        // A store that the manifest does not name is none to put it into.
        assert!(
            !ran.stderr.contains("glovebox secret set"),
            "{}",
            ran.stderr
        );
    }
    assert_eq!(pipeline.names(), ["in.csv", "manifest.yaml"]);
}

#[test]
fn a_sink_or_rejects_that_cannot_be_written_are_found_before_the_first_row() {
    for (sink, said) in [
        ("jsonl: { path: away/out.jsonl }", "away"),
        ("csv: { path: away/out.csv }", "away"),
        ("sqlite: { path: away/out.db, table: t }", "away"),
        ("jsonl: { path: folder }", "folder"),
    ] {
        let pipeline = Pipeline::new(&COPY.replace("jsonl: { path: out.jsonl }", sink))
            .file("in.csv", "id,name\n1,ann\n")
            .file("folder/there", "");
        let _ = pipeline.run().ends_with(1).says("cannot write").says(said);
        assert_eq!(pipeline.names(), ["folder", "in.csv", "manifest.yaml"]);
    }
    for path in ["away/rejects.jsonl", "folder"] {
        let rejects = format!("{COPY}rejects: {{ path: {path} }}\n");
        let pipeline = Pipeline::new(&rejects)
            .file("in.csv", "id,name\n1,ann\nx,bob\n")
            .file("folder/there", "");
        let _ = pipeline.run().ends_with(1).says("rejects").says(path);
        assert_eq!(pipeline.names(), ["folder", "in.csv", "manifest.yaml"]);
    }
}

#[test]
fn a_report_takes_the_place_of_no_file_of_the_pipeline() {
    let rejects = format!("{COPY}rejects: {{ path: rejects.jsonl }}\n");
    for (path, said) in [
        ("manifest.yaml", "the manifest"),
        ("./in.csv", "the source"),
        ("out.jsonl", "the sink"),
        ("rejects.jsonl", "the rejects"),
    ] {
        let pipeline = Pipeline::new(&rejects).file("in.csv", "id,name\n1,ann\n");
        let _ = pipeline
            .call(&["run", "manifest.yaml", "--report", path])
            .ends_with(2)
            .says(said);
        assert_eq!(pipeline.names(), ["in.csv", "manifest.yaml"]);
        assert_eq!(pipeline.read("in.csv"), "id,name\n1,ann\n");
    }
}

#[test]
fn a_report_of_an_earlier_run_does_not_pass_for_a_failed_ones() {
    let pipeline = copy();
    let call = ["run", "manifest.yaml", "--report", "report.json"];
    let _ = pipeline.call(&call).ends_with(0);
    assert!(pipeline.names().contains(&"report.json".to_owned()));
    pipeline.write("in.csv", "other,columns\n");
    let _ = pipeline.call(&call).ends_with(1);
    assert!(!pipeline.names().contains(&"report.json".to_owned()));
}

#[test]
fn a_report_goes_where_it_is_told() {
    let pipeline = copy();
    let ran = pipeline
        .call(&["run", "manifest.yaml", "--report", "report.json"])
        .ends_with(0);
    assert!(
        ran.stdout
            .contains("2 read = 1 stored + 0 filtered + 1 rejected")
    );
    let report: Value = serde_json::from_str(&pipeline.read("report.json")).unwrap();
    assert_eq!(report["rows"]["stored"], 1);
    assert_eq!(report["outcome"], "done");
    assert_eq!(report["pipeline"], "copy");

    // Standard output is JSON and nothing else.
    let ran = pipeline
        .call(&["run", "manifest.yaml", "--report", "-"])
        .ends_with(0);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["rows"]["rejected"], 1);

    let ran = pipeline.call(&["run", "manifest.yaml", "--report", "away/report.json"]);
    let _ = ran.ends_with(1).says("away/report.json");
}

#[test]
fn a_pipe_gets_no_progress_and_a_terminal_does() {
    let rows: String = (0..60_000)
        .map(|i| format!("{i},somebody with a name\n"))
        .collect();
    let pipeline = copy().file("in.csv", format!("id,name\n{rows}"));
    let ran = pipeline.run().ends_with(0);
    assert_eq!(ran.stderr, "");
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stdout.contains('\r'));

    // util-linux's `script` gives the program a terminal of its own.
    let call = format!("'{}' run manifest.yaml", program().display());
    let mut script = pipeline.command(&[]);
    let environment: Vec<_> = script
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    script = Command::new("script");
    script
        .args(["--quiet", "--return", "--command", &call, "/dev/null"])
        .current_dir(pipeline.folder())
        .env_clear()
        .envs(environment)
        .env("TERM", "xterm")
        .stdin(std::process::Stdio::null());
    let there = Command::new("script").arg("--version").output();
    assert!(
        there.is_ok(),
        "`script` is missing: on Debian, apt-get install bsdutils"
    );
    let shown = Running::new(script).end().ends_with(0).stdout;
    assert!(shown.contains("% ") && shown.contains(" rows"), "{shown:?}");
    assert!(
        shown.contains('\r') || shown.contains('\u{1b}'),
        "{shown:?}"
    );
    assert!(shown.contains("60000 read = 60000 stored"), "{shown:?}");
}

#[test]
fn standard_input_is_a_source() {
    let pipeline = Pipeline::new(&COPY.replace("path: in.csv", "path: \"-\""));
    let input: String = (0..50_000).map(|i| format!("{i},n\n")).collect();
    let input = format!("id,name\n{input}x,bad\n");
    let ran = pipeline.call_with_input(&["run", "manifest.yaml"], input.as_bytes());
    let ran = ran.ends_with(0);
    assert!(
        ran.stdout
            .contains("50001 read = 50000 stored + 0 filtered + 1 rejected"),
        "{}",
        ran.stdout
    );
    assert_eq!(pipeline.read("out.jsonl").lines().count(), 50_000);
    let _ = pipeline
        .call_with_input(&["run", "manifest.yaml"], b"")
        .ends_with(1);
}

#[test]
fn a_closed_standard_output_is_no_failure() {
    let pipeline = copy();
    for call in [
        "'$0' schema",
        "'$0' plugin list",
        "'$0' completions bash",
        "'$0' --help",
    ] {
        let mut shell = pipeline.command(&[]);
        let environment: Vec<_> = shell
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        shell = Command::new("sh");
        let call = call.replace("'$0'", "\"$0\"");
        shell
            .args([
                "-c",
                &format!("{call} | true; {call} | head -c 1 > /dev/null"),
            ])
            .arg(program())
            .current_dir(pipeline.folder())
            .env_clear()
            .envs(environment)
            .stdin(std::process::Stdio::null());
        let ran = Running::new(shell).end().ends_with(0);
        assert_eq!(ran.stderr, "", "{call}");
    }
}

#[test]
fn completions_man_pages_and_schema_are_there() {
    let pipeline = Pipeline::empty();
    for (shell, word) in [
        ("bash", "complete "),
        ("zsh", "#compdef glovebox"),
        ("fish", "complete -c glovebox"),
    ] {
        let script = pipeline.call(&["completions", shell]).ends_with(0).stdout;
        assert!(
            script.contains(word) && script.contains("preview"),
            "{shell}"
        );
    }
    let _ = pipeline.call(&["man", "."]).ends_with(0);
    assert!(
        pipeline
            .read("glovebox.1")
            .contains("glovebox\\-preview(1)")
    );
    assert!(pipeline.read("glovebox-plugin-new.1").contains(".TH"));
    let schema = pipeline.call(&["schema"]).ends_with(0).stdout;
    let schema: Value = serde_json::from_str(&schema).unwrap();
    assert!(schema["properties"]["columns"].is_object());
    let published: Value =
        serde_json::from_str(include_str!("../../../docs/manifest.schema.json")).unwrap();
    assert!(
        schema == published,
        "docs/manifest.schema.json is not what `glovebox schema` prints"
    );
}

#[test]
fn a_slow_mask_is_announced_before_the_first_row() {
    let manifest = "\
name: slow
source: { csv: { path: in.csv } }
columns:
  name: { type: text, personal: true }
credentials: [env]
steps:
  - mask: pseudonym
    masks: [name]
    with: { method: pbkdf2-sha256, iterations: 5000000 }
    keys: { pseudonym: salt }
sink: { csv: { path: out.csv } }
";
    let names: String = (0..20_000).map(|i| format!("name{i}\n")).collect();
    let pipeline = Pipeline::new(manifest)
        .file("in.csv", format!("name\n{names}"))
        .env("GLOVEBOX_SECRET_SALT", "a salt of the tests");
    let mut running = pipeline.start(&["run", "manifest.yaml"]);
    running.until("the note", |running| {
        running.stderr().contains("for each distinct value")
    });
    let note = running.stderr();
    assert!(
        note.starts_with("note: step `pseudonym` may take about"),
        "{note}"
    );
    // No row is through yet: nothing was published.
    assert!(!pipeline.path("out.csv").exists());
    drop(running);

    // A few fast values are not worth a word.
    pipeline.write("manifest.yaml", manifest.replace("5000000", "1000"));
    pipeline.write("in.csv", "name\nann\n");
    assert_eq!(pipeline.run().ends_with(0).stderr, "");
}

#[test]
fn a_preview_shows_rows_and_writes_none() {
    let manifest = "\
name: seen
source: { csv: { path: in.csv } }
columns:
  id:   { type: int64 }
  at:   { type: timestamp }
  cost: { type: \"decimal(9,2)\" }
  raw:  { type: bytes }
  ssn:  { type: text, personal: true }
  mail:
    type: text
    personal: true
    release: { reason: contract 17, owner: someone@example.org, until: 2099-01-31 }
steps:
  - { mask: partial, masks: [ssn], with: { mask-last: 4 } }
sink: { csv: { path: out.csv } }
";
    let pipeline = Pipeline::new(manifest).file(
        "in.csv",
        "id,at,cost,raw,ssn,mail\n\
         1,2026-11-21T22:30:00Z,5,\\x00ff,123-45-6789,ann@example.org\n\
         x,,,,,\n\
         3,,,,,\n\
         4,,,,,\n",
    );
    let shown = pipeline
        .call(&["preview", "manifest.yaml", "-n", "2"])
        .ends_with(0)
        .stdout;
    let lines: Vec<&str> = shown.lines().collect();
    let words: Vec<&str> = lines[2].split_whitespace().collect();
    assert_eq!(
        words,
        [
            "1",
            "2026-11-21T22:30:00Z",
            "5.00",
            "00ff",
            "123-45-XXXX",
            "(personal)"
        ]
    );
    assert!(lines[3].starts_with("3 "), "{shown}");
    assert!(
        lines[4].starts_with("row 1 (line 3) rejected by source: "),
        "{shown}"
    );
    assert_eq!(
        lines[5..],
        ["3 rows read, 0 filtered, 1 rejected; nothing was stored"]
    );
    assert_eq!(pipeline.names(), ["in.csv", "manifest.yaml"]);
}
