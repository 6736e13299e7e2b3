//! Rights that are given, and what outlives them.

use std::time::Duration;

use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::server::{PASSWORD, Server};
use serde_json::{Value, json};

use super::{because, recorded, until};

const CONFIGURATION: &str = "\
roles: { helpdesk: [users], manager: [users, data], hidden: [data] }
limits: { logins-a-minute-by-address: 1000 }
pipelines:
  inner: { manifest: nowhere.yaml, roles: [operator] }
datasets:
  sales:
    sqlite: { path: sales.db, table: sales }
    columns: { product: { type: text }, ssn: { type: text } }
    roles: { admin: {}, analyst: { columns: [product] }, manager: { columns: [product], rows-at-most: 10 }, hidden: {} }
";

fn folder() -> Pipeline {
    Server::folder(CONFIGURATION).file("sales.db", "")
}

fn server() -> Server {
    let server = Server::start_in(folder());
    for (name, role) in [
        ("ada", "admin"),
        ("eve", "helpdesk"),
        ("mia", "manager"),
        ("bob", "analyst"),
        ("hal", "helpdesk"),
    ] {
        server.user(name, &[role]);
    }
    server
}

fn new(name: &str, roles: &[&str]) -> Value {
    json!({ "name": name, "password": PASSWORD, "roles": roles })
}

/// A key of somebody's.
fn key(server: &Server, token: &str) -> (String, String) {
    let made = server.send("POST", "/keys", token, &json!({ "label": "k", "days": 9 }));
    let made = made.is(201).json();
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    (text(&made["token"]), text(&made["key"]["id"]))
}

#[test]
fn nobody_gives_what_they_have_not_nor_acts_on_whoever_has_more() {
    let server = server();
    let token = |name: &str| server.log_in(name).0;
    let (ada, eve, mia) = (token("ada"), token("eve"), token("mia"));
    let (_, ada_key) = key(&server, &ada);
    let mut refused = 0;
    let mut refuse = |token: &str, method: &str, path: &str, body: &Value| {
        let reply = server.send(method, path, token, body).is(403);
        assert_eq!(reply.problem(), "forbidden", "{method} {path} {body}");
        refused += 1;
    };
    for role in [
        "admin", "analyst", "auditor", "operator", "manager", "hidden",
    ] {
        refuse(&eve, "POST", "/users", &new("mal", &[role]));
        refuse(&eve, "POST", "/users", &new("mal", &["helpdesk", role]));
        refuse(&eve, "PATCH", "/users/hal", &json!({ "roles": [role] }));
    }
    for change in [
        json!({ "password": PASSWORD }),
        json!({ "disabled": true }),
        json!({ "disabled": false }),
        json!({ "roles": ["helpdesk"] }),
        json!({}),
    ] {
        for name in ["ada", "mia", "bob"] {
            refuse(&eve, "PATCH", &format!("/users/{name}"), &change);
        }
    }
    for path in [
        "keys".to_owned(),
        format!("keys/{ada_key}"),
        "sessions".to_owned(),
    ] {
        refuse(&eve, "DELETE", &format!("/users/ada/{path}"), &json!({}));
    }
    // Data counts by what it shows: not more columns, nor more rows.
    refuse(&mia, "POST", "/users", &new("mal", &["hidden"]));
    refuse(&mia, "POST", "/users", &new("mal", &["analyst"]));
    refuse(
        &mia,
        "PATCH",
        "/users/bob",
        &json!({ "password": PASSWORD }),
    );
    // Nor to oneself.
    refuse(&eve, "PATCH", "/users/eve", &json!({ "roles": ["admin"] }));
    refuse(
        &eve,
        "PATCH",
        "/users/eve",
        &json!({ "roles": ["helpdesk"] }),
    );
    refuse(&eve, "PATCH", "/users/eve", &json!({ "disabled": true }));
    // An administrator has all but what a pipeline keeps for operators.
    refuse(&ada, "POST", "/users", &new("mal", &["operator"]));
    let denied = recorded(&server, "denied");
    assert_eq!(denied.len(), refused);
    let names = |e: &Value| e["user.name"].as_str().unwrap().to_owned();
    assert!(
        denied
            .iter()
            .all(|e| ["eve", "mia", "ada"].contains(&names(e).as_str()))
    );
    assert_eq!(denied[0]["url.path"], "/users");
    assert!(recorded(&server, "user-added").is_empty());
    // What one has, one gives.
    let _ = server
        .send("POST", "/users", &eve, &new("pat", &["helpdesk"]))
        .is(201);
    let _ = server
        .send(
            "POST",
            "/users",
            &mia,
            &new("max", &["helpdesk", "manager"]),
        )
        .is(201);
    let _ = server
        .send("POST", "/users", &ada, &new("ann", &["analyst", "auditor"]))
        .is(201);
    let disabled = json!({ "disabled": true });
    let _ = server.send("PATCH", "/users/pat", &eve, &disabled).is(200);
    let added = recorded(&server, "user-added");
    assert_eq!(
        (
            &added[2]["user.target.name"],
            &added[2]["user.target.roles"]
        ),
        (&json!("ann"), &json!(["analyst", "auditor"]))
    );
}

