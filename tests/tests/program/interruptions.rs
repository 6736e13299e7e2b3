//! Runs that are stopped or killed half-way: what is stored is whole, and the next start goes on.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use glovebox_tests::pipeline::{Pipeline, Running};
use glovebox_tests::postgres::Postgres;
use glovebox_tests::sqlite;

/// Far more than a test waits for: tens of milliseconds for each of many values.
const SLOW: &str = "pbkdf2-sha256, iterations: 2000000";
const FAST: &str = "hmac-sha256";

fn manifest(sink: &str, method: &str, source: &str) -> String {
    format!(
        "name: slow
source: {{ csv: {{ path: {source} }} }}
columns:
  name: {{ type: text, personal: true }}
credentials: [env]
steps:
  - mask: pseudonym
    masks: [name]
    with: {{ method: {method} }}
    keys: {{ pseudonym: salt }}
sink:
  {sink}
rejects: {{ path: rejects.jsonl }}
"
    )
}

/// A pipeline that has run once, quickly, and will be slow the next time.
pub(crate) fn prepared(sink: &str) -> Pipeline {
    let names: String = (0..20_000).map(|i| format!("name{i}\n")).collect();
    let pipeline = Pipeline::new(&manifest(sink, FAST, "short.csv"))
        .file("slow.yaml", manifest(sink, SLOW, "in.csv"))
        .file("in.csv", format!("name\n{names}"))
        .file("short.csv", "name\nann\nbob\n")
        .env("GLOVEBOX_SECRET_SALT", "salt")
        .env("GLOVEBOX_SECRET_PASSWORD", Postgres::shared().password());
    let first = pipeline.run_with(&["--again"]).ends_with(0);
    assert_eq!(first.rows("stored"), 2);
    pipeline
}

/// A slow run that has begun: its rejects are staged, and it masks.
pub(crate) fn under_way(pipeline: &Pipeline) -> Running {
    let mut running = pipeline.start(&["run", "slow.yaml"]);
    running.until("the run begins", |_| {
        let staged = |name: &String| name == ".rejects.jsonl.glovebox-lock";
        pipeline.names().iter().any(staged)
    });
    // Let the sink open and the workers begin.
    std::thread::sleep(Duration::from_millis(700));
    running
}

const FILES: [&str; 3] = [
    "csv: { path: out.csv }",
    "jsonl: { path: out.jsonl }",
    "csv: { path: out.csv, mode: append }",
];

fn content(pipeline: &Pipeline, sink: &str) -> String {
    pipeline.read(if sink.starts_with("csv") {
        "out.csv"
    } else {
        "out.jsonl"
    })
}

#[test]
fn ctrl_c_and_sigterm_leave_an_old_file_untouched_and_nothing_beside_it() {
    for (sink, signal) in FILES.into_iter().zip(["INT", "TERM", "INT"]) {
        let pipeline = prepared(sink);
        let (names, before) = (pipeline.names(), content(&pipeline, sink));
        let running = under_way(&pipeline);
        running.signal(signal);
        let ran = running.end().ends_with(1);
        let _ = ran
            .says("stopping")
            .says("stopped on request\nnothing was stored");
        assert_eq!(pipeline.names(), names);
        assert_eq!(content(&pipeline, sink), before);
    }
}

#[test]
fn ctrl_c_leaves_no_file_where_there_was_none() {
    let pipeline = prepared(FILES[0]);
    fs::remove_file(pipeline.path("out.csv")).unwrap();
    let names = pipeline.names();
    let running = under_way(&pipeline);
    running.signal("INT");
    let _ = running.end().ends_with(1);
    assert_eq!(pipeline.names(), names);
}

#[test]
fn ctrl_c_leaves_a_new_database_empty_since_others_may_have_opened_it() {
    let pipeline = prepared("sqlite: { path: out.db, table: things }");
    let names = pipeline.names();
    fs::remove_file(pipeline.path("out.db")).unwrap();
    let running = under_way(&pipeline);
    running.signal("INT");
    let _ = running.end().ends_with(1);
    assert_eq!(pipeline.names(), names);
    let tables = sqlite::query(&pipeline.path("out.db"), "SELECT name FROM sqlite_schema");
    assert!(tables.is_empty(), "{tables:?}");
}

