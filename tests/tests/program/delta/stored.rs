//! Tables in object stores: as in a folder, with answers that are lost and other writers in between.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use glovebox_tests::objects::{ACCOUNT, ACCOUNT_KEY, Emulator, Fate};
use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::torture::Seeded;
use serde_json::{Value, json};

use super::{CANARY, as_csv, asked, deltalake, lines, manifest, quiet, rows, sorted};

/// What must be in nothing that the program says.
pub(crate) const KEY: &str = "canary-secret-access-key-90c2";
const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const TABLE: &str = "s3://lake/sales/t";

pub(crate) fn reached(store: &Emulator) -> String {
    format!(
        "store: {{ endpoint: \"{}\", region: eu-central-1, access-key-id: AKIDEXAMPLE, \
         access-key: {{ secret: s3 }}, tls: {{ ca: {} }} }}",
        store.url(),
        store.ca().display()
    )
}

fn pipeline(store: &Emulator, name: &str, mode: &str, csv: &str) -> Pipeline {
    let sink = format!(
        "delta: {{ path: {TABLE}/, mode: {mode}, {} }}",
        reached(store)
    );
    let text = format!("{}credentials: [env]\n", manifest(name, &sink));
    Pipeline::new(&text)
        .file("in.csv", csv)
        .env("GLOVEBOX_SECRET_S3", KEY)
}

pub(crate) fn read(python: &std::path::Path, store: &Emulator, what: &[&str]) -> Value {
    let options = json!({
        "AWS_ENDPOINT_URL": store.plain_url(), "AWS_ALLOW_HTTP": "true", "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
    });
    let what = [&what[..1], &[TABLE], &what[1..]].concat();
    asked(python, &what, &options.to_string())
}

fn run(pipeline: &Pipeline) -> glovebox_tests::pipeline::Ran {
    let ran = quiet(pipeline.run());
    assert!(!ran.stderr.contains(KEY) && !ran.stdout.contains(KEY));
    ran
}

/// Both, if they are installed.
pub(crate) fn both() -> Option<(std::path::PathBuf, Emulator)> {
    let (python, store) = (deltalake()?, Emulator::moto()?);
    store.bucket("lake");
    Some((python, store))
}

/// Whether a request is for the file of a version.
fn adds_a_version(asked: &glovebox_tests::outside::Asked, version: u64) -> bool {
    asked.method == "PUT"
        && asked
            .target
            .contains(&format!("/_delta_log/{version:020}.json"))
}

#[test]
fn deltalake_reads_continues_and_gives_back_a_table_in_a_store() {
    let Some((python, store)) = both() else {
        return;
    };
    let (first, second, third) = (rows(0, 500), rows(500, 300), rows(1000, 200));
    run(&pipeline(&store, "days", "append", &first)).ends_with(0);
    let table = read(&python, &store, &["rows"]);
    assert_eq!(lines(&table), as_csv(&first));
    run(&pipeline(&store, "days", "append", &first))
        .ends_with(2)
        .says("has already added");
    read(&python, &store, &["checkpoint"]);
    run(&pipeline(&store, "days", "append", &second)).ends_with(0);
    let made = "table = DeltaTable(path, storage_options=store)
rows = table.to_pyarrow_table().slice(0, 1)
write_deltalake(path, rows, mode='append', storage_options=store)";
    read(&python, &store, &["exec", made]);
    read(&python, &store, &["checkpoint"]);
    let table = read(&python, &store, &["rows"]);
    assert_eq!(
        (table["version"].as_u64(), lines(&table).len()),
        (Some(2), 801)
    );
    run(&pipeline(&store, "days", "replace", &third)).ends_with(0);
    let table = read(&python, &store, &["rows"]);
    assert_eq!(
        (table["version"].as_u64(), lines(&table)),
        (Some(3), as_csv(&third))
    );
    assert_eq!(store.unfinished("lake"), 0);
    let log = store
        .get("lake/sales/t/_delta_log/00000000000000000003.json")
        .unwrap();
    assert!(!String::from_utf8(log).unwrap().contains(CANARY));
    let first = store
        .front
        .asked()
        .into_iter()
        .find(|asked| adds_a_version(asked, 0));
    assert_eq!(first.unwrap().header("if-none-match"), Some("*"));
}

#[test]
fn a_lost_answer_is_neither_a_failure_nor_a_second_version() {
    let Some((python, store)) = both() else {
        return;
    };
    run(&pipeline(&store, "days", "append", &rows(0, 100))).ends_with(0);
    let mut lost = 0;
    store.decide(move |asked| {
        if adds_a_version(asked, 1) && lost < 2 {
            lost += 1;
            return Fate::AnswerLost;
        }
        Fate::Passes
    });
    run(&pipeline(&store, "days", "append", &rows(100, 100))).ends_with(0);
    let table = read(&python, &store, &["rows"]);
    assert_eq!(
        (table["version"].as_u64(), lines(&table).len()),
        (Some(1), 200)
    );
}

