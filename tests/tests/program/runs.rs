//! `glovebox runs`: what a sink knows of the runs into it.

use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::postgres::Postgres;
use serde_json::Value;

use crate::interruptions::{prepared, under_way};

const INPUT: &str = "id,name\n1,Ann\nx,Bo\n";

fn pipeline(sink: &str) -> Pipeline {
    let manifest = format!(
        "name: people\nsource: {{ csv: {{ path: in.csv }} }}\ncolumns: {{ id: {{ type: int64 }}, \
         name: {{ type: text }} }}\ncredentials: [env]\nsink:\n  {sink}\n"
    );
    Pipeline::new(&manifest)
        .file("in.csv", INPUT)
        .env("GLOVEBOX_SECRET_PASSWORD", Postgres::shared().password())
}

fn listed(here: &Pipeline) -> Vec<Value> {
    let ran = here.call(&["runs", "manifest.yaml", "--json"]).ends_with(0);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// Two runs, one after the other.
fn is_listed(here: &Pipeline) {
    assert_eq!(listed(here), [] as [Value; 0]);
    let _ = here.run().ends_with(0);
    let _ = here.run_with(&["--again"]).ends_with(0);
    let runs = listed(here);
    assert_eq!(runs.len(), 2);
    for run in &runs {
        assert_eq!(run["state"], "finished");
        assert_eq!(run["pipeline"], "people");
        assert_eq!(run["rows"]["read"], 2);
        assert_eq!(run["rows"]["stored"], 1);
        assert_eq!(run["rows"]["rejected"], 1);
        for time in ["started", "finished"] {
            let time = run[time].as_str().unwrap();
            assert!(time.contains('T') && time.ends_with('Z'), "{time}");
        }
        assert!(run["by"].as_str().unwrap().starts_with("process "));
    }
    let one = here
        .call(&["runs", "manifest.yaml", "-n", "1"])
        .ends_with(0);
    assert_eq!(
        one.stdout.matches("finished  ").count(),
        2,
        "{}",
        one.stdout
    );
    assert!(!one.stdout.contains("Ann"), "{}", one.stdout);
}

const SQLITE: &str = "sqlite: { path: out.db, table: names }";

fn postgres(database: &str) -> String {
    let server = Postgres::shared();
    let database = server.database(database);
    format!("postgres: {{ {}, table: names }}", server.place(&database))
}

#[test]
fn databases_list_them() {
    is_listed(&pipeline(SQLITE));
    is_listed(&pipeline(&postgres("listed")));
}

#[test]
fn a_run_lives_until_it_is_killed() {
    let here = prepared(&postgres("killed"));
    let running = under_way(&here);
    let states = || -> Vec<Value> {
        let ran = here.call(&["runs", "slow.yaml", "--json"]).ends_with(0);
        let runs: Vec<Value> = serde_json::from_str(&ran.stdout).unwrap();
        runs.iter().map(|run| run["state"].clone()).collect()
    };
    let begun = std::time::Instant::now();
    while states().len() < 2 && begun.elapsed().as_secs() < 30 {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(states(), ["living", "finished"]);
    running.signal("KILL");
    let _ = running.end();
    assert_eq!(states(), ["dead", "finished"]);
}

#[test]
fn a_file_tells_who_writes_it_now() {
    let here = pipeline("csv: { path: out.csv }");
    let ran = here.call(&["runs", "manifest.yaml"]).ends_with(0);
    assert!(ran.stdout.contains("no run is writing"), "{}", ran.stdout);
    assert_eq!(listed(&here), [] as [Value; 0]);
    let note = format!("{} 1800000000 \n", std::process::id());
    let here = here.file(".out.csv.glovebox-lock", note);
    let runs = listed(&here);
    assert_eq!(runs[0]["state"], "living");
    assert_eq!(runs[0]["started"], "2027-01-15T08:00:00Z");
    let here = here.file(".out.csv.glovebox-lock", "4194999 1800000000 \n");
    assert_eq!(listed(&here)[0]["state"], "dead");
}
