//! The table of roles and routes, cell by cell, over what the server itself describes.

use std::collections::BTreeMap;

use glovebox_tests::server::Server;
use serde_json::{Value, json};

const CONFIGURATION: &str = "\
roles: { partner: [data], scraper: [metrics] }
limits: { logins-a-minute-by-address: 1000 }
datasets:
  sales:
    sqlite: { path: sales.db, table: sales }
    columns: { product: { type: text } }
  inner:
    sqlite: { path: sales.db, table: sales }
    columns: { product: { type: text } }
    roles: { admin: {}, analyst: {} }
";

/// Everybody: nobody, users by role, and an administrator's API key.
const ALL: [&str; 9] = [
    "nobody", "admin", "operator", "analyst", "auditor", "officer", "partner", "scraper", "key",
];

/// Who gets past the gate of each route; a row for each, or the test fails.
const TABLE: &[(&str, &[&str])] = &[
    ("POST /token", &ALL),
    (
        "POST /logout",
        &[
            "admin", "operator", "analyst", "auditor", "officer", "partner", "scraper",
        ],
    ),
    (
        "GET /me",
        &[
            "admin", "operator", "analyst", "auditor", "officer", "partner", "scraper", "key",
        ],
    ),
    (
        "GET /keys",
        &[
            "admin", "operator", "analyst", "auditor", "officer", "partner", "scraper", "key",
        ],
    ),
    (
        "POST /keys",
        &[
            "admin", "operator", "analyst", "auditor", "officer", "partner", "scraper",
        ],
    ),
    (
        "DELETE /keys/{id}",
        &[
            "admin", "operator", "analyst", "auditor", "officer", "partner", "scraper",
        ],
    ),
    ("GET /users", &["admin", "key"]),
    ("POST /users", &["admin"]),
    ("GET /users/{name}", &["admin", "key"]),
    ("PATCH /users/{name}", &["admin"]),
    ("DELETE /users/{name}/sessions", &["admin"]),
    ("GET /users/{name}/keys", &["admin", "key"]),
    ("DELETE /users/{name}/keys", &["admin"]),
    ("DELETE /users/{name}/keys/{id}", &["admin"]),
    ("GET /datasets", &["admin", "analyst", "partner", "key"]),
    ("GET /sales", &["admin", "analyst", "partner", "key"]),
    ("GET /inner", &["admin", "analyst", "key"]),
    (
        "GET /pipelines",
        &["admin", "operator", "analyst", "auditor", "officer", "key"],
    ),
    ("POST /pipelines/{name}/runs", &["admin", "operator", "key"]),
    (
        "POST /pipelines/{name}/uploads",
        &["admin", "operator", "key"],
    ),
    ("POST /pipelines/{name}/reveal", &["officer"]),
    (
        "GET /runs",
        &["admin", "operator", "analyst", "auditor", "officer", "key"],
    ),
    (
        "GET /runs/{id}",
        &["admin", "operator", "analyst", "auditor", "officer", "key"],
    ),
    (
        "GET /runs/{id}/events",
        &["admin", "operator", "analyst", "auditor", "officer", "key"],
    ),
    ("POST /runs/{id}/cancel", &["admin", "operator", "key"]),
    (
        "GET /runs/{id}/report",
        &["admin", "operator", "analyst", "auditor", "officer", "key"],
    ),
    ("GET /runs/{id}/proof", &["admin", "auditor", "key"]),
    ("GET /runs/{id}/explain", &["admin", "auditor", "key"]),
    (
        "GET /runs/{id}/rejects",
        &["admin", "operator", "analyst", "auditor", "officer", "key"],
    ),
    (
        "POST /runs/{id}/rejects/runs",
        &["admin", "operator", "key"],
    ),
    ("GET /metrics", &["admin", "operator", "scraper", "key"]),
    ("GET /healthz", &ALL),
    ("GET /readyz", &ALL),
    ("GET /.well-known/jwks.json", &ALL),
    ("GET /openapi.json", &ALL),
    ("GET /docs", &ALL),
];

#[test]
fn every_cell_of_the_table_is_as_it_says() {
    let folder = Server::folder(CONFIGURATION).file("sales.db", "");
    glovebox_tests::sqlite::execute(
        &folder.path("sales.db"),
        "CREATE TABLE sales (product TEXT); INSERT INTO sales VALUES ('Halal Tea')",
    );
    let server = Server::start_in(folder);
    for role in ALL.iter().filter(|r| !["nobody", "key"].contains(r)) {
        server.user(role, &[role]);
    }
    let (admin, _) = server.log_in("admin");
    let made = server.send("POST", "/keys", &admin, &json!({ "label": "k", "days": 1 }));
    let key = made.is(201).json()["token"].as_str().unwrap().to_owned();

    // No role has all permissions, and a description has what its reader may call.
    server.user("both", &["admin", "officer"]);
    let (both, _) = server.log_in("both");
    let document = server.get("/openapi.json", &both).is(200).json();
    let mut table: BTreeMap<&str, &[&str]> = TABLE.iter().copied().collect();
    let mut cells = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let route = format!("{} {path}", method.to_uppercase());
            let allowed = table
                .remove(route.as_str())
                .unwrap_or_else(|| panic!("{route} has no row in this test's table"));
            for role in ALL {
                let token = match role {
                    "nobody" => String::new(),
                    "key" => key.clone(),
                    // Its own, since one of the routes ends it.
                    user => server.log_in(user).0,
                };
                let status = call(&server, method, path, operation, &token);
                // A dataset that somebody may not see is none to them.
                let refused: &[u16] = match route == "GET /inner" {
                    true => &[401, 403, 404],
                    false => &[401, 403],
                };
                let passed =
                    !refused.contains(&status) || (route == "POST /token" && status == 401);
                assert_eq!(passed, allowed.contains(&role), "{role}: {route}: {status}");
                let documented = operation["responses"].get(status.to_string());
                assert!(
                    documented.is_some(),
                    "{route} answers {status}, which is not described"
                );
                cells += 1;
            }
        }
    }
    assert!(table.is_empty(), "not described: {:?}", table.keys());
    assert_eq!(cells, TABLE.len() * ALL.len());
}

fn call(server: &Server, method: &str, path: &str, operation: &Value, token: &str) -> u16 {
    let target = path
        .replace("{id}", "key_none")
        .replace("{name}", "nobody-such");
    let bearer = format!("Bearer {token}");
    let mut headers = vec![];
    if !token.is_empty() {
        headers.push(("Authorization", bearer.as_str()));
    }
    let content = operation["requestBody"]["content"].as_object();
    let kind = content.and_then(|c| c.keys().next());
    if let Some(kind) = kind {
        headers.push(("Content-Type", kind));
    }
    // Nothing that would change anything: the gate stands before the body is understood.
    let body = if kind.is_some() { "{}" } else { "" };
    let method = method.to_uppercase();
    server
        .call(&method, &target, &headers, body.as_bytes())
        .status
}
