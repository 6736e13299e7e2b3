//! `glovebox run --shards`: one run over several processes leaves what one process leaves.

pub(crate) mod place;

use std::fs;
use std::time::{Duration, Instant};

use glovebox_tests::pipeline::{Ran, Running};
use glovebox_tests::postgres::Postgres;
use glovebox_tests::torture::Seeded;

use place::{CHUNKS, Place, counts, csv, jsonl, members, pair, same, signal};

/// Runs the same in one process and in several, and compares all that is left.
fn alike(
    source: &str,
    sink: &str,
    files: &[(&str, Vec<u8>)],
    before: Option<&str>,
    processes: usize,
) {
    let [one, several] = [(); 2].map(|()| {
        let place = Place::new(source, sink);
        for (name, content) in files {
            place.pipeline.write(name, content);
        }
        if let Some(sql) = before {
            let _ = Postgres::shared().query(&place.database, sql);
        }
        place
    });
    let alone = one.pipeline.run_with(&["--workers", "2"]).ends_with(0);
    let shared = several
        .pipeline
        .run_with(&["--shards", "3", "--log", "info"])
        .ends_with(0);
    let joined = shared
        .stderr
        .matches("a process has joined the run")
        .count();
    assert_eq!(joined, processes, "{}", shared.stderr);
    assert_eq!(counts(&alone), counts(&shared), "{source} {sink}");
    assert_eq!(one.query(CHUNKS), several.query(CHUNKS), "{source} {sink}");
    assert!(one.query(CHUNKS).len() > 3, "{source} has few chunks");
    assert_eq!(one.rows(), several.rows(), "{source} {sink}");
    let rejects = |place: &Place| place.pipeline.read("rejects.jsonl");
    assert_eq!(rejects(&one), rejects(&several), "{source} {sink}");
    let blocks = |place: &Place| place.pipeline.read("rejects.sealed").lines().count();
    assert_eq!(blocks(&one), blocks(&several), "{source} {sink}");
    let state = "SELECT concat_ws(' ', state, epoch, read, stored, encode(digest, 'hex')) FROM glovebox.run";
    assert_eq!(one.query(state), several.query(state));
}

#[test]
fn the_journal_of_several_processes_is_that_of_one_chunk_for_chunk() {
    let unique = "CREATE TABLE people (id int8 UNIQUE, name text, note text)";
    let one = [("in.csv", csv(0, 9_000).into_bytes())];
    alike(
        "{ csv: { path: in.csv } }",
        "mode: append",
        &one,
        Some(unique),
        3,
    );
    alike("{ csv: { path: in.csv } }", "mode: append", &one, None, 3);
    alike(
        "{ csv: { path: in.csv } }",
        "mode: replace",
        &one,
        Some(unique),
        3,
    );
    alike(
        "{ csv: { path: in.csv } }",
        "mode: upsert, keys: [id]",
        &one,
        None,
        3,
    );
}

#[test]
fn files_of_every_format_are_shared_out() {
    let many: Vec<(String, Vec<u8>)> = (0..7)
        .map(|n| (format!("in/{n}.csv"), csv(n * 1_000, 900).into_bytes()))
        .collect();
    let many: Vec<(&str, Vec<u8>)> = many.iter().map(|(n, c)| (n.as_str(), c.clone())).collect();
    alike("{ csv: { path: in } }", "mode: append", &many, None, 3);
    let lines = [("in.jsonl", jsonl(9_000).into_bytes())];
    alike(
        "{ jsonl: { path: in.jsonl } }",
        "mode: append",
        &lines,
        None,
        3,
    );
    let array = format!(
        "[{}]",
        jsonl(6_000)
            .lines()
            .filter(|l| l.ends_with('}'))
            .collect::<Vec<_>>()
            .join(",")
    );
    alike(
        "{ jsonl: { path: in.json } }",
        "mode: append",
        &[("in.json", array.into_bytes())],
        None,
        1,
    );
}

/// Has something done to a run of several processes at random moments, and lets it go on until it ends.
fn disturbed(place: &Place, seed: u64, mut disturb: impl FnMut(&Running, &mut Seeded)) -> Ran {
    println!("seed {seed}");
    let mut random = Seeded::new(seed);
    let mut said = String::new();
    loop {
        let reports = place.pipeline.path("report.json");
        let report = reports.to_string_lossy();
        let call = [
            "run",
            "manifest.yaml",
            "--resume",
            "--shards",
            "3",
            "--report",
            &report,
        ];
        let mut run = place.pipeline.start(&call);
        let begun = Instant::now();
        while run.is_running() && begun.elapsed() < Duration::from_secs(120) {
            std::thread::sleep(Duration::from_millis(50 + (400.0 * random.share()) as u64));
            disturb(&run, &mut random);
        }
        let mut ran = run.end();
        said.push_str(&ran.stderr);
        match ran.code {
            Some(0) => {
                ran.report = serde_json::from_str(&place.pipeline.read("report.json")).unwrap();
                ran.stderr = said;
                return ran;
            }
            // Of the one that began it.
            None => {}
            Some(1) if ran.stderr.contains("did not get through the rows") => {}
            _ => panic!("{}", ran.stderr),
        }
    }
}

