//! Kills of gated runs with `--proof`, at any moment: a proof is whole, is of a release that was published, and is
//! there once the run was gone on with. `GLOVEBOX_KILLS` is how many kills a sink gets.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::torture::Seeded;
use serde_json::Value;

use crate::release::{Sink, kills, of, people};

const KILLS: usize = 6;

/// What a release has, by its rows.
fn rows(input: &str) -> u64 {
    input.lines().count() as u64
}

fn pipeline(sink: &Sink, input: &str) -> Pipeline {
    let pipeline = people(sink, "0%", "", input);
    let manifest = pipeline.read("manifest.yaml");
    let manifest = manifest.replace("[env]", "[{ files: keys }, env]") + "proof: { key: proof }\n";
    pipeline.write("manifest.yaml", manifest);
    let made = pipeline.call(&["proof", "key", "proof", "--secrets", "keys"]);
    pipeline.write("public.pem", made.ends_with(0).stdout);
    pipeline
}

fn feed(pipeline: &Pipeline, input: &str) {
    pipeline.write("people.csv", format!("id,age,town,illness\n{input}"));
}

/// How many rows the proof says there are, if it is there: then it is whole.
fn proven(pipeline: &Pipeline) -> Option<u64> {
    if !pipeline.path("proof.json").exists() {
        return None;
    }
    let call = [
        "proof",
        "show",
        "proof.json",
        "--json",
        "--public-key",
        "public.pem",
    ];
    let stated = pipeline.call(&call).ends_with(0).stdout;
    let stated: Value = serde_json::from_str(&stated).unwrap();
    Some(stated["predicate"]["rows"]["stored"].as_u64().unwrap())
}

/// What is published: of a file its content, of a table how many rows it has.
fn published(sink: &Sink, pipeline: &Pipeline) -> Vec<u8> {
    match sink {
        Sink::Csv | Sink::Jsonl | Sink::Parquet => fs::read(pipeline.path("out")).unwrap(),
        Sink::Sqlite | Sink::Postgres(_) => {
            let classes = sink.classes(pipeline, &["age", "town"]);
            assert!(classes.values().all(|count| *count >= 3), "{classes:?}");
            classes.values().sum::<usize>().to_string().into_bytes()
        }
    }
}

/// Goes on until it is done, and verifies the proof with what is published.
fn finish(sink: &Sink, pipeline: &Pipeline, input: &str) -> Vec<u8> {
    let run = ["run", "manifest.yaml", "--resume", "--proof", "proof.json"];
    let _ = pipeline.call(&run).ends_with(0);
    assert_eq!(proven(pipeline), Some(rows(input)));
    let verify = [
        "proof",
        "verify",
        "proof.json",
        "--manifest",
        "manifest.yaml",
    ];
    let is_file = pipeline.path("out").exists();
    let file: &[&str] = if is_file { &["--file", "out"] } else { &[] };
    let _ = pipeline.call(&[&verify[..], file].concat()).ends_with(0);
    let published = published(sink, pipeline);
    if !is_file {
        assert_eq!(published, rows(input).to_string().as_bytes());
    }
    published
}

#[test]
fn a_killed_runs_proof_is_of_what_is_published_or_not_there() {
    let kills = kills(KILLS);
    let mut random = Seeded::new(20_261_128);
    for sink in Sink::all("proof_kills") {
        let few: String = (20..60).map(|age| of(30, age, "Ulm")).collect();
        let many = few.clone() + &(20..60).map(|age| of(300, age, "Bonn")).collect::<String>();
        let pipeline = pipeline(&sink, &few);
        let releases = [&few, &many].map(|input| {
            feed(&pipeline, input);
            let begun = Instant::now();
            (finish(&sink, &pipeline, input), begun.elapsed())
        });
        let inputs = [&few, &many];
        let mut hits = [0; 3];
        for kill in 0..kills {
            let next = kill % 2;
            let (old, new) = (&releases[1 - next], &releases[next]);
            feed(&pipeline, inputs[next]);
            let inode = || fs::metadata(pipeline.path("out")).map_or(0, |found| found.ino());
            let before = inode();
            let run = ["run", "manifest.yaml", "--proof", "proof.json"];
            let mut running = pipeline.start(&run);
            let begun = Instant::now();
            let time = new.1.mul_f64(random.share());
            match kill % 3 {
                // Just when a file has taken its place, and before its proof can have.
                0 if before != 0 => {
                    while inode() == before && running.is_running() {
                        std::thread::sleep(Duration::from_micros(100));
                    }
                }
                _ => std::thread::sleep(time.saturating_sub(begun.elapsed())),
            }
            running.signal("KILL");
            drop(running);
            let now = published(&sink, &pipeline);
            assert!(now == old.0 || now == new.0, "neither release is there");
            let proven = proven(&pipeline);
            if now == old.0 {
                assert_eq!(
                    proven,
                    Some(rows(inputs[1 - next])),
                    "of what is not published"
                );
            }
            let is_new = proven == Some(rows(inputs[next]));
            hits[usize::from(now == new.0) + usize::from(is_new)] += 1;
            assert!(finish(&sink, &pipeline, inputs[next]) == new.0);
        }
        let [before, between, after] = hits;
        eprintln!(
            "{}: killed {before} times before the release, {between} between it and its proof, {after} after both",
            sink.yaml()
        );
        let left = pipeline.names().into_iter();
        let left: Vec<_> = left.filter(|name| name.contains("proof.json-")).collect();
        assert!(left.len() <= kills, "{left:?}");
    }
}
