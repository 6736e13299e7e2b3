//! Two runs and one place: what is reported stored is there, whoever comes first, ends or fails.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use glovebox_tests::pipeline::{Pipeline, Running};
use glovebox_tests::sqlite;

fn manifest(sink: &str, rejects: &str, source: &str) -> String {
    format!(
        "name: places
source: {{ csv: {{ path: {source} }} }}
columns:
  id: {{ type: int64 }}
sink:
  {sink}
rejects: {{ path: {rejects} }}
"
    )
}

/// A pipeline whose manifest `slow.yaml` reads standard input, and `quick.yaml` a file.
fn pipeline(sink: &str, rejects: [&str; 2]) -> Pipeline {
    Pipeline::empty()
        .file("slow.yaml", manifest(sink, rejects[0], "\"-\""))
        .file("quick.yaml", manifest(sink, rejects[1], "in.csv"))
        .file("in.csv", "id\n7\nx\n")
}

/// A run of `slow.yaml` that has begun and waits for rows.
fn waiting(pipeline: &Pipeline, rejects: &str) -> Running {
    let mut command = pipeline.command(&["run", "slow.yaml"]);
    command.stdin(Stdio::piped());
    let mut running = Running::new(command);
    // The run begins with the first chunk, which is a mebibyte.
    let pad = "x".repeat(600_000);
    running.feed(format!("id,pad\n1,{pad}\n2,{pad}\n").as_bytes());
    running.until("the run begins", |_| {
        let lock = format!(".{rejects}.glovebox-lock");
        pipeline.names().contains(&lock)
    });
    // The sink is opened right after.
    std::thread::sleep(std::time::Duration::from_millis(500));
    running
}

/// What `out.db` holds.
fn ids(pipeline: &Pipeline) -> String {
    let sql = "SELECT group_concat(id, ',' ORDER BY id) FROM t";
    let rows = sqlite::query(&pipeline.path("out.db"), sql);
    rows[0][0].clone().unwrap_or_default()
}

#[test]
fn a_second_run_into_a_file_is_refused_by_name_and_no_row_is_lost() {
    for (sink, file) in [
        ("csv: { path: out, mode: append }", "csv"),
        ("csv: { path: out }", "csv"),
        ("jsonl: { path: out, mode: append }", "jsonl"),
        ("parquet: { path: out }", "parquet"),
    ] {
        let pipeline = pipeline(sink, ["a.jsonl", "b.jsonl"]);
        let mut first = waiting(&pipeline, "a.jsonl");
        let second = pipeline.call(&["run", "quick.yaml"]).ends_with(1);
        let expected = format!("another run, process {}", first.id());
        let _ = second.says(&expected).says("is writing it");
        first.close_input();
        let _ = first.end().ends_with(0);
        if file != "parquet" {
            assert_eq!(
                fs::read_to_string(pipeline.path("out"))
                    .unwrap()
                    .matches(['1', '2'])
                    .count(),
                2
            );
        }
        // The place is free again, and nothing is left beside it.
        let _ = pipeline.call(&["run", "quick.yaml"]).ends_with(0);
        let names = pipeline.names();
        assert!(
            names.iter().all(|name| !name.contains("glovebox-")),
            "{names:?}"
        );
        if sink.contains("append") {
            let out = fs::read_to_string(pipeline.path("out")).unwrap();
            assert_eq!(out.matches(['1', '2', '7']).count(), 3, "{out}");
        }
    }
}

#[test]
fn a_list_of_rejects_and_a_report_have_one_run_at_a_time() {
    let pipeline = pipeline("sqlite: { path: out.db, table: t }", ["r.jsonl", "r.jsonl"]);
    let other = "sqlite: { path: other.db, table: t }";
    pipeline.write("quick.yaml", manifest(other, "r.jsonl", "in.csv"));
    let mut first = waiting(&pipeline, "r.jsonl");
    let second = pipeline.call(&["run", "quick.yaml"]).ends_with(1);
    let _ = second
        .says("cannot write the rejects to ")
        .says("is writing it");
    let elsewhere = ["run", "quick.yaml", "--rejects", "s.jsonl"];
    let _ = pipeline.call(&elsewhere).ends_with(0);
    assert_eq!(pipeline.read("s.jsonl").lines().count(), 1);
    first.close_input();
    let _ = first.end().ends_with(0);
    assert_eq!(ids(&pipeline), "1,2");
}

#[test]
fn lines_that_another_program_adds_meanwhile_are_not_overwritten() {
    for there in ["id\n5\n", ""] {
        let pipeline = pipeline(
            "csv: { path: out.csv, mode: append }",
            ["a.jsonl", "b.jsonl"],
        );
        if !there.is_empty() {
            pipeline.write("out.csv", there);
        }
        let mut first = waiting(&pipeline, "a.jsonl");
        let mut file = fs::File::options()
            .append(true)
            .create(true)
            .open(pipeline.path("out.csv"))
            .unwrap();
        file.write_all(b"6\n").unwrap();
        first.close_input();
        let ran = first.end().ends_with(1);
        let _ = ran
            .says("another program has changed it since the run began")
            .says("nothing was stored");
        assert_eq!(pipeline.read("out.csv"), format!("{there}6\n"));
    }
}

#[test]
fn a_killed_runs_lock_is_no_obstacle() {
    let pipeline = pipeline(
        "csv: { path: out.csv, mode: append }",
        ["a.jsonl", "a.jsonl"],
    );
    let first = waiting(&pipeline, "a.jsonl");
    first.signal("KILL");
    let _ = first.end();
    let _ = pipeline.call(&["run", "quick.yaml"]).ends_with(0);
    assert_eq!(pipeline.read("out.csv"), "id\n7\n");
}

#[test]
fn a_link_stays_one_and_is_the_same_place() {
    let pipeline = pipeline(
        "csv: { path: link.csv, mode: append }",
        ["a.jsonl", "b.jsonl"],
    )
    .file("real/out.csv", "id\n5\n");
    std::os::unix::fs::symlink("real/out.csv", pipeline.path("link.csv")).unwrap();
    pipeline.write(
        "quick.yaml",
        manifest(
            "csv: { path: real/out.csv, mode: append }",
            "b.jsonl",
            "in.csv",
        ),
    );
    let mut first = waiting(&pipeline, "a.jsonl");
    let _ = pipeline
        .call(&["run", "quick.yaml"])
        .ends_with(1)
        .says("is writing it");
    first.close_input();
    let _ = first.end().ends_with(0);
    assert_eq!(pipeline.read("real/out.csv"), "id\n5\n1\n2\n");
    assert!(pipeline.path("link.csv").is_symlink());
}

#[test]
fn who_made_an_sqlite_file_and_is_stopped_leaves_it_to_the_other() {
    let pipeline = pipeline("sqlite: { path: out.db, table: t }", ["a.jsonl", "b.jsonl"]);
    let mut command = pipeline.command(&["run", "slow.yaml"]);
    command.stdin(Stdio::piped());
    let mut first = Running::new(command);
    first.feed(format!("id,pad\n1,{}\n", "x".repeat(900_000)).as_bytes());
    first.feed("\n".repeat(300_000).as_bytes());
    // Nothing to store yet, and the file is there.
    first.until("the file is made", |_| pipeline.path("out.db").exists());
    std::thread::sleep(std::time::Duration::from_millis(300));
    let second = pipeline.start(&["run", "quick.yaml"]);
    std::thread::sleep(std::time::Duration::from_millis(700));
    first.signal("INT");
    let _ = first.end().ends_with(1);
    let _ = second.end().ends_with(0);
    assert_eq!(ids(&pipeline), "7");
}