#[test]
fn users_are_changed_by_a_login_of_a_moment_ago_alone() {
    let folder = folder();
    let text = folder.read("glovebox.yaml");
    let tokens = "tokens: { keys: [token-key], fresh-login: 3s }";
    folder.write(
        "glovebox.yaml",
        text.replace("tokens: { keys: [token-key] }", tokens),
    );
    let server = Server::start_in(folder);
    server.user("ada", &["admin"]);
    let (ada, refresh) = server.log_in("ada");
    let (key, id) = key(&server, &ada);
    let _ = server.get("/users", &key).is(200);
    let attempts = |token: &str, status: u16| {
        for (method, path, body) in [
            ("POST", "/users", new("mal", &["analyst"])),
            ("PATCH", "/users/ada", json!({ "password": PASSWORD })),
            ("DELETE", "/users/ada/keys", json!({})),
            ("DELETE", "/users/ada/sessions", json!({})),
            ("POST", "/keys", json!({ "label": "more", "days": 1 })),
        ] {
            let reply = server.send(method, path, token, &body).is(status);
            assert!(!reply.problem().is_empty());
            if status == 401 {
                let challenge = reply.header("www-authenticate").unwrap();
                assert_eq!(
                    challenge,
                    "Bearer error=\"insufficient_user_authentication\""
                );
            }
        }
        let one = format!("/users/ada/keys/{id}");
        let _ = server.send("DELETE", &one, token, &json!({})).is(status);
    };
    attempts(&key, 403);
    assert_eq!(because(&server, "denied", "login").len(), 6);
    until("the login is old", || {
        let reply = server.send("POST", "/users", &ada, &json!({}));
        reply.status == 401
    });
    let before = because(&server, "denied", "stale-login").len();
    attempts(&ada, 401);
    // Carrying a session on is no login.
    let carried = server
        .token(&[("grant_type", "refresh_token"), ("refresh_token", &refresh)])
        .is(200)
        .json();
    attempts(carried["access_token"].as_str().unwrap(), 401);
    assert_eq!(because(&server, "denied", "stale-login").len(), before + 12);
    let (again, _) = server.log_in("ada");
    let _ = server
        .send("POST", "/users", &again, &new("ann", &["analyst"]))
        .is(201);
    // What the old one was good for otherwise, it is good for still.
    let _ = server.get("/users/ann", &ada).is(200);
}

#[test]
fn another_issuers_administrator_makes_no_users() {
    let folder = folder().file("keys.json", super::super::issuers::jwks(&["one"]));
    let text = folder.read("glovebox.yaml");
    let tokens = "tokens: { keys: [token-key], issuers: [{ url: 'https://idp', audience: glovebox-api, \
                  jwks: keys.json, roles-claim: groups, roles: { data-team: admin } }] }";
    folder.write(
        "glovebox.yaml",
        text.replace("tokens: { keys: [token-key] }", tokens),
    );
    let server = Server::start_in(folder);
    server.user("bob", &["analyst"]);
    let token = super::super::issuers::token("https://idp", "one");
    let _ = server.get("/users/bob", &token).is(200);
    for (method, path, body) in [
        ("POST", "/users", new("mal", &["analyst"])),
        ("PATCH", "/users/bob", json!({ "password": PASSWORD })),
        ("POST", "/keys", json!({ "label": "more", "days": 1 })),
    ] {
        let _ = server.send(method, path, &token, &body).is(403);
    }
    let denied = because(&server, "denied", "login");
    assert_eq!(denied.len(), 3);
    assert_eq!(denied[0]["user.id"], "https://idp#carol");
}

#[test]
fn a_reset_and_a_lock_end_what_was_given_out_before() {
    let server = server();
    let ada = || server.log_in("ada").0;
    let ends = |what: &str, deed: &dyn Fn()| {
        let (session, refresh) = server.log_in("bob");
        let (key, _) = key(&server, &session);
        let _ = server.get("/me", &key).is(200);
        deed();
        let _ = server.get("/me", &session).is(401);
        let _ = server.get("/me", &key).is(401);
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.as_str()),
        ];
        assert_eq!(server.token(&form).status, 401, "{what}");
    };
    let patch = |change: Value| {
        let _ = server.send("PATCH", "/users/bob", &ada(), &change).is(200);
    };
    let command = |arguments: &[&str]| {
        let call = [&["user"], arguments].concat();
        let _ = server
            .folder
            .call_with_input(&call, PASSWORD.as_bytes())
            .ends_with(0);
        // What another process has changed is known here within half a second.
        std::thread::sleep(Duration::from_millis(700));
    };
    ends("a password by the API", &|| {
        patch(json!({ "password": PASSWORD }))
    });
    ends("a lock by the API", &|| {
        patch(json!({ "disabled": true }));
        patch(json!({ "disabled": false }));
    });
    ends("a password by command", &|| command(&["password", "bob"]));
    ends("a lock by command", &|| {
        command(&["disable", "bob"]);
        command(&["enable", "bob"]);
    });
    ends("all by command", &|| command(&["revoke", "bob", "--all"]));
    let changed = recorded(&server, "user-changed");
    let words: Vec<_> = changed
        .iter()
        .map(|e| e["event.reason"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["password", "disabled", "enabled"]);
}

