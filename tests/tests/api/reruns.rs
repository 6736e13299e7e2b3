//! Rejected rows, run once more over the API: after the pipeline was mended, or with the file
//! corrected.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use glovebox_tests::http::Reply;
use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::server::Server;
use serde_json::Value;

use crate::runs::{is_over, post, stored, until};

const CONFIGURATION: &str = "\
limits: { logins-a-minute-by-address: 1000, shutdown: 1 s }
pipelines:
  things: { manifest: things.yaml, upload: 1 MiB }
  others: { manifest: things.yaml, upload: 1 MiB }
  broken: { manifest: nowhere.yaml }
runs: { folder: runs, at-once: 1 }
";

/// Rejects names that are longer than that.
fn manifest(most: u32, method: &str) -> String {
    format!(
        "name: things
source: {{ csv: {{ path: [a.csv, b.csv] }} }}
columns: {{ id: {{ type: int64 }}, name: {{ type: text, personal: true }} }}
credentials: [{{ files: secrets }}]
steps:
  - {{ validate: length, reads: [name], with: {{ max: {most} }} }}
  - mask: pseudonym
    masks: [name]
    with: {{ method: {method} }}
    keys: {{ pseudonym: salt }}
sink: {{ sqlite: {{ path: out.db, table: things, mode: append }} }}
"
    )
}

const FAST: &str = "hmac-sha256";
const SLOW: &str = "pbkdf2-sha256, iterations: 20000";
const A: &str = "id,name\n1,canary-ann\n2,bob\n";
const B: &str = "id,name\n3,eve\n4,canary-dan\n5,canary-ida\n";

fn server_of(a: &str, b: &str) -> Server {
    let folder: Pipeline = Server::folder(CONFIGURATION)
        .file("things.yaml", manifest(5, FAST))
        .file("a.csv", a)
        .file("b.csv", b)
        .file("secrets/salt", "a salt of 32 bytes, or there about");
    let server = Server::start_in(folder);
    server.user("ada", &["admin"]);
    server
}

fn done(server: &Server, token: &str, started: &Reply) -> Value {
    let id = started.json()["id"].as_str().unwrap().to_owned();
    let run = until(server, token, &id, is_over);
    assert_eq!(run["state"], "done", "{run}\n{}", server.log());
    run
}

fn start(server: &Server, token: &str) -> Value {
    let started = post(server, token, "/pipelines/things/runs", &[]).is(202);
    done(server, token, &started)
}

fn rerun(server: &Server, token: &str, of: &Value, headers: &[(&str, &str)]) -> Reply {
    let id = of["id"].as_str().unwrap();
    post(server, token, &format!("/runs/{id}/rejects/runs"), headers)
}

/// A row as often as it is there.
fn distinct(server: &Server) -> u64 {
    stored(&server.folder, "out.db", "(SELECT DISTINCT id FROM things)")
}

