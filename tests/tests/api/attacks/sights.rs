//! What the server says of itself: its description, counts, and what runs have left.

use glovebox_tests::http::Reply;
use glovebox_tests::server::Server;
use glovebox_tests::sqlite;
use serde_json::{Value, json};

use super::super::runs::{is_over, until};
use super::{because, recorded};

const CONFIGURATION: &str = "\
roles: { partner: [data], scraper: [metrics], helpdesk: [users] }
limits: { logins-a-minute-by-address: 1000 }
pipelines:
  sales: { manifest: sales.yaml }
  vault: { manifest: sales.yaml, roles: [admin] }
datasets:
  vault:
    sqlite: { path: in.db, table: sales }
    columns: { product: { type: text }, hidden_one: { type: text } }
    roles: { admin: {} }
  takings:
    sqlite: { path: in.db, table: sales }
    columns: { product: { type: text }, hidden_one: { type: text } }
    roles: { admin: {}, analyst: { columns: [product], rows-at-most: 77 }, partner: {} }
";

fn server() -> Server {
    let manifest = super::super::runs::SALES.replace("name:", "hidden_one:");
    let manifest = manifest.replacen("hidden_one: sales", "name: sales", 1);
    let manifest = manifest.replace("[name]", "[hidden_one]");
    let folder = Server::folder(CONFIGURATION)
        .file("in.db", "")
        .file("sales.yaml", manifest)
        .file("in.csv", "id,hidden_one\n1,ann\n2,\n")
        .file("secrets/salt", "a salt of 32 bytes, or there about");
    let table = "CREATE TABLE sales (product TEXT, hidden_one TEXT)";
    sqlite::execute(&folder.path("in.db"), table);
    let server = Server::start_in(folder);
    for role in [
        "admin", "analyst", "partner", "auditor", "operator", "scraper", "helpdesk",
    ] {
        server.user(role, &[role]);
    }
    server
}

fn paths(document: &Value) -> Vec<String> {
    document["paths"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

#[test]
fn the_description_is_of_what_the_caller_may_see() {
    let server = server();
    let token = |role: &str| server.log_in(role).0;
    let ask = |target: &str, token: &str| -> Reply {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str())];
        let headers = if token.is_empty() { &[][..] } else { &headers };
        server.call("GET", target, headers, b"").is(200)
    };
    let public = ask("/openapi.json", "");
    let known = [
        "/.well-known/jwks.json",
        "/docs",
        "/healthz",
        "/openapi.json",
        "/readyz",
        "/token",
    ];
    assert_eq!(paths(&public.json()), known);
    assert_eq!(public.header("cache-control"), Some("public, max-age=60"));
    for (role, sees, not) in [
        (
            "",
            &["/token"][..],
            &[
                "vault",
                "takings",
                "hidden_one",
                "NewUser",
                "/users",
                "/runs",
                "partner",
            ][..],
        ),
        (
            "scraper",
            &["/metrics", "/me"],
            &[
                "vault",
                "takings",
                "hidden_one",
                "NewUser",
                "/runs",
                "partner",
            ],
        ),
        (
            "analyst",
            &["/takings", "/runs", "77"],
            &[
                "vault",
                "hidden_one",
                "NewUser",
                "/users",
                "/cancel",
                "partner",
            ],
        ),
        (
            "partner",
            &["/takings", "hidden_one"],
            &["vault", "NewUser", "/runs", "\"77\"", "helpdesk"],
        ),
        (
            "helpdesk",
            &["/users", "NewUser", "partner"],
            &["vault", "takings", "hidden_one", "/runs"],
        ),
        (
            "admin",
            &["/vault", "/takings", "hidden_one", "/users", "/runs"],
            &[],
        ),
    ] {
        let token = if role.is_empty() {
            String::new()
        } else {
            token(role)
        };
        for target in ["/openapi.json", "/docs"] {
            let reply = ask(target, &token);
            let text = reply.text();
            for word in sees
                .iter()
                .filter(|w| target != "/docs" || w.starts_with('/'))
            {
                assert!(text.contains(word), "{role}: {target} lacks {word}");
            }
            for word in not {
                assert!(!text.contains(word), "{role}: {target} shows {word}");
            }
            if !role.is_empty() {
                assert_eq!(reply.header("cache-control"), Some("no-store"), "{role}");
            }
            assert_eq!(reply.header("vary"), Some("Authorization"));
        }
    }
    // A key sees what it may use, and does not see what a login is needed for.
    let admin = token("admin");
    let make = json!({ "label": "k", "roles": ["admin"], "days": 1 });
    let made = server.send("POST", "/keys", &admin, &make).is(201).json();
    let document = ask("/openapi.json", made["token"].as_str().unwrap()).json();
    assert!(document["paths"]["/users"]["get"].is_object());
    assert_eq!(document["paths"]["/users"]["post"], Value::Null);
    // A bad token is not none.
    for bad in ["x", "gbk_x", "a.b.c"] {
        let _ = server.get("/openapi.json", bad).is(401);
        let _ = server.get("/docs", bad).is(401);
    }
    assert_eq!(because(&server, "denied", "unauthorized").len(), 6);
}

