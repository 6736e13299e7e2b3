//! Several servers over one catalog: one is killed at a time while clients go on, and runs are neither
//! lost nor doubled; runs that wait, and those that a schedule asks for.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use glovebox_tests::http::{Reply, attempt, request};
use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::postgres::Postgres;
use glovebox_tests::server::{KEY, Server};
use serde_json::Value;

use crate::runs::{is_over, post, start, until};

const SERVERS: usize = 3;
const PIPELINES: usize = 3;
/// Uploads before a server is killed: one for each pipeline, and one that waits.
const WAVE: usize = PIPELINES + 1;
const ROWS: usize = 8_000;

/// Some seconds of work, so that a server that is killed has a run.
fn manifest(database: &str, name: &str) -> String {
    let place = Postgres::shared().place(database);
    format!(
        "name: {name}
source: {{ csv: {{ path: in.csv }} }}
columns: {{ id: {{ type: int64 }}, name: {{ type: text, personal: true }} }}
credentials: [{{ files: secrets }}]
steps:
  - mask: pseudonym
    masks: [name]
    with: {{ method: pbkdf2-sha256, iterations: 20000 }}
    keys: {{ pseudonym: salt }}
sink: {{ postgres: {{ {place}, table: public.{name}, mode: append }} }}
"
    )
}

