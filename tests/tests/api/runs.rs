//! Runs over the API: started, followed, cancelled, gone on with; and what a stranger may not.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use glovebox_tests::http::Reply;
use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::server::Server;
use glovebox_tests::sqlite;
use serde_json::Value;

const CONFIGURATION: &str = "\
limits: { logins-a-minute-by-address: 1000, shutdown: 1 s }
pipelines:
  sales: { about: Halal products., manifest: sales.yaml, upload: 1 KiB }
  slow: { manifest: slow.yaml }
  inner: { manifest: sales.yaml, roles: [admin] }
  broken: { manifest: nowhere.yaml }
runs: { folder: runs }
";

pub(crate) const SALES: &str = "\
name: sales
source: { csv: { path: in.csv } }
columns: { id: { type: int64 }, name: { type: text, personal: true } }
credentials: [{ files: secrets }]
steps:
  - { validate: required, reads: [name] }
  - mask: pseudonym
    masks: [name]
    with: { method: hmac-sha256 }
    keys: { pseudonym: salt }
sink: { sqlite: { path: out.db, table: sales, mode: replace } }
";

/// Some seconds of work, in a dozen chunks: of a few, the last would be under way once the first is stored,
/// and nothing left to cancel.
const SLOW: &str = "\
name: slow
source: { csv: { path: slow.csv } }
columns: { id: { type: int64 }, name: { type: text, personal: true } }
credentials: [{ files: secrets }]
steps:
  - mask: pseudonym
    masks: [name]
    with: { method: pbkdf2-sha256, iterations: 6500 }
    keys: { pseudonym: salt }
sink: { sqlite: { path: slow.db, table: slow, mode: append } }
";
const SLOW_ROWS: usize = 120_000;

fn folder() -> Pipeline {
    let folder = Server::folder(CONFIGURATION)
        .file("sales.yaml", SALES)
        .file("slow.yaml", SLOW)
        .file("in.csv", "id,name\n1,canary-ann\n2,\n3,canary-bob\n")
        .file("secrets/salt", "a salt of 32 bytes, or there about");
    // Long names, so that the file has several chunks.
    let mut slow = String::from("id,name\n");
    for n in 0..SLOW_ROWS {
        let _ = writeln!(slow, "{n},canary-{n:0>90}");
    }
    folder.write("slow.csv", slow);
    folder
}

fn server() -> Server {
    let server = Server::start_in(folder());
    server.user("ada", &["admin"]);
    server
}

pub(crate) fn post(server: &Server, token: &str, target: &str, headers: &[(&str, &str)]) -> Reply {
    let bearer = format!("Bearer {token}");
    let all = [&[("Authorization", bearer.as_str())], headers].concat();
    server.call("POST", target, &all, b"")
}

pub(crate) fn start(server: &Server, token: &str, pipeline: &str) -> String {
    let reply = post(server, token, &format!("/pipelines/{pipeline}/runs"), &[]);
    reply.is(202).json()["id"].as_str().unwrap().to_owned()
}