#[test]
fn counts_and_what_runs_leave_name_only_what_the_caller_may_see() {
    let server = server();
    let token = |role: &str| server.log_in(role).0;
    let admin = token("admin");
    let _ = server.get("/vault", &admin).is(200);
    let _ = server.get("/takings", &admin).is(200);
    let run = |pipeline: &str| {
        let target = format!("/pipelines/{pipeline}/runs?mode=again");
        let started = server
            .send("POST", &target, &admin, &json!({}))
            .is(202)
            .json();
        let id = started["id"].as_str().unwrap().to_owned();
        until(&server, &admin, &id, is_over);
        id
    };
    let (sales, vault) = (run("sales"), run("vault"));
    let seen = server.get("/metrics", &admin).is(200).text();
    for label in [
        "dataset=\"vault\"",
        "route=\"/vault\"",
        "pipeline=\"vault\"",
    ] {
        assert!(seen.contains(label), "{seen}");
    }
    for role in ["scraper", "operator"] {
        let seen = server.get("/metrics", &token(role)).is(200).text();
        assert!(!seen.contains("vault"), "{role}: {seen}");
        assert!(!seen.contains("dataset=\"takings\""), "{role}: {seen}");
        assert!(seen.contains("dataset=\"(hidden)\""), "{role}: {seen}");
        assert!(seen.contains("pipeline=\"(hidden)\""), "{role}: {seen}");
    }
    // Who runs it sees which column it was; who only watches, if a dataset shows it to them.
    for (role, shown) in [
        ("operator", true),
        ("admin", true),
        ("analyst", false),
        ("auditor", false),
    ] {
        let token = token(role);
        let report = server.get(&format!("/runs/{sales}/report"), &token).is(200);
        let rejects = server
            .get(&format!("/runs/{sales}/rejects"), &token)
            .is(200);
        assert_eq!(
            rejects.json()["rejects"][0]["violations"][0]["rule"],
            "required"
        );
        for text in [report.text(), rejects.text()] {
            assert_eq!(text.contains("hidden_one"), shown, "{role}: {text}");
        }
        if role != "admin" {
            for path in ["", "/report", "/rejects", "/events"] {
                let hidden = server.get(&format!("/runs/{vault}{path}"), &token).is(404);
                let absent = server.get(&format!("/runs/run_none{path}"), &token).is(404);
                assert_eq!(hidden.text(), absent.text());
            }
            for list in ["/runs", "/pipelines"] {
                let listed = server.get(list, &token).is(200).text();
                assert!(!listed.contains("vault"), "{role}: {listed}");
            }
        }
    }
    assert!(recorded(&server, "denied").len() >= 24);
}
