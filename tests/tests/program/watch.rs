//! `glovebox watch`: each file of a folder is run once, when it is whole, whatever happens to the
//! watcher.

mod proofs;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use glovebox_tests::pipeline::{Pipeline, Running};
use glovebox_tests::postgres::Postgres;
use glovebox_tests::sqlite;
use serde_json::Value;

/// A folder that is watched, and the table into which its files go.
struct Arrivals {
    pipeline: Pipeline,
    /// The database of a server; none is a SQLite file.
    database: Option<String>,
}

fn manifest(sink: &str) -> String {
    format!(
        "name: arrivals
source: {{ csv: {{ path: in }} }}
columns:
  id: {{ type: int64 }}
  file: {{ type: int64 }}
credentials: [env]
sink:
  {sink}
rejects: {{ path: rejects.jsonl, at-most: 3 }}
"
    )
}

impl Arrivals {
    fn into(sink: &str) -> Arrivals {
        let pipeline = Pipeline::new(&manifest(sink))
            .env("GLOVEBOX_SECRET_DB_LOADER", Postgres::shared().password())
            .env(
                "GLOVEBOX_SECRET_DIGESTS",
                "a-key-of-enough-bytes-for-digests",
            );
        for folder in ["in", "aside"] {
            fs::create_dir(pipeline.path(folder)).unwrap();
        }
        Arrivals {
            pipeline,
            database: None,
        }
    }

    fn sqlite() -> Arrivals {
        Arrivals::into("sqlite: { path: out.db, table: t }")
    }

    fn postgres(database: &str) -> Arrivals {
        let server = Postgres::shared();
        let database = server.database(database);
        let sink = format!(
            "postgres: {{ host: {}, port: {}, database: {database}, user: {}, password: {{ secret: db/loader }}, tls: {{ ca: {} }}, table: t }}",
            server.host(),
            server.port(),
            server.user(),
            server.ca_path().display()
        );
        Arrivals {
            database: Some(database),
            ..Arrivals::into(&sink)
        }
    }

    /// Puts a file into its place as a careful writer does.
    fn rename_in(&self, name: &str, content: &str) {
        self.pipeline.write(&format!("aside/{name}"), content);
        let (from, to) = (self.aside(name), self.inside(name));
        fs::rename(from, to).unwrap();
    }

    fn aside(&self, name: &str) -> std::path::PathBuf {
        self.pipeline.path("aside").join(name)
    }

    fn inside(&self, name: &str) -> std::path::PathBuf {
        self.pipeline.path("in").join(name)
    }

    /// A watcher that has looked at the folder.
    fn watch(&self, arguments: &[&str]) -> Running {
        let call = [&["watch", "manifest.yaml"], arguments].concat();
        let mut watcher = self.pipeline.start(&call);
        watcher.until("it watches", |w| w.stderr().contains("watching"));
        watcher
    }

    fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let exists = match &self.database {
            Some(_) => {
                "SELECT CAST(count(*) AS TEXT) FROM information_schema.tables WHERE table_schema = 'public' AND table_name = 't'"
            }
            None => "SELECT CAST(count(*) AS TEXT) FROM sqlite_master WHERE name = 't'",
        };
        let run = |sql: &str| match &self.database {
            Some(database) => Postgres::shared().query(database, sql),
            None => sqlite::query(&self.pipeline.path("out.db"), sql),
        };
        let is_file = self.database.is_none();
        if is_file && !self.pipeline.path("out.db").exists()
            || run(exists)[0][0].as_deref() == Some("0")
        {
            return Vec::new();
        }
        run(sql)
    }

    /// How many rows of each file are stored; none is there twice.
    fn stored(&self) -> BTreeMap<String, usize> {
        let rows = self.query(
            "SELECT CAST(file AS TEXT), CAST(count(*) AS TEXT), CAST(count(DISTINCT id) AS TEXT) \
             FROM t GROUP BY file",
        );
        rows.into_iter()
            .map(|row| {
                assert_eq!(row[1], row[2], "a row is stored twice");
                let count = row[1].clone().unwrap().parse().unwrap();
                (row[0].clone().unwrap(), count)
            })
            .collect()
    }

    fn has(&self, files: usize, rows: usize) -> bool {
        let stored = self.stored();
        stored.len() == files && stored.values().all(|stored| *stored == rows)
    }
}

/// A file's rows, which no other file has.
fn rows(file: usize, count: usize) -> String {
    let rows = (0..count).map(|row| format!("{},{file}\n", file * 100_000 + row));
    format!("id,file\n{}", rows.collect::<String>())
}