#[test]
fn rejects_are_run_again_when_the_pipeline_was_mended_and_every_row_is_there_once() {
    let server = server_of(A, B);
    let (token, _) = server.log_in("ada");
    let first = start(&server, &token);
    assert_eq!(stored(&server.folder, "out.db", "things"), 2);
    let id = first["id"].as_str().unwrap();
    let rejects = server
        .get(&format!("/runs/{id}/rejects"), &token)
        .is(200)
        .json();
    let row = &rejects["rejects"][1];
    let file = row["file"].as_str().unwrap();
    assert_eq!((&row["row"], &row["line"]), (&3.into(), &3.into()));
    assert!(file.ends_with("b.csv"), "{file}");

    server.folder.write("things.yaml", manifest(50, FAST));
    let key = [("Idempotency-Key", "mended")];
    let asked = rerun(&server, &token, &first, &key).is(202);
    assert_eq!(asked.json()["of"], first["id"]);
    let second = done(&server, &token, &asked);
    assert_eq!((&second["rows"], &second["of"]), (&3.into(), &first["id"]));
    let twin = rerun(&server, &token, &first, &key).is(200);
    assert_eq!(twin.json()["id"], second["id"]);
    let _ = rerun(&server, &token, &second, &key).is(409);
    let other = rerun(
        &server,
        &token,
        &first,
        &[("Idempotency-Key", "mended"), ("X", "y")],
    );
    let _ = other.is(200);
    assert_eq!(
        (
            stored(&server.folder, "out.db", "things"),
            distinct(&server)
        ),
        (5, 5)
    );

    // Asked for without a key it is another run, which finds the rows added.
    let again = rerun(&server, &token, &first, &[]).is(202).json();
    let again = until(&server, &token, again["id"].as_str().unwrap(), is_over);
    let problem = again["problem"].as_str().unwrap();
    assert!(
        problem.contains("has already added the rows of this input"),
        "{problem}"
    );
    assert_eq!(stored(&server.folder, "out.db", "things"), 5);

    let report = format!("/runs/{}/report", second["id"].as_str().unwrap());
    let report = server.get(&report, &token).is(200).json();
    assert_eq!(report["rerun"]["passed-over"], 2);
    let counts = ["read", "stored", "rejected"].map(|fate| report["rows"][fate].as_u64());
    assert_eq!(counts, [Some(3), Some(3), Some(0)]);
    let recorded = server.audit();
    let begun = recorded
        .iter()
        .filter(|e| e["event.action"] == "run-started");
    let of_rejects = begun.filter(|e| e["event.reason"] == "rejects");
    assert_eq!(of_rejects.count(), 2);
    for text in [server.audit_text(), server.log(), report.to_string()] {
        assert!(!text.contains("canary"), "{text}");
    }
}

#[test]
fn what_has_no_rejects_to_run_says_so() {
    let server = server_of("id,name\n1,ann\n", "id,name\n");
    let (token, _) = server.log_in("ada");
    let refused = |of: &Value, why: &str| {
        let told = rerun(&server, &token, of, &[]).is(409).json();
        assert_eq!(told["type"], "urn:glovebox:problem:conflict");
        assert!(told["detail"].as_str().unwrap().contains(why), "{told}");
    };
    let clean = start(&server, &token);
    refused(&clean, "rejected no rows");
    let failed = post(&server, &token, "/pipelines/broken/runs", &[]).is(202);
    let waits = post(&server, &token, "/pipelines/things/runs", &[])
        .is(202)
        .json();
    let failed = failed.json()["id"].as_str().unwrap().to_owned();
    let failed = until(&server, &token, &failed, is_over);
    refused(&failed, "did not finish");
    let id = waits["id"].as_str().unwrap();
    let _ = post(&server, &token, &format!("/runs/{id}/cancel"), &[]).is(202);
    until(&server, &token, id, is_over);
    refused(&waits, "did not finish");
    let none = serde_json::json!({ "id": "run_none" });
    let _ = rerun(&server, &token, &none, &[]).is(404);
    server.user("bob", &["analyst"]);
    let (bob, _) = server.log_in("bob");
    let _ = rerun(&server, &bob, &clean, &[]).is(403);
}