#[test]
fn ctrl_c_is_heard_while_a_pipe_is_silent() {
    let sink = "sqlite: { path: out.db, table: things }";
    let pipeline =
        Pipeline::new(&manifest(sink, FAST, "\"-\"")).env("GLOVEBOX_SECRET_SALT", "salt");
    let mut command = pipeline.command(&["run", "manifest.yaml"]);
    command.stdin(Stdio::piped());
    let mut running = Running::new(command);
    // The run begins with the first chunk, which is a mebibyte.
    running.feed("name\n".repeat(400_000).as_bytes());
    running.until("the sink is open", |_| pipeline.path("out.db").exists());
    running.signal("INT");
    let ran = running.end().ends_with(1);
    let _ = ran.says("stopped on request\nnothing was stored");
    assert_eq!(pipeline.names(), ["manifest.yaml", "out.db"]);
}

#[test]
fn a_stopped_or_killed_run_leaves_sqlite_as_it_was() {
    for mode in ["append", "replace"] {
        for signal in ["INT", "TERM", "KILL"] {
            let sink = format!("sqlite: {{ path: out.db, table: things, mode: {mode} }}");
            let pipeline = prepared(&sink);
            let file = pipeline.path("out.db");
            let names = pipeline.names();
            let before = sqlite::dump(&file, "things");
            let running = under_way(&pipeline);
            running.signal(signal);
            let ran = running.end();
            assert_eq!(ran.code, (signal != "KILL").then_some(1), "{}", ran.stderr);
            if signal != "KILL" {
                assert_eq!(pipeline.names(), names);
            }
            assert_eq!(sqlite::dump(&file, "things"), before, "{mode} {signal}");
            let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' \
                          AND name NOT LIKE 'glovebox\\_%' ESCAPE '\\'";
            assert_eq!(sqlite::query(&file, tables), [[Some("things".to_owned())]]);
            let again = pipeline.run_with(&["--again"]).ends_with(0);
            assert_eq!(again.rows("stored"), 2);
            let rows = sqlite::dump(&file, "things").lines().count() - 1;
            assert_eq!(rows, if mode == "append" { 4 } else { 2 });
        }
    }
}

#[test]
fn a_killed_run_leaves_an_old_file_as_it_was() {
    let pipeline = prepared(FILES[0]);
    let before = content(&pipeline, FILES[0]);
    let running = under_way(&pipeline);
    running.signal("KILL");
    assert_eq!(running.end().code, None);
    assert_eq!(content(&pipeline, FILES[0]), before);
    assert_eq!(pipeline.run().ends_with(0).rows("stored"), 2);
}

#[test]
fn a_stopped_or_killed_run_leaves_postgres_as_it_was() {
    let server = Postgres::shared();
    let database = server.database("stopped");
    let count = || server.query(&database, "SELECT count(*) FROM things");
    let rows = |n: usize| [[Some(n.to_string())]];
    let mut before = 0;
    for mode in ["append", "replace"] {
        for signal in ["INT", "KILL"] {
            let sink = format!(
                "postgres: {{ {}, table: things, mode: {mode} }}",
                server.place(&database)
            );
            let pipeline = prepared(&sink);
            let there = if mode == "append" { before + 2 } else { 2 };
            assert_eq!(count(), rows(there));
            let names = pipeline.names();
            let running = under_way(&pipeline);
            running.signal(signal);
            let ran = running.end();
            assert_eq!(ran.code, (signal == "INT").then_some(1), "{}", ran.stderr);
            if signal == "INT" {
                assert_eq!(pipeline.names(), names);
            }
            assert_eq!(count(), rows(there), "{mode} {signal}");
            let tables = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = \
                          'public'::regnamespace";
            assert_eq!(server.query(&database, tables), rows(1));
            let again = pipeline.run_with(&["--again"]).ends_with(0);
            assert_eq!(again.rows("stored"), 2);
            before = if mode == "append" { there + 2 } else { 2 };
            assert_eq!(count(), rows(before));
        }
    }
}

/// More than the 16 MiB that SQLite keeps before it writes.
const WIDE_ROWS: usize = 300;

