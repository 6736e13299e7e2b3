//! Encrypted values over the API: for whom, why, and what is written of that before it is answered.

use glovebox_tests::server::Server;
use glovebox_tests::sqlite;
use serde_json::{Value, json};

const CANARY: &str = "canary-41be";

const CONFIGURATION: &str = "\
limits: { logins-a-minute-by-address: 1000 }
pipelines:
  people: { manifest: people.yaml }
  inner: { manifest: people.yaml, roles: [admin] }
  broken: { manifest: nowhere.yaml }
runs: { folder: runs }
";

const PEOPLE: &str = "\
name: people
source: { csv: { path: in.csv } }
columns:
  email: { type: text, personal: true }
  hashed: { type: text, personal: true }
  called: { type: text, personal: true }
credentials: [{ files: secrets }]
steps:
  - { name: siv, mask: encrypt, masks: [email], with: { method: aes-siv }, keys: { encrypt: app/key@1 } }
  - { name: hash, mask: pseudonym, masks: [hashed], with: { method: hmac-sha256 }, keys: { pseudonym: app/key@1 } }
  - name: tokens
    mask: tokenize
    masks: [called]
    keys: { tokenize: app/key@1 }
    tokens:
      officers:
        - x25519:q1oJpHIQo_HVJhNL6OVpTqV-s7RWardD1tMKfgGdWdk=
        - x25519:mDlLLmwiv0XLflYB8fTtIJmZ7OE81z2GjvVT9tfzdrk=
sink: { sqlite: { path: out.db, table: people, mode: replace } }
rejects: { path: rejects.jsonl }
";

fn server() -> (Server, String) {
    let folder = Server::folder(CONFIGURATION)
        .file("people.yaml", PEOPLE)
        .file(
            "in.csv",
            format!("email,hashed,called\n{CANARY}@example.org,x,y\n"),
        );
    let key = ["key", "--files", "secrets", "new", "app/key"];
    let _ = folder.call(&key).ends_with(0);
    let _ = folder.call(&["run", "people.yaml"]).ends_with(0);
    let rows = sqlite::query(&folder.path("out.db"), "SELECT email FROM people");
    let server = Server::start_in(folder);
    server.user("ada", &["admin"]);
    server.user("otto", &["officer"]);
    (server, rows[0][0].clone().unwrap())
}

fn records(server: &Server) -> Vec<Value> {
    let log = server.folder.read("audit/audit-0000000001.jsonl");
    let records = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let revealed = records.filter(|r: &Value| r["event.action"] == "revealed");
    revealed.collect()
}

#[test]
fn an_officer_gets_cells_back_for_a_reason_and_it_is_recorded() {
    let (server, value) = server();
    let (token, _) = server.log_in("otto");
    let ask =
        json!({ "column": "email", "values": [value, "altered", value], "reason": "ticket 17" });
    let answer = server.send("POST", "/pipelines/people/reveal", &token, &ask);
    let cell = format!("{CANARY}@example.org");
    assert_eq!(
        answer.is(200).json(),
        json!({ "cells": [cell, null, cell] })
    );
    let records = records(&server);
    let [record] = records.as_slice() else {
        panic!("{records:?}")
    };
    assert_eq!(record["event.outcome"], "success");
    assert_eq!(record["labels.rows"], 2);
    assert_eq!(record["labels.because"], "ticket 17");
    assert_eq!(record["labels.key"], "app/key@1");
    assert_eq!(record["labels.columns"], json!(["email"]));
    assert_eq!(record["user.name"], "otto");
    assert!(!record.to_string().contains(CANARY));
    assert!(!server.log().contains(CANARY));
}

#[test]
fn nobody_else_does_and_what_cannot_be_undone_is_said() {
    let (server, value) = server();
    let ask = |column: &str| json!({ "column": column, "values": [value], "reason": "ticket 17" });
    let (admin, _) = server.log_in("ada");
    let send = |token: &str, pipeline: &str, ask: &Value| {
        server.send("POST", &format!("/pipelines/{pipeline}/reveal"), token, ask)
    };
    // Who runs a server gives the right to somebody else: by the command line.
    let _ = send(&admin, "people", &ask("email")).is(403);
    let roles = json!({ "roles": ["admin", "officer"] });
    let _ = server.send("PATCH", "/users/ada", &admin, &roles).is(403);
    let (officer, _) = server.log_in("otto");
    let _ = send(&officer, "inner", &ask("email")).is(404);
    let _ = send(&officer, "nowhere", &ask("email")).is(404);
    let hashed = send(&officer, "people", &ask("hashed")).is(422);
    assert!(
        hashed.text().contains("hmac-sha256, which nothing undoes"),
        "{}",
        hashed.text()
    );
    let tokens = send(&officer, "people", &ask("called")).is(422);
    let told = "two officers open together, with `glovebox reveal`";
    assert!(tokens.text().contains(told), "{}", tokens.text());
    let other = send(&officer, "people", &ask(CANARY)).is(422);
    assert!(!other.text().contains(CANARY), "{}", other.text());
    let broken = send(&officer, "broken", &ask("email")).is(422);
    assert!(!broken.text().contains("nowhere.yaml"), "{}", broken.text());
    let _ = send(
        &officer,
        "people",
        &json!({ "column": "email", "values": [value] }),
    )
    .is(400);
    let nothing = send(
        &officer,
        "people",
        &json!({ "column": "email", "values": ["x"], "reason": "r" }),
    );
    assert_eq!(nothing.is(200).json(), json!({ "cells": [null] }));
    let failures = records(&server);
    assert!(failures.len() >= 5 && failures.iter().all(|r| r["event.outcome"] == "failure"));
}
