//! Runs at once, and runs that are killed: a version is whole or not there, and no row is there twice.

use std::time::Instant;

use glovebox_tests::pipeline::{Pipeline, Running};
use glovebox_tests::torture::Seeded;

use super::{as_csv, deltalake, lines, manifest, pipeline, python, rows, sorted};

/// A run that has begun, and is held where it has.
fn held(pipeline: &Pipeline, name: &str, sink: &str) -> Running {
    let text = manifest(name, sink).replace("path: in.csv", "path: slow.csv");
    let text = text.replace("rejects.jsonl", "slow.rejects.jsonl");
    pipeline.write("slow.yaml", text);
    pipeline.write("slow.csv", rows(30_000, 40_000));
    let begun =
        || std::fs::read_dir(pipeline.path("lake/t/_glovebox/runs")).map_or(0, Iterator::count);
    let before = begun();
    let mut running = pipeline.start(&["run", "slow.yaml"]);
    running.until("it has begun", |_| begun() > before);
    running.signal("STOP");
    running
}

#[test]
fn of_runs_at_once_each_adds_a_version_or_says_why_not() {
    let Some(deltalake) = deltalake() else {
        return;
    };
    let append = "delta: { path: lake/t }";
    let replace = "delta: { path: lake/t, mode: replace }";
    for (name, sink, refused) in [
        ("others", append, None),
        ("days", append, Some("another run of this pipeline")),
        ("others", replace, Some("added or removed rows")),
    ] {
        let pipeline = pipeline(append, &rows(10_000, 100));
        pipeline.run().ends_with(0);
        let slow = held(&pipeline, name, sink);
        pipeline.write("in.csv", rows(20_000, 100));
        pipeline.run().ends_with(0);
        let ran = {
            slow.signal("CONT");
            slow.end()
        };
        let table = python(&deltalake, &pipeline, &["rows"]);
        match refused {
            None => {
                ran.ends_with(0);
                assert_eq!(
                    (table["version"].as_u64(), lines(&table).len()),
                    (Some(2), 40_200)
                );
            }
            Some(words) => {
                ran.ends_with(1).says(words);
                assert_eq!(
                    (table["version"].as_u64(), lines(&table).len()),
                    (Some(1), 200)
                );
                let left = std::fs::read_dir(pipeline.path("lake/t")).unwrap();
                let left = left.filter(|e| {
                    let name = e.as_ref().unwrap().file_name();
                    name.to_string_lossy().ends_with(".parquet")
                });
                assert_eq!(left.count(), 2, "what was not added is taken back");
            }
        }
    }
}

#[test]
fn a_killed_run_leaves_the_version_that_was_there_or_its_own() {
    let Some(deltalake) = deltalake() else {
        return;
    };
    let kills: usize = std::env::var("GLOVEBOX_KILLS").map_or(10, |kills| kills.parse().unwrap());
    let (old, new) = (rows(0, 200), rows(1000, 40_000));
    let (of_old, of_new) = (as_csv(&old), as_csv(&new));
    let mut random = Seeded::new(20_261_127);
    for mode in ["append", "replace"] {
        let sink = format!("delta: {{ path: lake/t, mode: {mode} }}");
        let whole = {
            let pipeline = pipeline(&sink, &new);
            let started = Instant::now();
            pipeline.run().ends_with(0);
            started.elapsed()
        };
        let after = match mode {
            "append" => sorted([of_old.clone(), of_new.clone()].concat()),
            _ => sorted(of_new.clone()),
        };
        let (mut before_it, mut behind_it) = (0, 0);
        for _ in 0..kills {
            let pipeline = pipeline(&sink, &old);
            pipeline.run().ends_with(0);
            pipeline.write("in.csv", &new);
            let running = pipeline.start(&["run", "manifest.yaml"]);
            std::thread::sleep(whole.mul_f64(random.share() * 1.1));
            drop(running);
            let found = sorted(lines(&python(&deltalake, &pipeline, &["rows"])));
            match found == sorted(of_old.clone()) {
                true => before_it += 1,
                false => {
                    assert!(found == after, "neither the old nor the new version");
                    behind_it += 1;
                }
            }
            // Whoever comes next has all rows once, whichever it was.
            pipeline.run_with(&["--resume"]).ends_with(0);
            let found = sorted(lines(&python(&deltalake, &pipeline, &["rows"])));
            assert!(found == after, "rows are lost or doubled");
        }
        println!(
            "{mode}, killed {kills} times: {before_it} times the old version, {behind_it} times the new one"
        );
        assert!(before_it > 0);
    }
}