struct Over<'o>(&'o AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// An address on which nobody listens.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// A server's folder; what is uploaded and left behind is in one that all share.
fn folder(database: &str, shared: &Path) -> Pipeline {
    let place = Postgres::shared().place(database);
    let mut configuration = format!(
        "listen: {}
url: http://glovebox.test
catalog: {{ postgres: {{ {place} }} }}
credentials: [{{ files: secrets }}]
tokens: {{ keys: [token-key] }}
audit: {{ folder: audit }}
limits: {{ requests-a-minute-by-address: 100000, requests-a-minute-by-user: 100000, uploads-by-user: 20 }}
runs: {{ folder: \"{}\", shared: true, at-once: 1 }}
datasets:
  served:
    postgres: {{ {place}, table: public.served }}
    columns: {{ id: {{ type: int64, not-null: true }} }}
    key: [id]
pipelines:
  ticks: {{ manifest: ticks.yaml, schedule: \"* * * * *\", schedule-mode: again }}
",
        free(),
        shared.display()
    );
    let mut folder = Pipeline::empty();
    for n in 0..PIPELINES {
        let name = format!("p{n}");
        let _ = writeln!(
            configuration,
            "  {name}: {{ manifest: {name}.yaml, upload: 1 MiB }}"
        );
        folder = folder.file(&format!("{name}.yaml"), manifest(database, &name));
    }
    folder
        .file("glovebox.yaml", configuration)
        .file("ticks.yaml", manifest(database, "ticks"))
        .file("in.csv", "id,name\n1,canary-ann\n")
        .file("secrets/token-key", KEY)
        .file("secrets/salt", "a salt of 32 bytes, or there about")
        .file("secrets/password", Postgres::shared().password())
}

/// A server of that folder, by where it listens and not by its public name.
fn begin(folder: Pipeline) -> Server {
    let configuration = folder.read("glovebox.yaml");
    let listens = configuration.lines().next().unwrap();
    let address = listens.trim_start_matches("listen: ").to_owned();
    let mut server = Server::start_in(folder);
    server.address = address;
    server
}

fn rows(upload: usize) -> Vec<u8> {
    let mut text = String::from("id,name\n");
    for n in 0..ROWS {
        let id = upload * ROWS + n;
        let _ = writeln!(text, "{id},canary-{id}");
    }
    text.into_bytes()
}

/// Where each server is; nothing while it is being killed and started again.
type Addresses = [Mutex<Option<String>>; SERVERS];

fn at(addresses: &Addresses, server: usize) -> Option<String> {
    let address = addresses[server].lock();
    address.unwrap_or_else(PoisonError::into_inner).clone()
}

fn set(addresses: &Addresses, server: usize, address: Option<String>) {
    let place = addresses[server].lock();
    *place.unwrap_or_else(PoisonError::into_inner) = address;
}

/// A reply of a server that is not being killed; nothing if it is, before or after the request.
fn asked(addresses: &Addresses, server: usize, request: &[u8]) -> Option<Reply> {
    let address = at(addresses, server)?;
    let reply = attempt(&address, request);
    if at(addresses, server)? != address {
        return None;
    }
    let reply = reply.unwrap_or_else(|| panic!("server {server} lives and does not reply"));
    assert!(reply.status < 500, "{server}: {}", reply.text());
    Some(reply)
}

#[test]
fn servers_die_one_at_a_time_and_every_run_is_done_once() {
    let postgres = Postgres::shared();
    let database = postgres.database("servers");
    let mut tables = String::from("CREATE TABLE public.served AS SELECT 1::bigint AS id; ");
    for name in ["p0", "p1", "p2", "ticks"] {
        let _ = write!(
            tables,
            "CREATE TABLE public.{name} (id bigint, name text); "
        );
    }
    let _ = postgres.query(&database, &tables);
    let shared = Pipeline::empty();
    let runs = shared.path("runs");
    let mut servers: Vec<Server> = (0..SERVERS)
        .map(|_| begin(folder(&database, &runs)))
        .collect();
    let first = &servers[0];
    first.user("ada", &["admin"]);
    let (token, _) = first.log_in("ada");
    let bearer = format!("Bearer {token}");
    let addresses: Addresses = Default::default();
    for (n, server) in servers.iter().enumerate() {
        set(&addresses, n, Some(server.address.clone()));
    }

    let over = AtomicBool::new(false);
    let answered = AtomicU64::new(0);
    std::thread::scope(|scope| {
        // However this ends, the readers end with it.
        let _over = Over(&over);
        // Readers of each server, who go on whatever happens.
        for server in 0..SERVERS {
            let (over, answered, addresses, bearer) = (&over, &answered, &addresses, &bearer);
            scope.spawn(move || {
                let targets = ["/served", "/runs?limit=5", "/pipelines", "/healthz"];
                for target in targets.iter().cycle() {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let headers = [("Authorization", bearer.as_str())];
                    if let Some(reply) =
                        asked(addresses, server, &request("GET", target, &headers, b""))
                    {
                        assert_eq!(reply.status, 200, "{target}: {}", reply.text());
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
        }
        let mut ids = BTreeSet::new();
        // The first of the list is killed, and comes back as its last.
        for victim in 0..SERVERS {
            // Those who upload ask another server when theirs dies, with the same key.
            let uploads: Vec<_> = (victim * WAVE..(victim + 1) * WAVE)
                .map(|upload| {
                    let (over, addresses, bearer) = (&over, &addresses, &bearer);
                    scope.spawn(move || uploaded(addresses, bearer, upload, over))
                })
                .collect();
            let database = &database;
            wait("a run on each server", || {
                let holders = "SELECT count(DISTINCT holder)::text FROM glovebox_catalog.runs \
                               WHERE state = 'running' AND pipeline <> 'ticks'";
                postgres.query(database, holders)[0][0].as_deref() == Some("3")
            });
            set(&addresses, victim, None);
            let folder = servers.remove(0).leave("KILL");
            wait("the others have its runs", || {
                let silent = "SELECT count(*)::text FROM glovebox_catalog.runs \
                              WHERE state = 'running' \
                              AND seen < extract(epoch FROM now())::bigint - 5";
                postgres.query(database, silent)[0][0].as_deref() == Some("0")
            });
            let server = begin(folder);
            set(&addresses, victim, Some(server.address.clone()));
            servers.push(server);
            ids.extend(uploads.into_iter().map(|u| u.join().unwrap()));
        }
        assert_eq!(ids.len(), SERVERS * WAVE);
        let server = &servers[1];
        for id in &ids {
            let run = until(server, &token, id, is_over);
            assert_eq!(run["state"], "done", "{run}");
        }
        // A minute has passed by now; the next time of the schedule is done, too.
        wait("a scheduled run", || {
            let done = "SELECT count(*)::text FROM glovebox_catalog.runs \
                        WHERE pipeline = 'ticks' AND state = 'done'";
            postgres.query(&database, done)[0][0].as_deref() != Some("0")
        });
    });
    // How many there were is told, not asserted: a slow machine answers fewer.
    println!("{} requests were answered", answered.into_inner());

    let all = (0..PIPELINES).map(|n| format!("SELECT id FROM public.p{n}"));
    let all = all.collect::<Vec<_>>().join(" UNION ALL ");
    let sql = format!("SELECT count(*)::text, count(DISTINCT id)::text FROM ({all}) a");
    let rows = Some((SERVERS * WAVE * ROWS).to_string());
    assert_eq!(postgres.query(&database, &sql)[0], [rows.clone(), rows]);
    let sql = "SELECT count(*)::text FROM glovebox_catalog.runs WHERE starts > 1";
    assert_ne!(
        postgres.query(&database, sql)[0][0].as_deref(),
        Some("0"),
        "no server was killed with a run"
    );
    wait("nothing runs", || {
        let runs = "SELECT count(*)::text FROM glovebox_catalog.runs \
                    WHERE state IN ('queued', 'running')";
        postgres.query(&database, runs)[0][0].as_deref() == Some("0")
    });
    // Each scheduled run was asked for by one server, each run ended on one.
    let mut asked_for = Vec::new();
    let mut ended = Vec::new();
    for server in servers {
        for record in server.audit() {
            let run = || record["labels.run"].as_str().unwrap().to_owned();
            match record["event.action"].as_str() {
                Some("run-started") if record["event.reason"] == "schedule" => {
                    assert_eq!(record["user.name"], "(schedule)");
                    asked_for.push(run());
                }
                Some("run-finished") => ended.push(run()),
                _ => {}
            }
        }
        let _ = server.stop("TERM");
    }
    let of = |which: &str| -> BTreeSet<String> {
        let sql = format!("SELECT id FROM glovebox_catalog.runs WHERE {which}");
        let rows = postgres.query(&database, &sql);
        rows.into_iter().flatten().flatten().collect()
    };
    let once = |list: &[String]| {
        let set: BTreeSet<String> = list.iter().cloned().collect();
        assert_eq!(set.len(), list.len(), "{list:?}");
        set
    };
    assert_eq!(once(&asked_for), of("pipeline = 'ticks'"));
    assert_eq!(once(&ended), of("state = 'done'"));
}

/// Uploads rows until a server has taken them; the run's name.
fn uploaded(addresses: &Addresses, bearer: &str, upload: usize, over: &AtomicBool) -> String {
    let key = format!("upload-{upload}");
    let target = format!("/pipelines/p{}/uploads", upload % PIPELINES);
    let headers = [
        ("Authorization", bearer),
        ("Content-Type", "text/csv"),
        ("Idempotency-Key", &key),
    ];
    let request = request("POST", &target, &headers, &rows(upload));
    for server in (0..SERVERS).cycle().skip(upload) {
        assert!(!over.load(Ordering::Relaxed), "nobody took {key}");
        if let Some(reply) = asked(addresses, server, &request) {
            assert!([200, 202].contains(&reply.status), "{}", reply.text());
            return reply.json()["id"].as_str().unwrap().to_owned();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    unreachable!("the servers come round again")
}

/// Until it is so.
#[track_caller]
fn wait(what: &str, mut there: impl FnMut() -> bool) {
    let started = Instant::now();
    while !there() {
        assert!(started.elapsed() < Duration::from_secs(180), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

const QUEUED: &str = "\
pipelines:
  slow: { manifest: slow.yaml, queue: 2 }
  other: { manifest: slow.yaml }
runs: { folder: runs, at-once: 1 }
";

#[test]
fn a_queue_has_a_limit_and_a_length() {
    let manifest = "\
name: slow
source: { csv: { path: in.csv } }
columns: { id: { type: int64 }, name: { type: text, personal: true } }
credentials: [{ files: secrets }]
steps:
  - mask: pseudonym
    masks: [name]
    with: { method: pbkdf2-sha256, iterations: 200000 }
    keys: { pseudonym: salt }
sink: { sqlite: { path: slow.db, table: slow, mode: append } }
";
    let folder = Server::folder(QUEUED)
        .file("slow.yaml", manifest)
        .file("in.csv", rows(0))
        .file("secrets/salt", "a salt of 32 bytes, or there about");
    let server = Server::start_in(folder);
    server.user("ada", &["admin"]);
    let (token, _) = server.log_in("ada");
    let first = start(&server, &token, "slow");
    let _ = until(&server, &token, &first, |run| run["state"] != "queued");
    let queued: Vec<String> = (0..2).map(|_| start(&server, &token, "slow")).collect();
    let refused = post(&server, &token, "/pipelines/slow/runs", &[]).is(429);
    assert_eq!(refused.problem(), "queue-full");
    assert_eq!(refused.header("retry-after"), Some("30"));
    assert_eq!(
        refused.json()["detail"],
        "2 runs of this pipeline wait already"
    );
    // Another pipeline's queue is its own.
    let other = start(&server, &token, "other");

    let metrics = server.get("/metrics", &token).is(200).text();
    for line in [
        "glovebox_runs_queued{pipeline=\"slow\"} 2",
        "glovebox_runs_queued{pipeline=\"other\"} 1",
        "glovebox_runs_queue_seconds{pipeline=\"slow\"} ",
    ] {
        assert!(
            metrics.lines().any(|l| l.starts_with(line)),
            "{line}\n{metrics}"
        );
    }
    for run in queued.iter().chain([&other, &first]) {
        let _ = post(&server, &token, &format!("/runs/{run}/cancel"), &[]).is(202);
    }
    let run = until(&server, &token, &first, is_over);
    assert_eq!(run["state"], Value::from("cancelled"));
    let metrics = server.get("/metrics", &token).is(200).text();
    assert!(metrics.contains("glovebox_runs_queued{pipeline=\"slow\"} 0"));
}
