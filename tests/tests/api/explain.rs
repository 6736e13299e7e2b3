//! Explained cells over the API: alike to the command's, for whom, and never with a cell.

use std::process::Command;
use std::time::{Duration, Instant};

use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::server::Server;
use serde_json::{Value, json};

use crate::runs::{is_over, start, until};

const CONFIGURATION: &str = "\
limits: { logins-a-minute-by-address: 1000, request-time: 5s }
pipelines:
  people: { manifest: people.yaml, upload: 1 KiB }
  inner: { manifest: people.yaml, roles: [admin] }
  broken: { manifest: nowhere.yaml }
runs: { folder: runs }
";

const PEOPLE: &str = "\
name: people
source: { csv: { path: in.csv } }
columns:
  id: { type: int64 }
  who: { type: text, personal: true, from: name }
  kind: { type: text }
credentials: [{ files: secrets }]
steps:
  - { name: complete, validate: required, reads: [who] }
  - { name: wanted, transform: keep, reads: [kind], with: { column: kind, starts-with: in } }
  - name: alias
    mask: pseudonym
    masks: [who]
    with: { method: hmac-sha256 }
    keys: { pseudonym: salt@2 }
rejects: { path: rejects.jsonl }
proof: { key: proof }
";
const TABLE: &str = "sink: { sqlite: { path: out.db, table: people, mode: replace } }\n";
const FILE: &str = "sink: { csv: { path: out.csv } }\n";

const ROWS: &str = "\
id,name,kind
1,canary-ann,in
2,canary-out,out
canary-no-number,canary-eve,in
4,,in
";

fn folder(sink: &str) -> Pipeline {
    let folder = Server::folder(CONFIGURATION)
        .file("people.yaml", format!("{PEOPLE}{sink}"))
        .file("in.csv", ROWS)
        .file("secrets/salt@2", "a salt of 32 bytes, or there about");
    let key = folder.call(&["proof", "key", "proof", "--secrets", "secrets"]);
    let _ = key.ends_with(0);
    folder
}

fn server(folder: Pipeline) -> Server {
    let server = Server::start_in(folder);
    for (name, role) in [("ada", "admin"), ("otto", "operator"), ("olga", "auditor")] {
        server.user(name, &[role]);
    }
    server
}

fn done(server: &Server, pipeline: &str) -> String {
    let (token, _) = server.log_in("ada");
    let id = start(server, &token, pipeline);
    let run = until(server, &token, &id, is_over);
    assert_eq!(run["state"], "done", "{}", server.log());
    id
}

fn place(run: &str, row: &str, column: &str) -> String {
    format!("/runs/{run}/explain?row={row}&column={column}")
}

#[test]
fn a_cell_is_explained_as_by_the_command_and_each_call_recorded() {
    for sink in [TABLE, FILE] {
        let server = server(folder(sink));
        let id = done(&server, "people");
        let (olga, _) = server.log_in("olga");
        let proof = server.get(&format!("/runs/{id}/proof"), &olga).is(200);
        server.folder.write("proof.json", proof.text());
        for (row, is) in [
            ("0", "stored"),
            ("1", "filtered"),
            ("2", "rejected"),
            ("3", "rejected"),
            ("4", "absent"),
            ("18446744073709551615", "absent"),
        ] {
            let reply = server.get(&place(&id, row, "who"), &olga).is(200);
            let told = reply.json();
            let command = [
                "explain",
                "people.yaml",
                "--row",
                row,
                "--column",
                "who",
                "--json",
                "--proof",
                "proof.json",
            ];
            let printed = server.folder.call(&command).ends_with(0).stdout;
            assert_eq!(
                told,
                serde_json::from_str::<Value>(&printed).unwrap(),
                "{sink}"
            );
            assert_eq!(told["fate"]["is"], is, "{sink} {row}");
            assert_eq!(told["lineage"], "proof");
            assert_eq!(told["column"]["source"], "name");
            let touch = &told["column"]["steps"][0];
            assert_eq!(touch["method"], "hmac-sha256");
            assert_eq!(touch["key"], json!({ "name": "salt", "version": 2 }));
            assert_eq!(touch["may-keep"], "no cell may stay whole");
            assert_eq!(told["steps"][1]["sha256"].as_str().unwrap().len(), 64);
            assert!(!reply.text().contains("canary"), "{}", reply.text());
        }
        let explained = |r: &Value| r["event.action"] == "explained";
        let records: Vec<Value> = server.audit().into_iter().filter(explained).collect();
        assert_eq!(records.len(), 6, "{records:?}");
        for record in &records {
            assert_eq!(record["user.name"], "olga");
            assert_eq!(record["labels.columns"], json!(["who"]));
            assert_eq!(record["labels.run"], id);
        }
        assert!(!server.audit_text().contains("canary") && !server.log().contains("canary"));
    }
}

