//! Runs that go on after a key was rotated in Vault, where it stays: what they mask is masked as before.

use std::time::{Duration, Instant};

use glovebox_tests::outside::Answer;
use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::postgres::Postgres;
use glovebox_tests::server::{BASE, KEY as TOKEN_KEY, Server};
use glovebox_tests::sqlite;
use glovebox_tests::vault::{ROLE_ID, Vault};

const FIRST: &str = "canary-mask-key-of-32-bytes-51c9";
const SECOND: &str = "canary-mask-key-of-32-bytes-d0a4";
const SECRET_ID: &str = "canary-secret-id-of-rotation";
const KEY: &str = "glovebox-sales-key";
const NAMES: usize = 80_000;

/// Where rows go.
struct Sink {
    manifest: String,
    /// Of PostgreSQL; else it is a file of SQLite's.
    database: Option<String>,
}

impl Sink {
    fn sqlite() -> Sink {
        Sink {
            manifest: "sqlite: { path: out.db, table: things, mode: append }".into(),
            database: None,
        }
    }

    fn postgres(database: &str) -> Sink {
        let server = Postgres::shared();
        let database = server.database(database);
        let manifest = format!(
            "postgres: {{ host: {}, port: {}, database: {database}, user: {}, password: {{ secret: db/loader }}, tls: \
             {{ ca: {} }}, table: things, mode: append }}",
            server.host(),
            server.port(),
            server.user(),
            server.ca_path().display()
        );
        Sink {
            manifest,
            database: Some(database),
        }
    }

    /// The masks that are stored, in the order of their rows.
    fn names(&self, pipeline: &Pipeline) -> Vec<String> {
        let all = "SELECT name FROM things ORDER BY id";
        let file = pipeline.path("out.db");
        let rows = match &self.database {
            Some(database) => {
                let there = "SELECT tablename FROM pg_tables WHERE tablename = 'things'";
                match Postgres::shared().query(database, there).is_empty() {
                    true => Vec::new(),
                    false => Postgres::shared().query(database, all),
                }
            }
            None => {
                let there = "SELECT name FROM sqlite_master WHERE name = 'things'";
                match !file.exists() || sqlite::query(&file, there).is_empty() {
                    true => Vec::new(),
                    false => sqlite::query(&file, all),
                }
            }
        };
        let rows = rows.into_iter();
        rows.map(|row| row[0].clone().unwrap()).collect()
    }
}

fn pipeline(sink: &Sink, store: &str, input: &str) -> Pipeline {
    let manifest = format!(
        "name: things
source: {{ csv: {{ path: {input} }} }}
columns:
  id:   {{ type: int64 }}
  name: {{ type: text, personal: true }}
credentials:
{store}  - env
steps:
  - mask: pseudonym
    masks: [name]
    with: {{ method: hmac-sha256 }}
    keys: {{ pseudonym: sales/key }}
sink:
  {}
rejects: {{ path: rejects.jsonl }}
",
        sink.manifest
    );
    let rows = (0..NAMES * 2).map(|row| format!("{row},customer-{:024}\n", row / 2));
    let rows = format!("id,name\n{}", rows.collect::<String>());
    Pipeline::new(&manifest)
        .file("in.csv", rows)
        .env("GLOVEBOX_SECRET_VAULT_SECRET_ID", SECRET_ID)
        .env("GLOVEBOX_SECRET_DB_LOADER", Postgres::shared().password())
}

fn with_transit(sink: &Sink, input: &str) -> (Vault, Pipeline) {
    let vault = Vault::start();
    vault.make_key(KEY, FIRST.as_bytes());
    vault.prove("auth/approle/login", SECRET_ID);
    let store = format!(
        "  - transit:
      address: {}
      prefix: glovebox
      tls: {{ ca: vault-ca.pem }}
      auth: {{ app-role: {{ role-id: {ROLE_ID}, secret-id: {{ secret: vault/secret-id }} }} }}
",
        vault.url()
    );
    let pipeline = pipeline(sink, &store, input).file("vault-ca.pem", &vault.outside.ca);
    (vault, pipeline)
}

/// What the first version of the key makes of all names.
fn expected() -> Vec<String> {
    let sink = Sink::sqlite();
    let here = pipeline(&sink, "", "in.csv").env("GLOVEBOX_SECRET_SALES_KEY", FIRST);
    let _ = here.run().ends_with(0);
    sink.names(&here)
}

/// Kills a run in its middle, and has the key rotated. How many rows it stored.
fn killed(vault: &Vault, pipeline: &Pipeline, sink: &Sink, call: &[&str]) -> usize {
    let silence = Answer::Silence(Duration::from_secs(60));
    vault.state().fails_after = Some((130, silence));
    let mut run = pipeline.start(call);
    run.until("rows are stored", |_| !sink.names(pipeline).is_empty());
    run.signal("KILL");
    let _ = run.end();
    vault.state().fails_after = None;
    vault.make_key(KEY, SECOND.as_bytes());
    let stored = sink.names(pipeline).len();
    assert!((1..NAMES * 2).contains(&stored), "{stored}");
    stored
}

