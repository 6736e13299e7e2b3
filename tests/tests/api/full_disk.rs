//! A disk that is full in the middle of serving: what cannot be recorded is neither answered nor
//! done, and it goes on when there is room.

use std::time::{Duration, Instant};

use glovebox_tests::http::Reply;
use glovebox_tests::server::Server;
use glovebox_tests::sqlite;
use glovebox_tests::torture::Room;
use serde_json::json;

const CONFIGURATION: &str = "\
limits:
  requests-a-minute-by-address: 100000
  requests-a-minute-by-user: 100000
  logins-a-minute-by-address: 1000
pipelines:
  sales: { manifest: sales.yaml }
datasets:
  sales:
    sqlite: { path: sales.db, table: sales }
    columns: { product: { type: text } }
";
/// Far more than fits into the pages that a file has already.
const MOST: usize = 2_000;

fn refused(reply: &Reply) {
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert_eq!(reply.problem(), "not-audited");
    let wait = reply.header("retry-after").and_then(|s| s.parse().ok());
    assert!(wait > Some(0), "{:?}", reply.headers);
    assert!(!reply.text().contains("canary"), "{}", reply.text());
}

#[test]
fn a_full_disk_stops_answers_and_deeds_until_there_is_room() {
    let folder = Server::folder(CONFIGURATION)
        .file("sales.db", "")
        .file("audit/here", "");
    sqlite::execute(
        &folder.path("sales.db"),
        "CREATE TABLE sales (product TEXT); INSERT INTO sales VALUES ('canary tea')",
    );
    let room = Room::over(&folder.path("audit"));
    let room = room.expect("this test mounts a tmpfs; run it as root, or in `unshare -mr`");
    let server = Server::start_in(folder);
    server.user("ada", &["admin"]);
    let (token, refresh) = server.log_in("ada");
    let rows = || server.get("/sales", &token);
    let mut answered = 0;
    let _ = rows().is(200);
    answered += 1;

    assert!(room.leave(0));
    // What has a page already goes into it.
    let first = loop {
        let reply = rows();
        if reply.status != 200 {
            break reply;
        }
        answered += 1;
        assert!(answered < MOST, "a full disk takes records without end");
    };
    refused(&first);
    for _ in 0..20 {
        refused(&rows());
    }
    refused(&server.token(&[("username", "ada"), ("password", "wrong password 1")]));
    let again = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
    ];
    refused(&server.token(&again));
    refused(&server.get("/sales", "no.such.token"));
    refused(&server.get("/users", &token));
    let post = |target: &str, body| server.send("POST", target, &token, &body);
    let eve = json!({ "name": "eve", "password": "correct horse battery", "roles": ["analyst"] });
    refused(&post("/users", eve));
    refused(&post("/keys", json!({ "label": "unseen", "days": 1 })));
    refused(&server.send(
        "PATCH",
        "/users/ada",
        &token,
        &json!({ "password": "another one 123" }),
    ));
    refused(&post("/pipelines/sales/runs", json!({})));
    refused(&post("/logout", json!({})));
    refused(&server.get("/readyz", &token));
    let _ = server.get("/healthz", &token).is(200);

    assert!(room.leave(1 << 20));
    let since = Instant::now();
    while rows().status != 200 {
        assert!(
            since.elapsed() < Duration::from_secs(120),
            "{}",
            server.log()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    answered += 1;
    let _ = server.get("/readyz", &token).is(200);
    // Nothing of what was refused was done.
    let _ = server.get("/users/eve", &token).is(404);
    for nothing in ["/keys", "/runs"] {
        let made = server.get(nothing, &token).is(200).json();
        assert_eq!(made, json!([]), "{nothing}");
    }
    let _ = server.log_in("ada");
    let _ = server.token(&again).is(200);

    let folder = server.leave("TERM");
    let log = folder.read("audit/audit-0000000001.jsonl");
    let is_read = |line: &&str| {
        line.contains("\"event.action\":\"data-read\"")
            && line.contains("\"event.outcome\":\"success\"")
    };
    let recorded = log.lines().filter(is_read).count();
    assert!(
        recorded >= answered,
        "{recorded} of {answered} answers are recorded"
    );
    assert!(!log.contains("canary"));
    let verified = folder.call(&["audit", "verify", "audit"]).ends_with(0);
    let _ = verified.prints("audit: intact");
    drop(room);
}