#[test]
fn others_are_refused_and_what_is_not_there_is_told() {
    let server = server(folder(TABLE));
    let id = done(&server, "people");
    let inner = done(&server, "inner");
    let (admin, _) = server.log_in("ada");
    let broken = start(&server, &admin, "broken");
    let _ = until(&server, &admin, &broken, is_over);
    let (olga, _) = server.log_in("olga");
    let _ = server.get(&place(&id, "0", "who"), "").is(401);
    let (otto, _) = server.log_in("otto");
    let _ = server.get(&place(&id, "0", "who"), &otto).is(403);
    let _ = server.get(&place(&inner, "0", "who"), &olga).is(404);
    let _ = server.get(&place("run_none", "0", "who"), &olga).is(404);
    let early = server.get(&place(&broken, "0", "who"), &olga).is(404);
    assert!(early.text().contains("once it is done"), "{}", early.text());
    for (row, column) in [("", "who"), ("-1", "who"), ("x", "who"), ("0", "")] {
        let _ = server.get(&place(&id, row, column), &olga).is(400);
    }
    let near = server.get(&place(&id, "0", "whom"), &olga).is(422);
    assert!(
        near.text().contains("did you mean `who`?"),
        "{}",
        near.text()
    );
    let other = server.get(&place(&id, "0", "--canary-71"), &olga).is(422);
    assert!(!other.text().contains("canary-71"), "{}", other.text());
    let failures = server.audit().into_iter();
    let failures = failures.filter(|r| r["event.action"] == "explained");
    assert!(failures.clone().all(|r| r["event.outcome"] == "failure"));
    assert_eq!(failures.count(), 3);
    assert!(!server.audit_text().contains("canary-71"));
}

#[test]
fn what_the_run_had_is_told_whatever_the_manifest_and_the_keys_are_now() {
    let server = server(folder(TABLE));
    let id = done(&server, "people");
    let (olga, _) = server.log_in("olga");
    let used = |server: &Server| {
        let records = server.audit().into_iter();
        let used = records.filter(|r| r["event.action"] == "secret-used");
        used.filter(|r| r["labels.key"] == "salt@2").count()
    };
    // The journal knows what became of the row, and the proof the rest: no key is needed.
    let before = used(&server);
    let told = server.get(&place(&id, "3", "who"), &olga).is(200).json();
    assert_eq!(
        (&told["fate"]["known-by"], used(&server)),
        (&json!("journal"), before)
    );
    // One row of the chunk was filtered: the row is read again.
    let told = server.get(&place(&id, "0", "who"), &olga).is(200).json();
    assert_eq!(
        told["fate"],
        json!({ "is": "stored", "known-by": "pipeline" })
    );
    assert_eq!(used(&server), before + 1);

    let changed = format!("{PEOPLE}{TABLE}").replace("salt@2", "salt@3");
    server.folder.write("people.yaml", changed);
    let told = server.get(&place(&id, "3", "who"), &olga).is(200).json();
    assert_eq!(told["column"]["steps"][0]["key"]["version"], 2);
    // The key is not there with which the row could be taken through the steps again.
    let refused = server.get(&place(&id, "0", "who"), &olga).is(422);
    assert!(
        refused.text().contains("a key of it cannot be had"),
        "{}",
        refused.text()
    );
    assert!(!refused.text().contains("salt@3"), "{}", refused.text());
}

#[test]
fn an_uploads_row_is_not_sought_in_the_manifests_source() {
    let server = server(folder(TABLE));
    let (admin, _) = server.log_in("ada");
    let bearer = format!("Bearer {admin}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "text/csv"),
    ];
    let rows = b"id,name,kind\n1,canary-bob,in\n2,canary-cat,out\n3,,in\n";
    let sent = server.call("POST", "/pipelines/people/uploads", &headers, rows);
    let id = sent.is(202).json()["id"].as_str().unwrap().to_owned();
    let _ = until(&server, &admin, &id, is_over);
    for (row, fate) in [
        ("0", "undecided"),
        ("1", "undecided"),
        ("2", "rejected"),
        ("3", "absent"),
    ] {
        let told = server.get(&place(&id, row, "who"), &admin).is(200).json();
        assert_eq!(told["fate"]["is"], fate, "{row} {told}");
        assert_eq!(told["fate"]["known-by"], "journal");
    }
}

/// Explanations that are under way in a folder.
fn under_way(folder: &Pipeline) -> usize {
    let folder = std::fs::canonicalize(folder.folder()).unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ours = processes.filter(|process| {
        let cwd = std::fs::read_link(process.path().join("cwd"));
        let call = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let call = String::from_utf8_lossy(&call).into_owned();
        cwd.is_ok_and(|cwd| cwd == folder) && call.contains("explain")
    });
    ours.count()
}

#[test]
fn few_are_explained_at_once_and_each_ends_with_its_request() {
    let server = server(folder(FILE));
    let id = done(&server, "people");
    // A source that says nothing.
    std::fs::remove_file(server.folder.path("in.csv")).unwrap();
    let mut pipe = Command::new("mkfifo");
    let pipe = pipe.arg(server.folder.path("in.csv")).status().unwrap();
    assert!(pipe.success());
    let (olga, _) = server.log_in("olga");
    std::thread::scope(|scope| {
        let ask = || server.get(&place(&id, "0", "who"), &olga);
        let slow = [scope.spawn(ask), scope.spawn(ask)];
        let started = Instant::now();
        while under_way(&server.folder) < 2 {
            assert!(
                started.elapsed() < Duration::from_secs(4),
                "{}",
                server.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        let busy = ask().is(503);
        assert_eq!(busy.header("retry-after"), Some("1"));
        for asked in slow {
            let _ = asked.join().unwrap().is(504);
        }
    });
    let started = Instant::now();
    while under_way(&server.folder) > 0 {
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "a process was left behind"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    // Their use of keys is recorded all the same.
    let used = || {
        let records = server.audit().into_iter();
        let used = records.filter(|r| r["event.action"] == "secret-used");
        used.filter(|r| r["labels.key"] == "salt@2").count()
    };
    while used() < 3 {
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{}",
            server.audit_text()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