#[test]
fn a_corrected_upload_stores_the_rows_that_were_rejected_and_no_others() {
    let server = server_of(A, B);
    let (token, _) = server.log_in("ada");
    let bearer = format!("Bearer {token}");
    let send = |target: &str, body: &str| {
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "text/csv"),
        ];
        server.call("POST", target, &headers, body.as_bytes())
    };
    let first = send("/pipelines/things/uploads", A).is(202);
    let first = done(&server, &token, &first);
    assert_eq!(stored(&server.folder, "out.db", "things"), 1);
    let told = rerun(&server, &token, &first, &[]).is(409).json();
    assert!(
        told["detail"].as_str().unwrap().contains("rejects-of"),
        "{told}"
    );

    let id = first["id"].as_str().unwrap();
    let corrected = A.replace("canary-ann", "ann").replace("bob", "ben");
    let second = send(
        &format!("/pipelines/things/uploads?rejects-of={id}"),
        &corrected,
    );
    let second = done(&server, &token, &second.is(202));
    assert_eq!(
        (&second["rows"], &second["of"], &second["upload"]),
        (&1.into(), &first["id"], &true.into())
    );
    assert_eq!(
        (
            stored(&server.folder, "out.db", "things"),
            distinct(&server)
        ),
        (2, 2)
    );

    // Another upload with rejects of the same numbers has left a list of its own.
    let other = send("/pipelines/things/uploads", &A.replace("bob", "bea"));
    let other = done(&server, &token, &other.is(202));
    let other = other["id"].as_str().unwrap();
    let of_other = send(
        &format!("/pipelines/things/uploads?rejects-of={other}"),
        &corrected,
    );
    done(&server, &token, &of_other.is(202));
    let third = A.replace("canary-ann", "amy");
    let third = send(
        &format!("/pipelines/things/uploads?rejects-of={id}"),
        &third,
    );
    let third = third.is(202).json();
    let third = until(&server, &token, third["id"].as_str().unwrap(), is_over);
    let problem = third["problem"].as_str().unwrap();
    assert!(
        problem.contains("has added 1 rows of this input since"),
        "{problem}"
    );
    assert_eq!(stored(&server.folder, "out.db", "things"), 4);

    let short = send(
        &format!("/pipelines/things/uploads?rejects-of={id}&mode=again"),
        "id,name\n",
    );
    let short = short.is(202).json();
    let short = until(&server, &token, short["id"].as_str().unwrap(), is_over);
    let problem = short["problem"].as_str().unwrap();
    assert!(
        problem.contains("names row 0, but the input has 0 rows"),
        "{problem}"
    );
    for target in [
        format!("/pipelines/others/uploads?rejects-of={id}"),
        "/pipelines/things/uploads?rejects-of=run_none".to_owned(),
    ] {
        let told = send(&target, A).is(404).json();
        assert!(
            told["detail"]
                .as_str()
                .unwrap()
                .contains("no run of this pipeline"),
            "{told}"
        );
    }
    let clean = second["id"].as_str().unwrap();
    let _ = send(&format!("/pipelines/things/uploads?rejects-of={clean}"), A).is(409);
    let left = std::fs::read_dir(server.folder.path("runs")).unwrap();
    let inputs = left.filter(|e| e.as_ref().is_ok_and(|e| e.path().join("input").exists()));
    // The end of the last run is in the catalog a moment before its file is gone.
    assert!(inputs.count() <= 1);
}

#[test]
fn a_run_over_rejects_goes_on_when_its_server_was_killed() {
    const ROWS: usize = 40_000;
    let mut rows = String::from("id,name\n");
    for n in 0..ROWS {
        let name = if n % 10 == 0 {
            String::new()
        } else {
            format!("{n:0>90}")
        };
        let _ = writeln!(rows, "{n},{name}");
    }
    let server = server_of("id,name\n", &rows);
    let (token, _) = server.log_in("ada");
    let first = start(&server, &token);
    assert_eq!(stored(&server.folder, "out.db", "things"), ROWS as u64 / 10);
    server.folder.write("things.yaml", manifest(95, SLOW));
    let asked = rerun(&server, &token, &first, &[]).is(202).json();
    let id = asked["id"].as_str().unwrap();
    let sql =
        "(SELECT * FROM glovebox_chunk JOIN glovebox_run USING (run) WHERE state = 'running')";
    let begun = Instant::now();
    while stored(&server.folder, "out.db", sql) == 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(180),
            "{}",
            server.log()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    let early = rerun(&server, &token, &asked, &[]).is(409).json();
    let why = early["detail"].as_str().unwrap();
    assert!(why.contains("is not over yet"), "{why}");
    let folder = server.leave("KILL");
    let server = Server::start_in(folder);
    let (token, _) = server.log_in("ada");
    let run = until(&server, &token, id, is_over);
    assert_eq!(run["state"], "done", "{run}\n{}", server.log());
    assert_eq!((&run["starts"], &run["of"]), (&2.into(), &first["id"]));
    let all = ROWS as u64;
    assert_eq!(
        (
            stored(&server.folder, "out.db", "things"),
            distinct(&server)
        ),
        (all, all)
    );
    let folder = server.leave("TERM");
    let verified = folder.call(&["audit", "verify", "audit"]).ends_with(0);
    let _ = verified.prints("audit: intact");
}
