//! `glovebox watch`: each file of a folder is run once, when it is whole, whatever happens to the
//! watcher.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use glovebox_tests::pipeline::{Pipeline, Running};
use glovebox_tests::sqlite;

const SQLITE: &str = "sqlite: { path: out.db, table: t }";

fn manifest(sink: &str) -> String {
    format!(
        "name: arrivals
source: {{ csv: {{ path: in }} }}
columns:
  id: {{ type: int64 }}
  file: {{ type: int64 }}
sink:
  {sink}
rejects: {{ path: rejects.jsonl, at-most: 3 }}
"
    )
}

fn arrivals(sink: &str) -> Pipeline {
    let pipeline = Pipeline::new(&manifest(sink));
    fs::create_dir(pipeline.path("in")).unwrap();
    fs::create_dir(pipeline.path("aside")).unwrap();
    pipeline
}

/// Rows of a file that no other file has.
fn rows(file: usize, count: usize) -> String {
    let rows = (0..count).map(|row| format!("{},{file}\n", file * 100_000 + row));
    format!("id,file\n{}", rows.collect::<String>())
}

/// Puts a file into its place as a careful writer does.
fn rename_in(pipeline: &Pipeline, name: &str, content: &str) {
    pipeline.write(&format!("aside/{name}"), content);
    fs::rename(
        pipeline.path(&format!("aside/{name}")),
        pipeline.path(&format!("in/{name}")),
    )
    .unwrap();
}

fn watch(pipeline: &Pipeline, arguments: &[&str]) -> Running {
    pipeline.start(&[&["watch", "manifest.yaml"], arguments].concat())
}

/// How many rows of each file are stored, and that none is stored twice.
fn stored(pipeline: &Pipeline) -> BTreeMap<String, usize> {
    if !pipeline.path("out.db").exists() {
        return BTreeMap::new();
    }
    let there = "SELECT CAST(count(*) AS TEXT) FROM sqlite_master WHERE name = 't'";
    if sqlite::query(&pipeline.path("out.db"), there)[0][0].as_deref() != Some("1") {
        return BTreeMap::new();
    }
    let sql = "SELECT CAST(file AS TEXT), CAST(count(*) AS TEXT), CAST(count(DISTINCT id) AS TEXT) \
               FROM t GROUP BY file";
    let rows = sqlite::query(&pipeline.path("out.db"), sql);
    rows.into_iter()
        .map(|row| {
            assert_eq!(row[1], row[2], "a row is stored twice");
            let count = row[1].clone().unwrap().parse().unwrap();
            (row[0].clone().unwrap(), count)
        })
        .collect()
}

fn is_whole(pipeline: &Pipeline, files: usize, count: usize) -> bool {
    let stored = stored(pipeline);
    stored.len() == files && stored.values().all(|rows| *rows == count)
}

#[test]
fn files_that_are_renamed_in_are_run_at_once_and_each_once() {
    let pipeline = arrivals(SQLITE);
    rename_in(&pipeline, "1.csv", &rows(1, 10));
    // Whether it is whole, only a rename says in this time.
    let mut watcher = watch(&pipeline, &["--quiet", "1h"]);
    watcher.until("it watches", |w| w.stderr().contains("watching"));
    rename_in(&pipeline, "2.csv", &rows(2, 10));
    rename_in(&pipeline, "3.csv.part", &rows(3, 10));
    rename_in(&pipeline, ".4.csv", &rows(4, 10));
    watcher.until("the file is stored", |_| is_whole(&pipeline, 1, 10));
    // As a browser does it.
    fs::rename(pipeline.path("in/3.csv.part"), pipeline.path("in/3.csv")).unwrap();
    watcher.until("both are stored", |_| is_whole(&pipeline, 2, 10));
    watcher.signal("TERM");
    let _ = watcher
        .end()
        .ends_with(0)
        .prints("in/3.csv: 10 read = 10 stored");
    // What was there at the start is run when it was quiet.
    let mut watcher = watch(&pipeline, &["--quiet", "200ms"]);
    watcher.until("the first is stored", |_| is_whole(&pipeline, 3, 10));
    watcher.signal("INT");
    let ran = watcher.end().ends_with(0);
    assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stdout);
    // Lists of rejects are written only where there is something in them.
    assert!(
        pipeline
            .names()
            .iter()
            .all(|name| !name.contains("rejects"))
    );
}

#[test]
fn a_watcher_that_is_killed_again_and_again_stores_each_row_once() {
    const FILES: usize = 24;
    // Of several chunks, so that some are killed between two.
    const ROWS: usize = 90_000;
    let pipeline = arrivals(SQLITE);
    let mut written = 0;
    let mut kills = 0;
    while written < FILES {
        let mut watcher = watch(&pipeline, &["--quiet", "100ms"]);
        watcher.until("it watches", |w| w.stderr().contains("watching"));
        // At another moment each time, in runs and between them.
        for _ in 0..4 {
            written += 1;
            rename_in(&pipeline, &format!("{written}.csv"), &rows(written, ROWS));
        }
        std::thread::sleep(Duration::from_millis(100 + 170 * kills));
        watcher.signal("KILL");
        let _ = watcher.end();
        kills += 1;
    }
    let mut watcher = watch(&pipeline, &["--quiet", "100ms"]);
    watcher.until("all is stored", |_| is_whole(&pipeline, FILES, ROWS));
    watcher.signal("TERM");
    let _ = watcher.end().ends_with(0);
    assert!(is_whole(&pipeline, FILES, ROWS));
}

#[test]
fn two_watchers_of_one_folder_store_each_row_once() {
    const FILES: usize = 50;
    let pipeline = arrivals(SQLITE);
    let start = || watch(&pipeline, &["--quiet", "100ms"]);
    let mut both = [start(), start()];
    for watcher in &mut both {
        watcher.until("it watches", |w| w.stderr().contains("watching"));
    }
    for file in 1..=FILES {
        rename_in(&pipeline, &format!("{file}.csv"), &rows(file, 500));
    }
    let [mut first, second] = both;
    first.until("all is stored", |_| is_whole(&pipeline, FILES, 500));
    for watcher in [first, second] {
        watcher.signal("TERM");
        let _ = watcher.end().ends_with(0);
    }
    assert!(is_whole(&pipeline, FILES, 500));
}

#[test]
fn modes_and_sinks_that_make_no_sense_are_refused_before_the_first_file() {
    for (sink, problem) in [
        (
            "csv: { path: out.csv }",
            "the sink is a file and keeps no journal",
        ),
        (
            "sqlite: { path: out.db, table: t, mode: replace }",
            "the table would hold the rows of the last file only",
        ),
    ] {
        let pipeline = arrivals(sink);
        rename_in(&pipeline, "1.csv", &rows(1, 1));
        let _ = pipeline
            .call(&["watch", "manifest.yaml"])
            .ends_with(2)
            .says(problem);
        assert!(!Path::new(&pipeline.path("out.db")).exists());
    }
}
