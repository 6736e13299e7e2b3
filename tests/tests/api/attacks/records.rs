//! What is recorded of those who only knock, and of those who only look.

use glovebox_tests::server::Server;
use serde_json::{Value, json};

use super::{because, recorded};

fn whole(log: &str, of: impl Fn(&Value) -> bool) -> (usize, u64) {
    let records = log
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap());
    let records: Vec<Value> = records.filter(of).collect();
    let times = records
        .iter()
        .map(|e| e["labels.count"].as_u64().unwrap_or(1));
    (records.len(), times.sum())
}

#[test]
fn calls_without_a_token_are_recorded_and_a_flood_of_them_is_counted() {
    let server =
        Server::start("limits: { requests-a-minute-by-address: 100000 }\nproxies: [127.0.0.1]\n");
    let knock = |client: &str, target: &str, token: Option<&str>| {
        let bearer = format!("Bearer {}", token.unwrap_or_default());
        let mut headers = vec![("X-Forwarded-For", client)];
        if token.is_some() {
            headers.push(("Authorization", bearer.as_str()));
        }
        server.call("GET", target, &headers, b"").is(401)
    };
    let _ = knock("192.0.2.1", "/users/ada", None);
    let first = because(&server, "denied", "no-token");
    assert_eq!(first.len(), 1);
    for (field, value) in [
        ("source.ip", "192.0.2.1"),
        ("http.request.method", "GET"),
        ("url.path", "/users/{name}"),
        ("event.outcome", "failure"),
    ] {
        assert_eq!(first[0][field], value, "{field}");
    }
    // Nor is it unseen where there is nothing to be had.
    for (target, reason) in [
        ("/no/such/route", "not-found"),
        ("/token", "method-not-allowed"),
    ] {
        let headers = [("X-Forwarded-For", "192.0.2.9")];
        let reply = server.call("GET", target, &headers, b"");
        assert_eq!(reply.problem(), reason);
        assert_eq!(because(&server, "denied", reason).len(), 1, "{target}");
    }
    for n in 0..500 {
        // Whatever is asked for, it is one stranger who asks.
        let target = ["/me", "/runs", "/sales", "/users/ada", "/keys"][n % 5];
        let _ = knock("192.0.2.1", target, None);
    }
    for n in 0..200 {
        let _ = knock("192.0.2.1", "/me", Some(&format!("x{n}")));
        // A customer's addresses are one.
        let _ = knock(&format!("2001:db8::{n}"), "/me", None);
    }
    let folder = server.leave("TERM");
    let log = folder.read("audit/audit-0000000001.jsonl");
    let denied = |e: &Value| e["event.action"] == "denied" && e["source.ip"] != "192.0.2.9";
    let (records, times) = whole(&log, denied);
    assert_eq!(times, 901);
    // Three kinds by two strangers; a slow machine may take more than one minute for it.
    assert!(records <= 3 * 11 * 4, "{records} records");
    let (_, of_one) = whole(&log, |e| {
        denied(e) && e["event.reason"] == "no-token" && e["source.ip"] == "192.0.2.1"
    });
    assert_eq!(of_one, 501);
    assert!(
        !log.contains("x199"),
        "what was shown as a token is in the log"
    );
    let verified = folder.call(&["audit", "verify", "audit"]).ends_with(0);
    let _ = verified.prints("audit: intact");
}

#[test]
fn looks_at_runs_users_and_keys_are_recorded_once_a_minute_and_counted() {
    let configuration = "\
limits: { requests-a-minute-by-address: 100000, requests-a-minute-by-user: 100000 }
pipelines: { broken: { manifest: nowhere.yaml } }
";
    let server = Server::start(configuration);
    server.user("ada", &["admin"]);
    server.user("bob", &["analyst"]);
    let (ada, bob) = (server.log_in("ada").0, server.log_in("bob").0);
    let started = super::super::runs::post(&server, &ada, "/pipelines/broken/runs", &[]);
    let id = started.is(202).json()["id"].as_str().unwrap().to_owned();
    for (target, path, field, value) in [
        (
            format!("/runs/{id}"),
            "/runs/{id}",
            "labels.run",
            id.as_str(),
        ),
        (
            format!("/runs/{id}/events"),
            "/runs/{id}/events",
            "labels.run",
            &id,
        ),
        ("/runs".into(), "/runs", "user.name", "bob"),
        ("/pipelines".into(), "/pipelines", "user.name", "bob"),
        ("/me".into(), "/me", "user.name", "bob"),
        ("/keys".into(), "/keys", "user.name", "bob"),
        ("/datasets".into(), "/datasets", "user.name", "bob"),
    ] {
        let _ = server.get(&target, &bob).is(200);
        let looks = recorded(&server, "viewed").into_iter();
        let looks: Vec<_> = looks.filter(|e| e["url.path"] == path).collect();
        assert_eq!(looks.len(), 1, "{target}");
        assert_eq!(
            (&looks[0][field], &looks[0]["user.name"]),
            (&json!(value), &json!("bob"))
        );
        assert_eq!(looks[0]["source.ip"], "127.0.0.1");
    }
    for (target, path) in [
        ("/users", "/users"),
        ("/users/bob", "/users/{name}"),
        ("/users/bob/keys", "/users/{name}/keys"),
        ("/metrics", "/metrics"),
    ] {
        let _ = server.get(target, &ada).is(200);
        let looks = recorded(&server, "viewed").into_iter();
        let looks: Vec<_> = looks.filter(|e| e["url.path"] == path).collect();
        assert_eq!(looks.len(), 1, "{target}");
        if path.contains("{name}") {
            assert_eq!(looks[0]["user.target.name"], "bob");
        }
    }
    // What is refused is a record as well, each time.
    let _ = server.get("/users/nobody", &ada).is(404);
    let _ = server.get("/users", &bob).is(403);
    let _ = server.get("/users", &bob).is(403);
    assert_eq!(because(&server, "denied", "not-found").len(), 1);
    assert_eq!(because(&server, "denied", "role").len(), 2);
    // Whoever looks twice a second does not fill the disk.
    for _ in 0..300 {
        let _ = server.get(&format!("/runs/{id}"), &bob).is(200);
    }
    let folder = server.leave("TERM");
    let log = folder.read("audit/audit-0000000001.jsonl");
    let looks = |e: &Value| e["url.path"] == "/runs/{id}" && e["user.name"] == "bob";
    let (records, times) = whole(&log, looks);
    assert_eq!(times, 301);
    assert!(records <= 8, "{records} records");
}