#[test]
fn keys_and_sessions_of_others_are_listed_and_ended() {
    let server = server();
    let ada = || server.log_in("ada").0;
    let (bob, _) = server.log_in("bob");
    let (one, one_id) = key(&server, &bob);
    let (two, two_id) = key(&server, &bob);
    let (three, three_id) = key(&server, &bob);
    let listed = server.get("/users/bob/keys", &ada()).is(200);
    for secret in [&one, &two, &three] {
        assert!(!listed.text().contains(secret.as_str()));
    }
    assert_eq!(listed.json().as_array().unwrap().len(), 3);
    let end = |path: &str| server.send("DELETE", path, &ada(), &json!({}));
    let _ = end(&format!("/users/bob/keys/{one_id}")).is(204);
    let _ = end(&format!("/users/bob/keys/{one_id}")).is(404);
    let _ = end(&format!("/users/eve/keys/{two_id}")).is(404);
    let _ = end("/users/nobody/keys").is(404);
    let _ = server.get("/me", &one).is(401);
    let _ = server.get("/me", &two).is(200);
    // By command as well.
    let command = |arguments: &[&str]| server.folder.call(&[&["user"], arguments].concat());
    let shown = command(&["keys", "bob"]).ends_with(0).stdout;
    assert_eq!(
        shown.lines().filter(|l| l.ends_with("revoked")).count(),
        1,
        "{shown}"
    );
    assert!(
        shown.contains(&two_id) && shown.contains(&three_id),
        "{shown}"
    );
    let _ = command(&["revoke", "bob", &two_id]).ends_with(0);
    let _ = command(&["revoke", "bob", &two_id])
        .ends_with(1)
        .says("no valid key with that id");
    let _ = command(&["revoke", "bob"]).ends_with(2);
    let _ = server.get("/me", &two).is(401);
    let _ = end("/users/bob/keys").is(204);
    let _ = server.get("/me", &three).is(401);
    let _ = server.get("/me", &bob).is(200);
    let _ = end("/users/bob/sessions").is(204);
    let _ = server.get("/me", &bob).is(401);
    let _ = server.log_in("bob");
    let revoked = recorded(&server, "api-key-revoked");
    let of = |e: &Value| (e["user.target.name"].clone(), e["labels.key"].clone());
    let of: Vec<_> = revoked.iter().map(of).collect();
    assert_eq!(
        of,
        [(json!("bob"), json!(one_id)), (json!("bob"), Value::Null)]
    );
    assert_eq!(recorded(&server, "token-revoked").len(), 1);
    let log = server.folder.read("audit-commands/audit-0000000001.jsonl");
    assert!(log.contains(&two_id) && !log.contains(&two));
}

#[test]
fn two_who_shut_each_other_out_at_once_leave_one() {
    let server = Server::start("limits: { logins-a-minute-by-address: 1000 }\n");
    for round in 0..6 {
        let names = [format!("a{round}"), format!("b{round}")];
        for name in &names {
            server.user(name, &["admin"]);
        }
        let tokens = names.clone().map(|name| server.log_in(&name).0);
        // Those of earlier rounds are out of the way.
        for old in 0..round {
            for name in [format!("a{old}"), format!("b{old}")] {
                let change = json!({ "roles": ["auditor"] });
                let _ = server
                    .send("PATCH", &format!("/users/{name}"), &tokens[0], &change)
                    .is(200);
            }
        }
        let change = match round % 2 {
            0 => json!({ "roles": ["analyst"] }),
            _ => json!({ "disabled": true }),
        };
        std::thread::scope(|scope| {
            for (token, other) in [(&tokens[0], &names[1]), (&tokens[1], &names[0])] {
                let (server, change) = (&server, &change);
                scope.spawn(move || {
                    let reply = server.send("PATCH", &format!("/users/{other}"), token, change);
                    assert!(
                        [200, 401, 403, 409].contains(&reply.status),
                        "{}",
                        reply.text()
                    );
                });
            }
        });
        let left = server.folder.call(&["user", "list"]).ends_with(0).stdout;
        let left = left.lines().filter(|l| l.ends_with("  admin")).count();
        assert!(left >= 1, "round {round}: nobody manages users any more");
    }
}