fn stop(watcher: Running) -> glovebox_tests::pipeline::Ran {
    watcher.signal("TERM");
    watcher.end().ends_with(0)
}

#[test]
fn files_that_are_renamed_in_are_run_at_once_and_each_once() {
    let arrivals = Arrivals::sqlite();
    arrivals.rename_in("1.csv", &rows(1, 10));
    // In this time only a rename says that a file is whole.
    let mut watcher = arrivals.watch(&["--quiet", "1h"]);
    arrivals.rename_in("2.csv", &rows(2, 10));
    arrivals.rename_in("3.csv.part", &rows(3, 10));
    arrivals.rename_in(".4.csv", &rows(4, 10));
    watcher.until("the file is stored", |_| arrivals.has(1, 10));
    // As a browser does it.
    fs::rename(arrivals.inside("3.csv.part"), arrivals.inside("3.csv")).unwrap();
    watcher.until("both are stored", |_| arrivals.has(2, 10));
    let _ = stop(watcher).prints("in/3.csv: 10 read = 10 stored");
    // What was there at the start is run when it was quiet.
    let mut watcher = arrivals.watch(&["--quiet", "200ms"]);
    watcher.until("the first is stored", |_| arrivals.has(3, 10));
    watcher.signal("INT");
    let ran = watcher.end().ends_with(0);
    assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stdout);
    // Lists of rejects are there only where there is something in them.
    let names = arrivals.pipeline.names();
    assert!(
        names.iter().all(|name| !name.contains("rejects")),
        "{names:?}"
    );
}

#[test]
fn what_is_renamed_in_as_soon_as_it_is_said_that_it_watches_is_heard_of() {
    let arrivals = Arrivals::sqlite();
    for start in 1..=6 {
        arrivals
            .pipeline
            .write(&format!("aside/{start}.csv"), rows(start, 10));
        let name = format!("{start}.csv");
        let (from, to) = (arrivals.aside(&name), arrivals.inside(&name));
        let mut watcher = arrivals
            .pipeline
            .start(&["watch", "manifest.yaml", "--quiet", "1h"]);
        // Without a pause between the two.
        while !watcher.stderr().contains("watching") {
            assert!(watcher.is_running(), "{}", watcher.stderr());
        }
        fs::rename(from, to).unwrap();
        watcher.until("it is stored", |_| arrivals.has(start, 10));
        let _ = stop(watcher);
    }
}

#[test]
fn of_a_file_that_is_written_slowly_nothing_half_is_stored() {
    let arrivals = Arrivals::sqlite();
    for arguments in [
        &["--quiet", "1500ms"][..],
        &["--quiet", "1500ms", "--poll", "50ms"],
    ] {
        let mut watcher = arrivals.watch(arguments);
        let before = arrivals.stored().len();
        let number = before + 1;
        let content = rows(number, 400);
        let mut file = File::create(arrivals.inside(&format!("{number}.csv"))).unwrap();
        for piece in content.as_bytes().chunks(content.len() / 12) {
            file.write_all(piece).unwrap();
            std::thread::sleep(Duration::from_millis(300));
            assert_eq!(arrivals.stored().len(), before);
        }
        drop(file);
        watcher.until("it is stored", |_| {
            let stored = arrivals.stored();
            stored.get(&number.to_string()).is_some_and(|rows| {
                assert_eq!(*rows, 400);
                true
            })
        });
        let _ = stop(watcher);
    }
}

#[test]
fn a_watcher_that_is_killed_again_and_again_stores_each_row_once() {
    for arrivals in [Arrivals::sqlite(), Arrivals::postgres("watch_killed")] {
        const FILES: usize = 12;
        // Of several chunks, so that some are killed between two.
        const ROWS: usize = 90_000;
        for (kills, first) in (1_u64..).zip((1..=FILES).step_by(2)) {
            let watcher = arrivals.watch(&["--quiet", "100ms"]);
            for file in first..first + 2 {
                arrivals.rename_in(&format!("{file}.csv"), &rows(file, ROWS));
            }
            // At another moment each time, in runs and between them.
            std::thread::sleep(Duration::from_millis(100 + 170 * kills));
            watcher.signal("KILL");
            let _ = watcher.end();
        }
        let mut watcher = arrivals.watch(&["--quiet", "100ms"]);
        watcher.until("all is stored", |_| arrivals.has(FILES, ROWS));
        let _ = stop(watcher);
        assert!(arrivals.has(FILES, ROWS));
        // Nothing is left to be done by another one.
        let watcher = arrivals.watch(&["--quiet", "100ms"]);
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(stop(watcher).stdout, "");
    }
}