fn wide() -> String {
    format!("{}\n", "wide ".repeat(20_000))
}

/// Goes on with the run that [`killed_half_way`] killed; the input comes again from its start.
fn go_on(pipeline: &Pipeline) {
    let input = format!("name\n{}", wide().repeat(WIDE_ROWS));
    let call = ["run", "open.yaml", "--resume"];
    let _ = pipeline
        .call_with_input(&call, input.as_bytes())
        .ends_with(0);
}

/// A run from a pipe that stays open, killed when some of its rows have reached the sink, as
/// `written` says.
fn killed_half_way(sink: &str, written: impl Fn(&Pipeline) -> bool) -> Pipeline {
    let pipeline = prepared(sink).file(
        "open.yaml",
        format!(
            "name: open\nsource: {{ csv: {{ path: \"-\" }} }}\ncolumns:\n  name: {{ type: text \
             }}\nsink:\n  {sink}\nrejects: {{ path: rejects.jsonl }}\ncredentials: [env]\n"
        ),
    );
    let mut command = pipeline.command(&["run", "open.yaml"]);
    command.stdin(Stdio::piped());
    let mut running = Running::new(command);
    running.feed(b"name\n");
    for _ in 0..WIDE_ROWS {
        running.feed(wide().as_bytes());
    }
    running.until("rows are written", |_| written(&pipeline));
    running.signal("KILL");
    assert_eq!(running.end().code, None);
    pipeline
}

fn size(pipeline: &Pipeline, begins: &str, ends: &str) -> u64 {
    let names = pipeline.names();
    let name = names
        .iter()
        .find(|name| name.starts_with(begins) && name.ends_with(ends));
    name.and_then(|name| fs::metadata(pipeline.path(name)).ok())
        .map_or(0, |file| file.len())
}

#[test]
fn a_killed_run_goes_on_where_it_stood_in_sqlite_and_begins_anew_in_a_file() {
    for mode in ["append", "replace"] {
        let sink = format!("sqlite: {{ path: out.db, table: things, mode: {mode} }}");
        let pipeline = killed_half_way(&sink, |pipeline| {
            size(pipeline, "out.db", "-wal") > 1_000_000
        });
        let rows = || {
            sqlite::dump(&pipeline.path("out.db"), "things")
                .lines()
                .count()
                - 1
        };
        match mode {
            "append" => assert!((2..WIDE_ROWS + 2).contains(&rows()), "{}", rows()),
            _ => assert_eq!(rows(), 2),
        }
        go_on(&pipeline);
        let old = if mode == "append" { 2 } else { 0 };
        assert_eq!(rows(), old + WIDE_ROWS, "{mode}");

        let sink = format!("csv: {{ path: out.csv, mode: {mode} }}");
        let pipeline = killed_half_way(&sink, |pipeline| {
            size(pipeline, ".glovebox-out.csv-", ".part") > 1_000_000
        });
        assert_eq!(pipeline.read("out.csv").lines().count(), 3, "{mode}");
        go_on(&pipeline);
        let old = if mode == "append" { 2 } else { 0 };
        let lines = pipeline.read("out.csv").lines().count();
        assert_eq!(lines, 1 + old + WIDE_ROWS, "{mode}");
    }
}

#[test]
fn a_killed_run_goes_on_where_it_stood_in_postgres() {
    let server = Postgres::shared();
    for mode in ["append", "replace"] {
        let database = server.database("killed");
        let sink = format!(
            "postgres: {{ {}, table: things, mode: {mode} }}",
            server.place(&database)
        );
        let pipeline = killed_half_way(&sink, |_| {
            let stored = "SELECT count(*) FROM glovebox.chunk JOIN glovebox.run USING (run) WHERE \
                          state = 'running'";
            server.query(&database, stored) != [[Some("0".to_owned())]]
        });
        let count = || server.query(&database, "SELECT count(*) FROM things");
        if mode == "replace" {
            assert_eq!(count(), [[Some("2".to_owned())]]);
        }
        go_on(&pipeline);
        let old = if mode == "append" { 2 } else { 0 };
        assert_eq!(count(), [[Some((old + WIDE_ROWS).to_string())]], "{mode}");
    }
}
