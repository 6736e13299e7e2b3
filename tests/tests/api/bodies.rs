//! What is said of a request that does not fit: where, and what is due there; never what it held.

use glovebox_tests::http::Reply;
use glovebox_tests::server::{PASSWORD, Server};
use serde_json::{Value, json};

/// What stands for a value of a client's, wherever one may be.
const CANARY: &str = "canary 5f";

fn server() -> (Server, String) {
    let server = Server::start("pipelines: { sales: { manifest: s.yaml, upload: 1 KiB } }\n");
    server.user("ada", &["admin"]);
    let (token, _) = server.log_in("ada");
    (server, token)
}

/// The parts that are pointed at, and that the first of them is in the detail.
#[track_caller]
fn parts(reply: &Reply) -> Vec<String> {
    let told = reply.json();
    assert!(!reply.text().contains(CANARY), "{}", reply.text());
    let errors = told["errors"].as_array().cloned().unwrap_or_default();
    let parts: Vec<String> = errors
        .iter()
        .map(|error| {
            assert!(!error["detail"].as_str().unwrap().is_empty());
            let part = ["pointer", "parameter", "header"].map(|part| error[part].as_str());
            part.into_iter().flatten().collect()
        })
        .collect();
    let detail = told["detail"].as_str().unwrap_or_default();
    let first = parts.first().cloned().unwrap_or_default();
    assert!(detail.contains(&first), "{}", reply.text());
    parts
}

#[test]
fn every_part_of_a_body_that_does_not_fit_is_pointed_at() {
    let (server, token) = server();
    let name = json!("grace");
    for (method, path, body, status, at) in [
        ("POST", "/users", json!([CANARY]), 400, &["#"][..]),
        (
            "POST",
            "/users",
            json!({ "name": CANARY, "password": "canary 5f", "roles": [] }),
            400,
            &["#/name", "#/password", "#/roles"],
        ),
        (
            "POST",
            "/users",
            json!({ "name": name, "password": PASSWORD, "roles": ["admin", 7] }),
            400,
            &["#/roles/1"],
        ),
        (
            "POST",
            "/users",
            json!({ "name": name, "password": PASSWORD, "roles": ["admin", CANARY] }),
            422,
            &["#/roles/1"],
        ),
        (
            "POST",
            "/users",
            json!({ "name": "ada", "password": PASSWORD, "roles": ["admin"] }),
            409,
            &["#/name"],
        ),
        (
            "PATCH",
            "/users/ada",
            json!({ "disable": true }),
            400,
            &["#/disable"],
        ),
        ("PATCH", "/users/ada", json!({ CANARY: true }), 400, &["#"]),
        (
            "PATCH",
            "/users/ada",
            json!({ "roles": [CANARY] }),
            403,
            &[],
        ),
        ("POST", "/keys", json!({}), 400, &["#/days", "#/label"]),
        (
            "POST",
            "/keys",
            json!({ "label": "x", "days": 367 }),
            400,
            &["#/days"],
        ),
        (
            "POST",
            "/keys",
            json!({ "label": "x", "days": CANARY }),
            400,
            &["#/days"],
        ),
    ] {
        let reply = server.send(method, path, &token, &body).is(status);
        assert!(!reply.problem().is_empty());
        let mut found = parts(&reply);
        found.sort();
        assert_eq!(found, at, "{body}: {}", reply.text());
    }
    let bearer = format!("Bearer {token}");
    let send = |kind: &str, body: &str| {
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", kind)];
        server.call("POST", "/users", &headers, body.as_bytes())
    };
    let broken = send("application/json", "{\"name\": \"canary 5f\",\n oops").is(400);
    assert!(
        broken.text().contains("line 2, column 2"),
        "{}",
        broken.text()
    );
    let empty = send("application/json", "").is(400);
    assert!(empty.text().contains("The body is empty"));
    let other = send("text/plain", "{}").is(415);
    assert!(
        other.text().contains("application/json"),
        "{}",
        other.text()
    );
    for reply in [broken, other] {
        assert!(!reply.text().contains("canary"), "{}", reply.text());
    }
}

#[test]
fn parameters_and_headers_that_do_not_fit_are_named() {
    let (server, token) = server();
    let bearer = format!("Bearer {token}");
    let call = |method, target, more: &[(&str, &str)]| {
        let headers = [&[("Authorization", bearer.as_str())], more].concat();
        server.call(method, target, &headers, b"").is(400)
    };
    for (method, target, more, part) in [
        ("GET", "/runs?limit=0", &[][..], "limit"),
        ("GET", "/runs?limit=canary+5f", &[], "limit"),
        ("GET", "/runs?state=canary+5f", &[], "state"),
        ("GET", "/users?after=canary+5f", &[], "after"),
        ("POST", "/pipelines/sales/runs?mode=canary+5f", &[], "mode"),
        (
            "POST",
            "/pipelines/sales/runs",
            &[("Idempotency-Key", "")],
            "Idempotency-Key",
        ),
    ] {
        let reply = call(method, target, more);
        assert_eq!(parts(&reply), [part], "{}", reply.text());
    }
    let said = call("GET", "/runs?state=over", &[]).text();
    assert!(said.contains("queued, running, done"), "{said}");
}

#[test]
fn a_file_in_a_form_is_told_how_to_be_sent() {
    let (server, token) = server();
    let bearer = format!("Bearer {token}");
    let send = |kind: &str| {
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", kind)];
        let body = b"--x\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nid\r\n--x--\r\n";
        server.call("POST", "/pipelines/sales/uploads", &headers, body)
    };
    for form in [
        "multipart/form-data; boundary=x",
        "Multipart/Mixed; boundary=x",
    ] {
        let reply = send(form).is(415);
        let said = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            said.contains("as the body") && said.contains("application/octet-stream"),
            "{said}"
        );
    }
    // Nothing was begun, and the same bytes as a file are one.
    let runs = server.get("/runs", &token).is(200).json();
    assert_eq!(runs, json!([]));
    for file in [
        "application/octet-stream",
        "text/csv",
        "application/x-www-form-urlencoded",
    ] {
        let _ = send(file).is(202);
    }
}

#[test]
fn times_are_rfc_3339_wherever_there_is_one() {
    let (server, token) = server();
    let key = json!({ "label": "x", "days": 1 });
    let _ = server.send("POST", "/keys", &token, &key).is(201);
    let headers = [("Authorization", &*format!("Bearer {token}"))];
    let run = server
        .call("POST", "/pipelines/sales/runs", &headers, b"")
        .is(202);
    let form = regex::Regex::new(r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$").unwrap();
    let mut times = 0;
    let mut look = |of: &Value| {
        for name in ["created", "started", "ended", "expires"] {
            if let Some(time) = of.get(name).filter(|t| !t.is_null()) {
                let text = time.as_str().unwrap_or_else(|| panic!("{name}: {time}"));
                assert!(form.is_match(text), "{name}: {text}");
                times += 1;
            }
        }
    };
    look(&run.json());
    look(&server.get("/me", &token).is(200).json()["user"]);
    look(&server.get("/users", &token).is(200).json()[0]);
    look(&server.get("/keys", &token).is(200).json()[0]);
    assert!(times >= 5, "{times}");
    let document = server.get("/openapi.json", &token).is(200).json();
    let schemas = &document["components"]["schemas"];
    for (name, member) in [
        ("Account", "created"),
        ("Key", "expires"),
        ("RunInfo", "ended"),
    ] {
        assert_eq!(
            schemas[name]["properties"][member]["format"], "date-time",
            "{name}"
        );
    }
}