#[test]
fn a_watcher_that_is_stopped_in_a_run_ends_well_and_the_next_one_goes_on() {
    const ROWS: usize = 20_000;
    let arrivals = Arrivals::sqlite();
    let pad = "x".repeat(1000);
    let rows = (0..ROWS).map(|row| format!("{row},1,{pad}\n"));
    let content = format!("id,file,pad\n{}", rows.collect::<String>());
    let mut watcher = arrivals.watch(&["--quiet", "100ms"]);
    arrivals.rename_in("1.csv", &content);
    watcher.until("some is stored", |_| !arrivals.stored().is_empty());
    let _ = stop(watcher).says("stopping");
    let mut watcher = arrivals.watch(&["--quiet", "100ms"]);
    watcher.until("all is stored", |_| arrivals.has(1, ROWS));
    let _ = stop(watcher);
}

#[test]
fn two_watchers_of_one_folder_store_each_row_once() {
    const FILES: usize = 50;
    for arrivals in [Arrivals::sqlite(), Arrivals::postgres("watch_two")] {
        let start = || arrivals.watch(&["--quiet", "100ms"]);
        let (mut first, second) = (start(), start());
        for file in 1..=FILES {
            arrivals.rename_in(&format!("{file}.csv"), &rows(file, 500));
        }
        first.until("all is stored", |_| arrivals.has(FILES, 500));
        let told: Vec<String> = [first, second].map(|w| stop(w).stderr).into();
        assert!(arrivals.has(FILES, 500));
        assert!(told.iter().all(|told| !told.contains("error:")), "{told:?}");
    }
}

#[test]
fn a_bad_file_is_reported_once_and_the_others_go_on() {
    let arrivals = Arrivals::sqlite();
    let mut watcher = arrivals.watch(&["--quiet", "100ms"]);
    arrivals.rename_in("1.csv", &rows(1, 10));
    arrivals.rename_in("2.csv", "id,file\nx,2\ny,2\nz,2\nx,2\n");
    arrivals.rename_in("3.csv", "other,columns\n1,2\n");
    fs::write(arrivals.aside("4.csv.gz"), [0x1f, 0x8b, 8, 0, 0, 0, 0]).unwrap();
    fs::rename(arrivals.aside("4.csv.gz"), arrivals.inside("4.csv.gz")).unwrap();
    arrivals.rename_in("5.csv", "id,file\n500000,5\nx,5\n500001,5\n");
    watcher.until("the last is stored", |_| {
        arrivals.stored().contains_key("5")
    });
    // Time for what would be tried again.
    std::thread::sleep(Duration::from_secs(3));
    let told = watcher.stderr();
    for bad in ["2.csv", "3.csv", "4.csv.gz"] {
        assert_eq!(
            told.matches(&format!(
                "error: {}",
                arrivals
                    .inside(bad)
                    .strip_prefix(arrivals.pipeline.folder())
                    .unwrap()
                    .display()
            ))
            .count(),
            1,
            "{told}"
        );
    }
    assert!(
        told.contains("4 read = 0 stored + 0 filtered + 4 rejected"),
        "{told}"
    );
    // Each has a list of its own.
    let names = arrivals.pipeline.names();
    for (bad, rejected) in [("2.csv", 4), ("5.csv", 1)] {
        let lists: Vec<_> = names
            .iter()
            .filter(|name| name.starts_with(&format!("rejects.{bad}.")))
            .collect();
        assert_eq!(lists.len(), 1, "{names:?}");
        assert_eq!(arrivals.pipeline.read(lists[0]).lines().count(), rejected);
    }
    // As long as a name may be.
    let long = format!("{}.csv", "ü".repeat(125));
    arrivals.rename_in(&long, "id,file\n700000,7\nx,7\n");
    watcher.until("it is stored", |_| arrivals.stored().contains_key("7"));
    // A corrected file is another one.
    arrivals.rename_in("3.csv", &rows(3, 10));
    watcher.until("it is stored", |_| arrivals.stored().contains_key("3"));
    let _ = stop(watcher).prints("in/5.csv: 3 read = 2 stored + 0 filtered + 1 rejected");
}