fn goes_on_with_its_version(sink: &Sink) {
    let (vault, pipeline) = with_transit(sink, "in.csv");
    let call = ["run", "manifest.yaml", "--workers", "1"];
    let stored = killed(&vault, &pipeline, sink, &call);

    let resume = [
        "run",
        "manifest.yaml",
        "--resume",
        "--report",
        "report.json",
    ];
    vault.state().keys.get_mut(KEY).unwrap().1 = 2;
    let _ = pipeline
        .call(&resume)
        .ends_with(2)
        .says("the key is there, but not this version of it for masks (400): its latest is 2")
        .says("which is to be continued, has masked with this version: let the server mask with it again");
    assert_eq!(sink.names(&pipeline).len(), stored);

    vault.state().keys.get_mut(KEY).unwrap().1 = 1;
    let _ = pipeline
        .call(&resume)
        .ends_with(0)
        .says("is continued with version 1 of `sales/key`, with which it began");
    // Not with both in the message, which are long.
    assert!(sink.names(&pipeline) == expected());
    assert!(pipeline.read("report.json").contains("\"sales/key@1\""));

    // A run that begins takes the latest.
    pipeline.write("in.csv", "id,name\n900000,somebody\n");
    let _ = pipeline.call(&resume).ends_with(0);
    assert!(pipeline.read("report.json").contains("\"sales/key@2\""));
}

#[test]
fn a_run_into_sqlite_goes_on_with_the_version_of_the_key_that_it_began_with() {
    goes_on_with_its_version(&Sink::sqlite());
}

#[test]
fn a_run_into_postgres_goes_on_with_the_version_of_the_key_that_it_began_with() {
    goes_on_with_its_version(&Sink::postgres("rotated"));
}

#[test]
fn a_watched_file_goes_on_with_the_version_of_the_key_that_it_began_with() {
    let sink = Sink::sqlite();
    let (vault, pipeline) = with_transit(&sink, "drop");
    std::fs::create_dir(pipeline.path("drop")).unwrap();
    std::fs::rename(pipeline.path("in.csv"), pipeline.path("drop/in.csv")).unwrap();
    let call = ["watch", "manifest.yaml", "--workers", "1"];
    let _ = killed(&vault, &pipeline, &sink, &call);
    let mut watching = pipeline.start(&call);
    watching.until("the file was run", |watching| {
        watching.stdout().contains("160000 read")
    });
    watching.signal("TERM");
    let ended = watching.end();
    assert!(
        ended.stderr.contains("continued with version 1"),
        "{}",
        ended.stderr
    );
    assert!(sink.names(&pipeline) == expected());
}

/// The end of a run that was asked for.
fn over(server: &Server, token: &str, id: &str) -> serde_json::Value {
    let started = Instant::now();
    loop {
        let run = server.get(&format!("/runs/{id}"), token).is(200).json();
        if run["ended"].is_string() {
            return run;
        }
        assert!(
            started.elapsed() < Duration::from_secs(180),
            "{run}\n{}",
            server.log()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_run_of_the_api_goes_on_with_the_version_of_the_key_that_it_began_with() {
    let sink = Sink::sqlite();
    let (vault, pipeline) = with_transit(&sink, "in.csv");
    let configuration = format!("{BASE}pipelines: {{ things: {{ manifest: manifest.yaml }} }}\n");
    let pipeline = pipeline
        .file("glovebox.yaml", configuration)
        .file("secrets/token-key", TOKEN_KEY);
    let server = Server::start_in(pipeline);
    server.user("ada", &["admin"]);
    let (token, _) = server.log_in("ada");
    let post = |target: &str| server.send("POST", target, &token, &serde_json::Value::Null);
    let ask = |mode: &str| {
        let asked = post(&format!("/pipelines/things/runs?mode={mode}"))
            .is(202)
            .json();
        asked["id"].as_str().unwrap().to_owned()
    };
    let keys = |id: &str| {
        server
            .get(&format!("/runs/{id}/report"), &token)
            .is(200)
            .text()
    };

    let silence = Answer::Silence(Duration::from_secs(60));
    vault.state().fails_after = Some((130, silence));
    let first = ask("fresh");
    let started = Instant::now();
    while sink.names(&server.folder).is_empty() {
        assert!(
            started.elapsed() < Duration::from_secs(180),
            "{}",
            server.log()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = post(&format!("/runs/{first}/cancel"));
    let ended = over(&server, &token, &first);
    assert_eq!(ended["state"], "cancelled", "{ended}");
    vault.state().fails_after = None;
    vault.make_key(KEY, SECOND.as_bytes());
    let stored = sink.names(&server.folder).len();
    assert!((1..NAMES * 2).contains(&stored), "{stored}");

    let resumed = ask("resume");
    let ended = over(&server, &token, &resumed);
    assert_eq!(ended["state"], "done", "{ended}");
    assert!(sink.names(&server.folder) == expected());
    assert!(keys(&resumed).contains("\"sales/key@1\""));
    // A run that begins takes the latest.
    server.folder.write("in.csv", "id,name\n900000,somebody\n");
    let fresh = ask("fresh");
    assert_eq!(over(&server, &token, &fresh)["state"], "done");
    assert!(keys(&fresh).contains("\"sales/key@2\""));
}
