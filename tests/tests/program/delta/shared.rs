//! A table that several processes write at once: what one process writes, once, whoever of them dies when.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::torture::Seeded;
use serde_json::Value;

use super::{deltalake, lines, python, sorted};
use crate::shards::place::{counts, csv, members, shared, signal};

/// Rows that make enough ranges, with rejects of the source and of a step.
pub(crate) const ROWS: usize = 16_000;

/// A pipeline into `sink`, with keys for whatever that needs.
pub(crate) fn pipeline(sink: &str) -> Pipeline {
    let delta = format!("delta: {{ {sink}, identity-key: {{ secret: digests }} }}");
    let pipeline = shared("{ csv: { path: in.csv } }", &delta).file("in.csv", csv(0, ROWS));
    std::fs::create_dir(pipeline.path("lake")).unwrap();
    pipeline
}

/// What the journal says of chunks, but for how long their steps took; in the order in which it is read.
fn chunks(pipeline: &Pipeline) -> Vec<String> {
    let folder = pipeline.path("lake/t/_glovebox/runs");
    let mut files: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let name = file.file_name().into_string().unwrap();
        files.insert(format!("_glovebox/runs/{name}"), lines.collect());
    }
    let named = |file: &Vec<Value>| -> Vec<String> {
        let ranges = file.iter().filter_map(|l| l["range"]["journal"].as_str());
        ranges.map(str::to_owned).collect()
    };
    let whole = files.values().find(|file| !named(file).is_empty());
    let order = match whole {
        Some(file) => named(file),
        None => files.keys().cloned().collect(),
    };
    let all = order.iter().flat_map(|name| &files[name]);
    let chunks = all.filter(|line| !line["chunk"].is_null()).map(|line| {
        let mut chunk = line["chunk"].clone();
        let summary: Value = serde_json::from_str(chunk["summary"].as_str().unwrap()).unwrap();
        chunk["summary"] = summary["rules"].clone();
        chunk.to_string()
    });
    chunks.collect()
}

/// Files of rows in the table's folder.
fn files(pipeline: &Pipeline) -> usize {
    let found = std::fs::read_dir(pipeline.path("lake/t")).unwrap();
    let names = found.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".parquet")).count()
}

fn rows(deltalake: &Path, pipeline: &Pipeline) -> Vec<String> {
    sorted(lines(&python(deltalake, pipeline, &["rows"])))
}

#[test]
fn several_processes_write_what_one_process_writes() {
    let Some(deltalake) = deltalake() else {
        return;
    };
    for mode in ["append", "replace"] {
        let sink = format!("path: lake/t, mode: {mode}");
        let [one, several] = [(); 2].map(|()| pipeline(&sink));
        let alone = one.run().ends_with(0);
        let shared = several.run_with(&["--shards", "3"]).ends_with(0);
        assert_eq!(counts(&alone), counts(&shared));
        assert_eq!(rows(&deltalake, &one), rows(&deltalake, &several));
        assert_eq!(chunks(&one), chunks(&several));
        assert!(chunks(&one).len() > 10);
        for left in ["rejects.jsonl", "rejects.sealed"] {
            let count = |pipeline: &Pipeline| pipeline.read(left).lines().count();
            assert_eq!(count(&one), count(&several));
        }
        assert_eq!(one.read("rejects.jsonl"), several.read("rejects.jsonl"));
        let table = python(&deltalake, &several, &["rows"]);
        assert_eq!(table["version"].as_u64(), Some(0));
        assert_eq!(table["files"].as_u64(), Some(files(&several) as u64));
        // The journal is the same to those who read it.
        let told = several
            .run_with(&["--shards", "2", "--resume"])
            .ends_with(0);
        assert_eq!(counts(&told), counts(&shared));
    }
}

#[test]
fn processes_that_are_killed_or_put_to_sleep_lose_and_double_nothing() {
    let Some(deltalake) = deltalake() else {
        return;
    };
    let kills: usize = std::env::var("GLOVEBOX_KILLS").map_or(8, |kills| kills.parse().unwrap());
    let sink = "path: lake/t, mode: replace";
    let one = pipeline(sink);
    let _ = one.run().ends_with(0);
    let expected = rows(&deltalake, &one);
    let mut random = Seeded::new(20_261_128);
    let mut killed = 0;
    while killed < kills {
        let several = pipeline(sink);
        let mut run = several.start(&["run", "manifest.yaml", "--shards", "3"]);
        let mut here = 0;
        while run.is_running() {
            std::thread::sleep(Duration::from_millis(20 + (150.0 * random.share()) as u64));
            let members = members(&run);
            let which = (random.share() * members.len() as f64) as usize;
            // No more of one run than would end it.
            if let Some(member) = members.get(which).filter(|_| here < 4) {
                let how = if random.share() < 0.8 { "KILL" } else { "STOP" };
                signal(member, how);
                here += 1;
            }
        }
        let ran = run.end();
        match ran.code {
            Some(0) => {}
            // The same range was struck three times.
            Some(1) if ran.stderr.contains("did not get through the rows") => {
                assert!(!several.path("lake/t/_delta_log").exists());
                let _ = several.run_with(&["--shards", "3"]).ends_with(0);
            }
            _ => panic!("{}", ran.stderr),
        }
        killed += here;
        assert!(
            rows(&deltalake, &several) == expected,
            "rows are lost or doubled"
        );
        assert_eq!(chunks(&several).len(), chunks(&one).len());
    }
    println!("{killed} processes were killed or put to sleep");
}

#[test]
fn a_run_whose_first_process_is_killed_leaves_the_version_that_was_there() {
    let Some(deltalake) = deltalake() else {
        return;
    };
    let pipeline = pipeline("path: lake/t, mode: append");
    let first = csv(0, 200);
    pipeline.write("in.csv", &first);
    let _ = pipeline.run().ends_with(0);
    let before = rows(&deltalake, &pipeline);
    pipeline.write("in.csv", csv(1_000, ROWS));
    let mut run = pipeline.start(&["run", "manifest.yaml", "--shards", "3"]);
    run.until("a range is stored", |_| {
        let notes = std::fs::read_dir(pipeline.path("lake/t/_glovebox/ranges"));
        notes.is_ok_and(|mut runs| {
            runs.any(|run| {
                std::fs::read_dir(run.unwrap().path()).is_ok_and(|mut n| n.next().is_some())
            })
        })
    });
    run.signal("KILL");
    assert_eq!(run.end().code, None);
    assert_eq!(rows(&deltalake, &pipeline), before);
    let ran = pipeline
        .run_with(&["--shards", "3", "--resume"])
        .ends_with(0);
    let stored = ran.report["rows"]["stored"].as_u64().unwrap() as usize;
    assert_eq!(rows(&deltalake, &pipeline).len(), before.len() + stored);
}