#[test]
fn a_file_that_grew_is_reported_or_its_new_rows_are_added() {
    let arrivals = Arrivals::sqlite();
    let quiet = ["--quiet", "100ms"];
    let mut watcher = arrivals.watch(&quiet);
    arrivals.rename_in("1.csv", &rows(1, 10));
    watcher.until("it is stored", |_| arrivals.has(1, 10));
    arrivals.rename_in("1.csv", &rows(1, 15));
    watcher.until("it is reported", |w| w.stderr().contains("`--only-new`"));
    // Under another name it is the same delivery.
    arrivals.rename_in("2.csv", &rows(1, 10));
    watcher.until("it is known", |w| {
        w.stdout().contains("in/2.csv: run before, ")
    });
    assert!(arrivals.has(1, 10));
    let _ = stop(watcher);
    let mut watcher = arrivals.watch(&[&quiet[..], &["--only-new"]].concat());
    watcher.until("the rest is stored", |_| arrivals.has(1, 15));
    let _ = stop(watcher);
}

#[test]
fn an_upsert_brings_each_file_once_in_the_order_in_which_they_were_written() {
    let arrivals = Arrivals::into("sqlite: { path: out.db, table: t, mode: upsert, keys: [id] }");
    let values = || {
        let rows = arrivals.query("SELECT CAST(file AS TEXT) FROM t ORDER BY id");
        rows.into_iter()
            .map(|mut row| row.remove(0).unwrap())
            .collect::<Vec<_>>()
    };
    arrivals.rename_in("b.csv", "id,file\n1,1\n2,1\n");
    std::thread::sleep(Duration::from_millis(50));
    arrivals.rename_in("a.csv", "id,file\n2,2\n3,2\n");
    let mut watcher = arrivals.watch(&["--quiet", "200ms"]);
    watcher.until("both are stored", |_| values() == ["1", "2", "2"]);
    watcher.signal("KILL");
    let _ = watcher.end();
    // Whoever sets its times or its rights does not deliver it again.
    let older = File::options()
        .append(true)
        .open(arrivals.inside("b.csv"))
        .unwrap();
    older.set_modified(std::time::SystemTime::now()).unwrap();
    let mut watcher = arrivals.watch(&["--quiet", "200ms"]);
    arrivals.rename_in("c.csv", "id,file\n4,3\n");
    watcher.until("the third is stored", |_| values() == ["1", "2", "2", "3"]);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(values(), ["1", "2", "2", "3"]);
    let _ = stop(watcher);
}

#[test]
fn a_file_whose_run_was_killed_begins_anew_under_another_manifest() {
    let arrivals = Arrivals::into("sqlite: { path: out.db, table: t, mode: upsert, keys: [id] }");
    arrivals.rename_in("a.csv", &rows(1, 600_000));
    let file = arrivals.pipeline.path("out.db");
    let count = |sql: &str| {
        let there = "SELECT name FROM sqlite_master WHERE name = 'glovebox_chunk'";
        match file.exists() && !sqlite::query(&file, there).is_empty() {
            true => sqlite::query(&file, sql)[0][0].clone().unwrap(),
            false => "0".to_owned(),
        }
    };
    let chunks = "SELECT CAST(count(*) AS TEXT) FROM glovebox_chunk";
    let finished = "SELECT CAST(count(*) AS TEXT) FROM glovebox_run WHERE state = 'finished'";
    let mut watcher = arrivals.watch(&["--quiet", "100ms"]);
    watcher.until("chunks are staged", |_| count(chunks) != "0");
    watcher.signal("KILL");
    let _ = watcher.end();
    assert_eq!(count(finished), "0");

    let manifest = arrivals.pipeline.read("manifest.yaml");
    let steps = "steps: [{ sql: 'SELECT id, file + 1 AS file FROM rows' }]\nsink:";
    arrivals
        .pipeline
        .write("manifest.yaml", manifest.replace("sink:", steps));
    let mut watcher = arrivals.watch(&["--quiet", "100ms"]);
    watcher.until("all is stored", |_| count(finished) == "1");
    let _ = stop(watcher);
    let stored =
        "SELECT CAST(count(*) AS TEXT), CAST(min(file) AS TEXT), CAST(max(file) AS TEXT) FROM t";
    let expected = ["600000", "2", "2"].map(|cell| Some(cell.to_owned()));
    assert_eq!(arrivals.query(stored), [expected]);
}

