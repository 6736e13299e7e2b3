//! Two processes on one range at the same time, for every range of a run: each row is stored once.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use glovebox_cluster::{Certificates, Done, Ended, Executor, Scheduler, Task, Work, make};
use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::postgres::Postgres;
use serde_json::{Value, json};

/// Has each range worked on by two processes at once.
struct Twice {
    pipeline: Arc<Pipeline>,
    races: AtomicUsize,
}

impl Twice {
    /// A process that has joined the run.
    fn joined(&self, task: &Task) -> Child {
        let mut command = self
            .pipeline
            .command(&["shard", "manifest.yaml", "--workers", "1"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.as_mut().unwrap();
        writeln!(input, "{}", json!({ "join": task.joining })).unwrap();
        child
    }
}

impl Work for Twice {
    fn work(
        &self,
        _: usize,
        task: &Task,
        _: &dyn Fn() -> bool,
        _: &mut dyn FnMut(u64, u64),
    ) -> Result<Done, Ended> {
        // What has come here by way of the scheduler.
        let text = serde_json::to_string(task).unwrap();
        for secret in ["lorem", "name 1", Postgres::shared().password()] {
            assert!(!text.contains(secret), "{text}");
        }
        let mut both = [self.joined(task), self.joined(task)];
        let mut said = both.each_mut().map(|child| {
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut lines =
                lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
            let joined = lines.find(|said| said == "joined" || !said["failed"].is_null());
            assert_eq!(joined.unwrap(), "joined");
            lines
        });
        for child in &mut both {
            let input = child.stdin.as_mut().unwrap();
            writeln!(input, "{}", json!({ "work": task.range })).unwrap();
        }
        let mut done = said.each_mut().map(|lines| {
            let last = lines.find(|said| said["alive"].is_null()).unwrap();
            assert!(!last["done"].is_null(), "{last}");
            last["done"]["rows"].as_u64().unwrap()
        });
        done.sort_unstable();
        for child in &mut both {
            drop(child.stdin.take());
            child.wait().unwrap();
        }
        self.races.fetch_add(1, Ordering::Relaxed);
        Ok(Done {
            rows: done[1],
            absent: Vec::new(),
        })
    }
}

/// About a kilobyte a row, some of which the step and the table reject.
fn csv(rows: usize) -> String {
    let mut csv = String::from("id,name,note\n");
    let note = "lorem ipsum ".repeat(80);
    for id in 0..rows {
        let _ = match id % 97 {
            13 => writeln!(csv, "{id},,no name"),
            71 => writeln!(csv, "{},again,x", id - 1),
            _ => writeln!(csv, "{id},name {id},{note}"),
        };
    }
    csv
}

fn manifest(database: &str) -> String {
    let server = Postgres::shared();
    format!(
        "name: raced
source: {{ csv: {{ path: in.csv }} }}
columns:
  id: {{ type: int64 }}
  name: {{ type: text }}
  note: {{ type: text }}
credentials: [env]
steps:
  - {{ name: present, validate: required, reads: [name] }}
sink:
  postgres: {{ host: {}, port: {}, database: {database}, user: {}, password: {{ secret: db }}, tls: {{ ca: {} }}, table: people }}
rejects: {{ path: rejects.jsonl, sealed-to: [reader] }}
",
        server.host(),
        server.port(),
        server.user(),
        server.ca_path().display()
    )
}

fn pipeline(database: &str, rows: usize) -> Pipeline {
    Pipeline::new(&manifest(database))
        .file("in.csv", csv(rows))
        .env("GLOVEBOX_SECRET_DB", Postgres::shared().password())
        .env(
            "GLOVEBOX_SECRET_READER",
            "x25519:ycNustCCiDoAPGujuIyz2IFehtvHpuzAIq0lcuQzxgE=",
        )
}

fn left(database: &str) -> [Vec<Vec<Option<String>>>; 3] {
    [
        "SELECT id, name, md5(note) FROM people ORDER BY id",
        "SELECT chunk, read, stored, rejected FROM glovebox.chunk ORDER BY chunk",
        "SELECT chunk, \"row\", violations::text FROM glovebox.reject ORDER BY chunk, \"row\"",
    ]
    .map(|sql| Postgres::shared().query(database, sql))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_on_each_range_store_it_once() {
    let times = std::env::var("GLOVEBOX_CLUSTER_KILLS").ok();
    let times = times.and_then(|n| n.parse::<usize>().ok()).unwrap_or(1);
    let folder = tempfile::tempdir().unwrap();
    let _ = make(folder.path(), &["127.0.0.1".to_owned()]).unwrap();
    let certificates = |role: &str| Certificates::read(&folder.path().join(role)).unwrap();
    let scheduler = Scheduler {
        listen: "127.0.0.1:0".parse().unwrap(),
        metrics: None,
        certificates: certificates("scheduler"),
        dead_after: Duration::from_secs(60),
    };
    let (tell, told) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let ready = |address, _| tell.send(address).unwrap();
        scheduler.serve(ready, std::future::pending()).await
    });
    let url = format!("https://{}", told.await.unwrap());
    let unique = "CREATE TABLE people (id int8 UNIQUE, name text, note text)";
    let alone = Postgres::shared().database("races");
    let _ = Postgres::shared().query(&alone, unique);
    let rows = 30_000;
    let _ = pipeline(&alone, rows).run().ends_with(0);
    let mut races = 0;
    for _ in 0..times {
        let database = Postgres::shared().database("races");
        let _ = Postgres::shared().query(&database, unique);
        let pipeline = Arc::new(pipeline(&database, rows));
        let work = Arc::new(Twice {
            pipeline: Arc::clone(&pipeline),
            races: AtomicUsize::new(0),
        });
        let executor = Executor {
            scheduler: url.parse().unwrap(),
            certificates: certificates("executor"),
            slots: 2,
            work: Arc::clone(&work) as Arc<dyn Work>,
        };
        let executor = tokio::spawn(executor.run(|_| {}, std::future::pending()));
        let client = folder.path().join("client").to_string_lossy().into_owned();
        let run = tokio::task::spawn_blocking({
            let (pipeline, url) = (Arc::clone(&pipeline), url.clone());
            move || {
                let call = ["--cluster", &url, "--certificates", &client];
                pipeline.run_with(&call).ends_with(0)
            }
        });
        let _ = run.await.unwrap();
        executor.abort();
        races += work.races.load(Ordering::Relaxed);
        assert_eq!(left(&alone), left(&database));
    }
    println!("{races} races");
    assert!(races >= 8 * times, "{races}");
}