/// The run, once `there` holds.
#[track_caller]
pub(crate) fn until(
    server: &Server,
    token: &str,
    id: &str,
    there: impl Fn(&Value) -> bool,
) -> Value {
    let started = Instant::now();
    loop {
        let run = server.get(&format!("/runs/{id}"), token).is(200).json();
        if there(&run) {
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

pub(crate) fn is_over(run: &Value) -> bool {
    !["queued", "running"].contains(&run["state"].as_str().unwrap())
}

pub(crate) fn stored(folder: &Pipeline, database: &str, table: &str) -> u64 {
    let rows = sqlite::query(
        &folder.path(database),
        &format!("SELECT CAST(count(*) AS TEXT) FROM {table}"),
    );
    rows[0][0].clone().unwrap().parse().unwrap()
}

#[test]
fn a_run_is_started_followed_and_reported_without_a_value() {
    let server = server();
    let (token, _) = server.log_in("ada");
    let id = start(&server, &token, "sales");
    let events = server.get(&format!("/runs/{id}/events"), &token).is(200);
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    let events = events.text();
    let last = events.lines().rfind(|l| l.starts_with("data: ")).unwrap();
    let run: Value = serde_json::from_str(last.trim_start_matches("data: ")).unwrap();
    assert_eq!(run["state"], "done", "{events}");
    assert!(events.starts_with("event: run\n"), "{events}");
    assert_eq!((&run["rows"], &run["share"]), (&3.into(), &1.0.into()));
    assert_eq!(stored(&server.folder, "out.db", "sales"), 2);

    let report = server
        .get(&format!("/runs/{id}/report"), &token)
        .is(200)
        .json();
    assert_eq!(report["rows"]["stored"], 2);
    let rejects = server
        .get(&format!("/runs/{id}/rejects?limit=1"), &token)
        .is(200);
    let reject = &rejects.json()["rejects"][0];
    assert_eq!((&reject["row"], &reject["line"]), (&1.into(), &3.into()));
    assert_eq!(reject["violations"][0]["rule"], "required");
    let _ = server
        .get(&format!("/runs/{id}/rejects?after=1"), &token)
        .is(404);

    let metrics = server.get("/metrics", &token).is(200).text();
    for line in [
        "glovebox_runs_total{pipeline=\"sales\",state=\"done\"} 1",
        "glovebox_run_rows_total{pipeline=\"sales\",fate=\"stored\"} 2",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{metrics}");
    }

    let recorded = || {
        let of_this = server.audit().into_iter();
        let of_this = of_this.filter(|e| e["labels.run"] == *id);
        let mut actions: Vec<_> = of_this
            .map(|e| e["event.action"].as_str().unwrap().to_owned())
            .collect();
        actions.sort();
        actions
    };
    // Its end is in the catalog a moment before it is in the log.
    let started = Instant::now();
    while recorded().len() < 6 && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(
        recorded(),
        [
            "run-finished",
            "run-started",
            "secret-used",
            "viewed",
            "viewed",
            "viewed"
        ]
    );
    for text in [
        server.audit_text(),
        server.log(),
        events,
        report.to_string(),
        rejects.text(),
    ] {
        assert!(!text.contains("canary"), "{text}");
    }
}

#[test]
fn the_same_request_made_again_gets_the_same_run() {
    let server = server();
    let (token, _) = server.log_in("ada");
    let key = [("Idempotency-Key", "monday")];
    let ask = |target: &str| post(&server, &token, target, &key);
    let first = ask("/pipelines/sales/runs").is(202);
    let again = ask("/pipelines/sales/runs").is(200);
    assert_eq!(first.json()["id"], again.json()["id"]);
    assert_eq!(first.header("location"), again.header("location"));
    let _ = ask("/pipelines/sales/runs?mode=again").is(422);
    let _ = ask("/pipelines/slow/runs").is(422);
    let twice = [
        ("Idempotency-Key", "monday"),
        ("Idempotency-Key", "tuesday"),
    ];
    let _ = post(&server, &token, "/pipelines/sales/runs", &twice).is(400);
    // One that cannot be read must not count as none.
    for bad in ["", "caf\u{e9}", "a\tb", &"x".repeat(201)] {
        let key = [("Idempotency-Key", bad)];
        let _ = post(&server, &token, "/pipelines/sales/runs", &key).is(400);
    }
    let listed = server.get("/runs?pipeline=sales", &token).is(200).json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
}

#[test]
fn uploaded_rows_are_run_once_and_gone() {
    let server = server();
    let (token, _) = server.log_in("ada");
    let bearer = format!("Bearer {token}");
    let send = |pipeline: &str, body: &[u8]| {
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "text/csv"),
        ];
        server.call(
            "POST",
            &format!("/pipelines/{pipeline}/uploads"),
            &headers,
            body,
        )
    };
    let taken = send("sales", b"id,name\n7,canary-eve\n").is(202).json();
    assert_eq!(taken["upload"], true);
    let id = taken["id"].as_str().unwrap();
    let run = until(&server, &token, id, is_over);
    assert_eq!((&run["state"], &run["rows"]), (&"done".into(), &1.into()));
    assert_eq!(stored(&server.folder, "out.db", "sales"), 1);
    let kept = server.folder.path(&format!("runs/{id}"));
    let gone = || !kept.join("input").exists();
    let since = Instant::now();
    while !gone() && since.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(gone());

    let _ = send("sales", &[b'x'; 1025]).is(413);
    let _ = send("slow", b"id,name\n").is(403);
    let _ = send("nowhere", b"id,name\n").is(404);
    let chunked = format!(
        "POST /pipelines/sales/uploads HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Authorization: {bearer}\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n{}\r\n0\r\n\r\n",
        "x".repeat(2048)
    );
    let _ = glovebox_tests::http::raw(&server.address, chunked.as_bytes()).is(413);
    let names: Vec<_> = fs::read_dir(server.folder.path("runs")).unwrap().collect();
    assert_eq!(
        names.len(),
        1,
        "what was refused leaves something behind: {names:?}"
    );
}

#[test]
fn a_run_is_cancelled_while_it_waits_and_while_it_works() {
    let server = server();
    let (token, _) = server.log_in("ada");
    let (works, waits) = (
        start(&server, &token, "slow"),
        start(&server, &token, "slow"),
    );
    until(&server, &token, &works, |run| {
        run["rows"].as_i64() > Some(0)
    });
    for id in [&waits, &works] {
        let _ = post(&server, &token, &format!("/runs/{id}/cancel"), &[]).is(202);
    }
    for id in [&waits, &works] {
        let run = until(&server, &token, id, is_over);
        assert_eq!(run["state"], "cancelled", "{run}");
    }
    let _ = post(&server, &token, "/runs/run_none/cancel", &[]).is(404);
    let _ = server.get(&format!("/runs/{works}/report"), &token).is(404);
}

#[test]
fn a_run_that_fails_says_why_to_those_who_run_and_to_no_others() {
    let server = server();
    server.user("bob", &["analyst"]);
    let (ada, _) = server.log_in("ada");
    let (bob, _) = server.log_in("bob");
    let id = start(&server, &ada, "broken");
    let run = until(&server, &ada, &id, is_over);
    assert_eq!(run["state"], "failed");
    let problem = run["problem"].as_str().unwrap();
    assert!(problem.contains("cannot read the manifest"), "{problem}");
    let seen = server.get(&format!("/runs/{id}"), &bob).is(200).json();
    assert_eq!(
        (&seen["state"], &seen["problem"]),
        (&"failed".into(), &Value::Null)
    );
}

#[test]
fn a_pipeline_is_hidden_from_roles_that_it_does_not_name() {
    let server = server();
    server.user("olga", &["operator"]);
    let (ada, _) = server.log_in("ada");
    let (olga, _) = server.log_in("olga");
    let id = start(&server, &ada, "inner");
    until(&server, &ada, &id, is_over);
    let names = |token: &str| {
        let list = server.get("/pipelines", token).is(200).json();
        list.as_array().unwrap().len()
    };
    assert_eq!((names(&ada), names(&olga)), (4, 3));
    let _ = post(&server, &olga, "/pipelines/inner/runs", &[]).is(404);
    for path in ["", "/report", "/rejects", "/events"] {
        let _ = server.get(&format!("/runs/{id}{path}"), &olga).is(404);
    }
    let _ = post(&server, &olga, &format!("/runs/{id}/cancel"), &[]).is(404);
    let seen = server.get("/runs", &olga).is(200).json();
    assert_eq!(seen.as_array().unwrap().len(), 0);
}

/// However it was asked for: what is stored may neither stop it nor be stored again.
#[test]
fn a_run_goes_on_when_its_server_was_told_to_stop() {
    for mode in ["fresh", "again"] {
        let server = server();
        let (token, _) = server.log_in("ada");
        let path = format!("/pipelines/slow/runs?mode={mode}");
        let begun = post(&server, &token, &path, &[]).is(202).json();
        let id = begun["id"].as_str().unwrap().to_owned();
        // The tables are there with the first chunk.
        let some = "SELECT CAST(count(*) AS TEXT) FROM sqlite_master WHERE name = 'glovebox_chunk'";
        let is_stored = |server: &Server| {
            let database = server.folder.path("slow.db");
            database.exists() && sqlite::query(&database, some) != [[Some("0".to_owned())]]
        };
        until(&server, &token, &id, |_| is_stored(&server));
        let folder = server.leave("TERM");
        let server = Server::start_in(folder);
        let (token, _) = server.log_in("ada");
        let run = until(&server, &token, &id, is_over);
        assert_eq!(run["state"], "done", "{mode}: {run}");
        assert_eq!(run["starts"], 1, "being told to stop counts as no start");
        let stored = stored(&server.folder, "slow.db", "slow");
        assert_eq!(stored, SLOW_ROWS as u64, "{mode}");
    }
}

/// Rows that were stored by an earlier run are not those that were asked for again.
#[test]
fn a_run_again_adds_its_rows_though_its_server_was_killed_before_the_first() {
    let server = server();
    let (token, _) = server.log_in("ada");
    let first = start(&server, &token, "slow");
    assert_eq!(until(&server, &token, &first, is_over)["state"], "done");
    let path = "/pipelines/slow/runs?mode=again";
    let again = post(&server, &token, path, &[]).is(202).json();
    let again = again["id"].as_str().unwrap().to_owned();
    until(&server, &token, &again, |run| run["state"] != "queued");
    let server = Server::start_in(server.leave("KILL"));
    let (token, _) = server.log_in("ada");
    let run = until(&server, &token, &again, is_over);
    assert_eq!(run["state"], "done", "{run}");
    assert_eq!(
        stored(&server.folder, "slow.db", "slow"),
        2 * SLOW_ROWS as u64
    );
}

#[test]
fn a_run_goes_on_when_its_server_was_killed() {
    let server = server();
    let (token, _) = server.log_in("ada");
    let id = start(&server, &token, "slow");
    until(&server, &token, &id, |run| run["rows"].as_i64() > Some(0));
    let folder = server.leave("KILL");
    let server = Server::start_in(folder);
    let (token, _) = server.log_in("ada");
    let run = until(&server, &token, &id, is_over);
    assert_eq!(run["state"], "done", "{run}\n{}", server.log());
    assert_eq!(run["starts"], 2);
    assert_eq!(stored(&server.folder, "slow.db", "slow"), SLOW_ROWS as u64);
    let folder = server.leave("TERM");
    folder
        .call(&["audit", "verify", "audit"])
        .ends_with(0)
        .prints("audit: intact");
}

#[test]
fn a_proof_is_given_to_the_byte_to_those_who_audit_and_names_the_logs_head() {
    let manifest = format!("{SALES}proof: {{ key: proof }}\n");
    let folder = folder().file("sales.yaml", manifest);
    let key = folder.call(&["proof", "key", "proof", "--secrets", "secrets"]);
    folder.write("public.pem", key.ends_with(0).stdout);
    let server = Server::start_in(folder);
    for (name, role) in [("ada", "admin"), ("otto", "operator"), ("olga", "auditor")] {
        server.user(name, &[role]);
    }
    let (token, _) = server.log_in("ada");
    let id = start(&server, &token, "sales");
    let run = until(&server, &token, &id, is_over);
    assert_eq!(run["state"], "done", "{}", server.log());
    let of = |name: &str| {
        let (token, _) = server.log_in(name);
        server.get(&format!("/runs/{id}/proof"), &token)
    };
    let _ = of("otto").is(403);
    let proof = of("olga").is(200).text();
    assert_eq!(of("ada").is(200).text(), proof);
    assert!(!proof.contains("canary"), "{proof}");
    let report = server.get(&format!("/runs/{id}/report"), &token).is(200);
    assert_eq!(report.json().get("proof"), None);

    server.folder.write("proof.json", &proof);
    let call = |arguments: &[&str]| server.folder.call(arguments).ends_with(0).stdout;
    let with = ["--public-key", "public.pem", "--manifest", "sales.yaml"];
    let _ = call(&[&["proof", "verify", "proof.json"], &with[..]].concat());
    let stated: Value =
        serde_json::from_str(&call(&["proof", "show", "proof.json", "--json"])).unwrap();
    let audit = &stated["predicate"]["audit"];
    let head = format!("{}:{}", audit["record"], audit["hash"].as_str().unwrap());
    let _ = call(&["audit", "verify", "audit", "--head", &head]);

    let slow = start(&server, &token, "broken");
    let _ = until(&server, &token, &slow, is_over);
    let _ = server.get(&format!("/runs/{slow}/proof"), &token).is(404);
}