#[test]
fn a_sink_that_is_away_is_waited_for() {
    let arrivals = Arrivals::into("sqlite: { path: later/out.db, table: t }");
    let mut watcher = arrivals.watch(&["--quiet", "100ms"]);
    arrivals.rename_in("1.csv", &rows(1, 10));
    arrivals.rename_in("2.csv", &rows(2, 10));
    watcher.until("it is away", |w| w.stderr().contains("all files wait"));
    fs::create_dir(arrivals.pipeline.path("later")).unwrap();
    watcher.until("both are run", |w| w.stdout().lines().count() == 2);
    let ran = stop(watcher).says("the sink is back");
    assert_eq!(
        ran.stderr.matches("all files wait").count(),
        1,
        "{}",
        ran.stderr
    );
}

/// Records of files, as `ACTION ROLE NAME REASON DIGEST`.
fn recorded(folder: &Path) -> Vec<[String; 5]> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "jsonl") {
            continue;
        }
        for line in fs::read_to_string(path).unwrap().lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| record[key].as_str().unwrap_or("-").to_owned();
            if text("event.action").starts_with("file-") {
                let digest = match text("labels.role").as_str() {
                    "data" => text("labels.hmac-sha256"),
                    _ => text("file.hash.sha256"),
                };
                found.push([
                    text("event.action"),
                    text("labels.role"),
                    text("file.name"),
                    text("event.reason"),
                    digest,
                ]);
            }
        }
    }
    found
}

#[test]
fn files_that_appear_change_or_go_are_in_the_audit_log() {
    let arrivals = Arrivals::sqlite();
    let audit = arrivals.pipeline.path("audit");
    let asked = [
        "--quiet",
        "100ms",
        "--audit",
        "audit",
        "--digest-key",
        "digests",
    ];
    arrivals.rename_in("1.csv", &rows(1, 10));
    let mut watcher = arrivals.watch(&asked);
    let has = |action: &str, name: &str, reason: &str| {
        let all = recorded(&audit);
        all.iter()
            .any(|r| r[0] == action && r[2] == name && r[3] == reason)
    };
    watcher.until("what was there", |_| {
        has("file-created", "1.csv", "at-start") && has("file-created", "manifest.yaml", "at-start")
    });
    arrivals.rename_in("a\u{1b}[31m.csv", &rows(2, 10));
    watcher.until("a file that appears", |_| {
        has("file-created", "a\\x1b[31m.csv", "-")
    });
    arrivals.pipeline.write("other.yaml", "name: other\n");
    watcher.until("a manifest", |_| has("file-created", "other.yaml", "-"));
    arrivals.pipeline.write("other.yaml", "name: another\n");
    watcher.until("a change", |_| has("file-changed", "other.yaml", "-"));
    fs::remove_file(arrivals.inside("1.csv")).unwrap();
    watcher.until("a file that goes", |_| has("file-deleted", "1.csv", "-"));
    watcher.until("it is stored", |_| arrivals.has(2, 10));
    watcher.signal("KILL");
    let _ = watcher.end();
    // While nobody watches.
    fs::remove_file(arrivals.pipeline.path("other.yaml")).unwrap();
    arrivals.pipeline.write("third.yaml", "name: third\n");
    let mut watcher = arrivals.watch(&asked);
    watcher.until("what happened meanwhile", |_| {
        has("file-deleted", "other.yaml", "at-start")
            && has("file-created", "third.yaml", "at-start")
    });
    let _ = stop(watcher);
    let all = recorded(&audit);
    // What the log knows already is not recorded at the next start.
    let manifests = all.iter().filter(|r| r[2] == "manifest.yaml");
    let sum = Command::new("sha256sum")
        .arg(arrivals.pipeline.path("manifest.yaml"))
        .output()
        .unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    let digest = sum.split(' ').next().unwrap();
    assert_eq!(
        manifests.map(|r| r[4].clone()).collect::<Vec<_>>(),
        [digest]
    );
    let of_data = all.iter().find(|r| r[1] == "data").unwrap();
    assert_eq!(of_data[4].len(), 64);
    let _ = arrivals
        .pipeline
        .call(&["audit", "verify", "audit"])
        .ends_with(0);
    let shown = arrivals
        .pipeline
        .call(&["audit", "show", "audit", "--action", "file-deleted"]);
    let _ = shown.ends_with(0).prints("/in/1.csv");
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
        let arrivals = Arrivals::into(sink);
        arrivals.rename_in("1.csv", &rows(1, 1));
        let refused = arrivals.pipeline.call(&["watch", "manifest.yaml"]);
        let _ = refused.ends_with(2).says(problem);
        assert!(!arrivals.pipeline.path("out.db").exists());
    }
}