#[test]
fn processes_that_are_killed_are_replaced_and_each_row_is_stored_once() {
    for sink in ["mode: append", "mode: upsert, keys: [id]"] {
        let places = pair(sink, 16_000);
        let mut killed = 0;
        let ran = disturbed(&places[1], 20_261_127, |run, random| {
            let members = members(run);
            let which = (random.share() * members.len() as f64) as usize;
            if let Some(member) = members.get(which).filter(|_| killed < 6) {
                signal(member, "KILL");
                killed += 1;
            }
        });
        assert!(
            ran.stderr.contains("another one takes its place"),
            "{}",
            ran.stderr
        );
        same(&places);
    }
}

#[test]
fn a_run_whose_first_process_is_killed_leaves_no_other_and_goes_on() {
    let places = pair("mode: replace", 16_000);
    let (mut killed, mut orphans) = (0, Vec::new());
    let _ = disturbed(&places[1], 20_261_128, |run, _| {
        if killed < 4 && !members(run).is_empty() {
            orphans.extend(members(run));
            run.signal("KILL");
            killed += 1;
        }
    });
    assert_eq!(killed, 4);
    let lives = |process: &String| fs::exists(format!("/proc/{process}/exe")).unwrap_or(false);
    assert!(!orphans.iter().any(lives), "{orphans:?}");
    same(&places);
}

#[test]
fn a_process_that_is_put_to_sleep_is_replaced() {
    let places = pair("mode: append", 9_000);
    let mut slept = false;
    let ran = disturbed(&places[1], 20_261_129, |run, _| {
        if let Some(member) = members(run).first().filter(|_| !slept) {
            signal(member, "STOP");
            slept = true;
        }
    });
    assert!(
        ran.stderr.contains("did not answer any more"),
        "{}",
        ran.stderr
    );
    same(&places);
}

#[test]
fn a_run_that_is_asked_to_stop_leaves_no_process() {
    let [_, place] = pair("mode: append", 30_000);
    let mut run = place
        .pipeline
        .start(&["run", "manifest.yaml", "--shards", "3"]);
    run.until("processes work", |run| members(run).len() == 3);
    let started = members(&run);
    run.signal("INT");
    let ended = run.end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("stopped on request"),
        "{}",
        ended.stderr
    );
    assert!(
        started
            .iter()
            .all(|process| !fs::exists(format!("/proc/{process}/exe")).unwrap_or(false))
    );
}

#[test]
fn what_is_for_one_process_only_is_refused_before_anything_has_begun() {
    let place = Place::new("{ csv: { path: in.csv } }", "mode: append");
    place.pipeline.write("in.csv", csv(0, 10));
    let manifest = place.pipeline.read("manifest.yaml");
    let sink = manifest
        .lines()
        .find(|line| line.contains("postgres:"))
        .unwrap();
    let _ = place.query(
        "CREATE TABLE source AS SELECT 1::int8 AS id, NULL::text AS name, NULL::text AS note",
    );
    let server = sink.split(", table:").next().unwrap();
    let table = format!(
        "{}, table: source }} }}",
        server.trim().replace("postgres:", "{ postgres:")
    );
    let cases = [
        (
            manifest.replace(sink, "  csv: { path: out.csv }"),
            "takes rows from one process only",
        ),
        (
            manifest.replace(sink, "  sqlite: { path: out.db, table: t }"),
            "takes rows from one process only",
        ),
        (
            manifest.replace(
                "sink:",
                "  - { name: sorted, gather: SELECT * FROM rows ORDER BY id }\nsink:",
            ),
            "is over all rows",
        ),
        (
            manifest.replace("{ csv: { path: in.csv } }", &table),
            "cannot be entered at several places",
        ),
    ];
    for (manifest, problem) in cases {
        place.pipeline.write("manifest.yaml", &manifest);
        let refused = place.pipeline.run_with(&["--shards", "2"]);
        let _ = refused.ends_with(2).says(problem);
    }
    let call = ["run", "manifest.yaml", "--shards", "2"];
    let piped = manifest.replace("path: in.csv", "path: \"-\"");
    place.pipeline.write("manifest.yaml", &piped);
    let refused = place.pipeline.call_with_input(&call, csv(0, 10).as_bytes());
    let _ = refused
        .ends_with(2)
        .says("cannot be entered at several places");
    let ordered = manifest.replace("mode: append", "mode: append, order: source");
    place.pipeline.write("manifest.yaml", &ordered);
    let refused = place.pipeline.call(&call);
    let _ = refused.ends_with(2).says("without `order: source`");
    assert!(
        fs::read_dir(place.pipeline.folder())
            .unwrap()
            .all(|e| { !e.unwrap().file_name().to_string_lossy().starts_with("out") })
    );
}