#[test]
fn of_two_writers_each_has_a_version_or_says_why_not() {
    let Some((python, store)) = both() else {
        return;
    };
    let mut version = 0;
    run(&pipeline(&store, "days", "append", &rows(0, 100))).ends_with(0);
    let theirs = "from deltalake import CommitProperties, Transaction
table = DeltaTable(path, storage_options=store)
rows = table.to_pyarrow_table().slice(0, 10)
app = [Transaction(APP, 7)]
write_deltalake(path, rows, mode='append', storage_options=store, commit_properties=CommitProperties(app_transactions=app))";
    for (mode, app, refused) in [
        ("append", "theirs", None),
        (
            "append",
            "glovebox/days",
            Some("another run of this pipeline"),
        ),
        ("replace", "theirs", Some("added or removed rows")),
    ] {
        let (sender, stopped) = channel();
        let (go, goes) = channel::<()>();
        let mut waits = Some((sender, goes));
        let next = version + 1;
        store.decide(move |asked| {
            // Another one comes and goes before this is heard.
            if adds_a_version(asked, next)
                && let Some((sender, goes)) = waits.take()
            {
                sender.send(()).unwrap();
                let _ = goes.recv();
            }
            Fate::Passes
        });
        let from = 1000 * usize::try_from(next).unwrap();
        let slow = pipeline(&store, "days", mode, &rows(from, 50));
        let running = slow.start(&["run", "manifest.yaml"]);
        stopped.recv_timeout(PATIENCE).unwrap();
        let theirs = theirs.replace("APP", &format!("'{app}'"));
        read(&python, &store, &["exec", &theirs]);
        version += 1;
        go.send(()).unwrap();
        let ran = quiet(running.end());
        match refused {
            None => {
                ran.ends_with(0);
                version += 1;
            }
            Some(words) => {
                ran.ends_with(1).says(words);
            }
        }
        let table = read(&python, &store, &["rows"]);
        assert_eq!(table["version"].as_u64(), Some(version));
    }
    let rows = lines(&read(&python, &store, &["rows"])).len();
    assert_eq!(rows, 100 + 50 + 3 * 10);
}

#[test]
fn a_killed_run_leaves_the_version_that_was_there_or_its_own() {
    let Some((python, store)) = both() else {
        return;
    };
    let kills: usize = std::env::var("GLOVEBOX_KILLS").map_or(10, |kills| kills.parse().unwrap());
    let csv = |round: usize| rows(round * 1000, 500);
    let mut random = Seeded::new(20_261_128);
    let started = Instant::now();
    run(&pipeline(&store, "days", "append", &csv(0))).ends_with(0);
    let whole = started.elapsed();
    let mut expected = as_csv(&csv(0));
    let (mut old, mut new) = (0, 0);
    for round in 1..=kills {
        let killed = pipeline(&store, "days", "append", &csv(round));
        let running = killed.start(&["run", "manifest.yaml"]);
        std::thread::sleep(whole.mul_f64(random.share() * 1.1));
        drop(running);
        let found = sorted(lines(&read(&python, &store, &["rows"])));
        let before = sorted(expected.clone());
        expected.extend(as_csv(&csv(round)));
        match found == before {
            true => old += 1,
            false => {
                assert!(
                    found == sorted(expected.clone()),
                    "neither the old nor the new version"
                );
                new += 1;
            }
        }
        killed.run_with(&["--resume"]).ends_with(0);
        let found = sorted(lines(&read(&python, &store, &["rows"])));
        assert!(
            found == sorted(expected.clone()),
            "rows are lost or doubled"
        );
    }
    println!("killed {kills} times: {old} times the old version, {new} times the new one");
    assert!(old > 0);
}

#[test]
fn azure_takes_a_table_too() {
    let Some(store) = Emulator::azurite() else {
        return;
    };
    let made = store.azure("PUT", "lake", &[("restype", "container")], b"");
    assert_eq!(made.status, 201, "{}", made.text());
    let sink = format!(
        "delta: {{ path: az://lake/t, store: {{ endpoint: \"{}/{ACCOUNT}\", account: {ACCOUNT}, \
         access-key: {{ secret: s3 }}, tls: {{ ca: {} }} }} }}",
        store.url(),
        store.ca().display()
    );
    let text = format!("{}credentials: [env]\n", manifest("days", &sink));
    let pipeline = Pipeline::new(&text).env("GLOVEBOX_SECRET_S3", ACCOUNT_KEY);
    for (round, from) in [0, 500].into_iter().enumerate() {
        pipeline.write("in.csv", rows(from, 100));
        pipeline.run().ends_with(0);
        let version = format!("lake/t/_delta_log/{round:020}.json");
        let log = store.azure("GET", &version, &[], b"");
        assert_eq!(log.status, 200);
        assert_eq!(log.text().matches("\"add\"").count(), 1);
    }
    pipeline.run().ends_with(2).says("has already added");
}
