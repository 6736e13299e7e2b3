//! Users and API keys, over the API and on the command line.

use glovebox_tests::server::{PASSWORD, Server};
use serde_json::json;

#[test]
fn users_are_added_listed_and_changed() {
    let server = Server::start("");
    server.user("ada", &["admin"]);
    let (admin, _) = server.log_in("ada");
    let bob = json!({ "name": "Bob", "password": PASSWORD, "roles": ["analyst", "auditor"] });
    let added = server.send("POST", "/users", &admin, &bob).is(201).json();
    assert_eq!(added["name"], "bob");
    let again = server.send("POST", "/users", &admin, &bob).is(409);
    assert_eq!(again.problem(), "conflict");
    for bad in [
        json!({ "name": "x y", "password": PASSWORD, "roles": ["analyst"] }),
        json!({ "name": "x", "password": "short", "roles": ["analyst"] }),
        json!({ "name": "x", "password": PASSWORD, "roles": [] }),
        json!({ "name": "x", "password": PASSWORD, "roles": ["boss"] }),
        json!({ "name": "x", "password": PASSWORD, "roles": ["analyst"], "admin": true }),
        json!({ "name": "x" }),
        json!({ "name": 1, "password": PASSWORD, "roles": ["analyst"] }),
        json!({ "name": "x", "password": 123_456_789_012_u64, "roles": ["analyst"] }),
        json!([]),
    ] {
        let reply = server.send("POST", "/users", &admin, &bad);
        assert!(
            [400, 422].contains(&reply.status),
            "{bad}: {}",
            reply.text()
        );
        assert!(!reply.problem().is_empty());
        assert!(!reply.text().contains(PASSWORD));
    }
    let list = server.get("/users", &admin).is(200).json();
    let names: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|u| &u["name"])
        .collect();
    assert_eq!(names, ["ada", "bob"]);
    let after = server.get("/users?after=ada", &admin).is(200).json();
    assert_eq!(after.as_array().unwrap().len(), 1);
    assert_eq!(
        server.get("/users/BOB", &admin).is(200).json()["id"],
        added["id"]
    );
    let _ = server.get("/users/eve", &admin).is(404);
    let other = "an entirely different one";
    let change = json!({ "password": other });
    let _ = server.send("PATCH", "/users/bob", &admin, &change).is(200);
    let _ = server
        .token(&[("username", "bob"), ("password", PASSWORD)])
        .is(401);
    let _ = server
        .token(&[("username", "bob"), ("password", other)])
        .is(200);
    for bad in [json!({ "disabled": true }), json!({ "roles": ["auditor"] })] {
        let _ = server.send("PATCH", "/users/ada", &admin, &bad).is(403);
    }
    let log = server.audit_text();
    for action in ["user-added", "user-changed", "viewed"] {
        assert!(
            log.contains(&format!("\"event.action\":\"{action}\"")),
            "{action}"
        );
    }
    assert!(!log.contains(PASSWORD) && !server.log().contains(PASSWORD));
}

#[test]
fn the_command_line_does_the_same() {
    let folder = Server::folder("");
    let add = |arguments: &[&str], input: &str| {
        folder.call_with_input(&[&["user", "add"], arguments].concat(), input.as_bytes())
    };
    let _ = add(&["ada", "--role", "admin"], PASSWORD)
        .ends_with(0)
        .says("");
    let _ = add(&["ada", "--role", "admin"], PASSWORD)
        .ends_with(1)
        .says("a user of that name already exists");
    let _ = add(&["bob", "--role", "boss"], PASSWORD)
        .ends_with(1)
        .says("the roles are: admin");
    let _ = add(&["bob", "--role", "analyst"], "short")
        .ends_with(1)
        .says("12 characters");
    let _ = add(&["bob"], PASSWORD).ends_with(2);
    let made = add(&["bob", "--role", "analyst", "--generate"], "").ends_with(0);
    let made = made
        .stdout
        .split("once: ")
        .nth(1)
        .unwrap()
        .trim()
        .to_owned();
    assert_eq!(made.len(), 43);
    let _ = folder.call(&["user", "disable", "bob"]).ends_with(0);
    let log = folder.read("audit-commands/audit-0000000001.jsonl");
    for done in ["user-added", "user-changed"] {
        let record = log.lines().find(|l| l.contains(done)).unwrap();
        assert!(record.contains("\"user.id\":\"uid:"), "{record}");
    }
    assert!(!log.contains(PASSWORD) && !log.contains(&made));
    let listed = folder.call(&["user", "list"]).ends_with(0);
    assert_eq!(listed.stdout, "ada  admin\nbob  analyst  disabled\n");
    let _ = folder.call(&["user", "enable", "bob"]).ends_with(0);
    let _ = folder
        .call(&["user", "roles", "bob", "--role", "auditor"])
        .ends_with(0);
    let _ = folder
        .call(&["user", "disable", "eve"])
        .ends_with(1)
        .says("no user `eve`");
    let key = folder
        .call(&["user", "key", "bob", "--days", "2"])
        .ends_with(0);
    let log = folder.read("audit-commands/audit-0000000001.jsonl");
    let record = log.lines().find(|l| l.contains("api-key-added")).unwrap();
    let id = record.split(r#""labels.key":""#).nth(1).unwrap();
    assert!(id.starts_with("key_") && key.stderr.contains(id.split('"').next().unwrap()));
    let refused = ["user", "key", "bob", "--role", "admin"];
    let _ = folder
        .call(&refused)
        .ends_with(1)
        .says("only have its owner's roles");
    let server = Server::start_in(folder);
    let _ = server
        .token(&[("username", "bob"), ("password", &made)])
        .is(200);
    let me = server.get("/me", key.stdout.trim()).is(200).json();
    assert_eq!(me["via"], "key");
    assert_eq!(me["user"]["roles"], json!(["auditor"]));
    let other = server
        .folder
        .call_with_input(&["user", "password", "bob"], PASSWORD.as_bytes());
    let _ = other.ends_with(0);
    let _ = server
        .token(&[("username", "bob"), ("password", &made)])
        .is(401);
    let _ = server.log_in("bob");
}

#[test]
fn a_key_may_do_what_its_owner_may_and_no_more() {
    let server = Server::start("");
    server.user("ada", &["admin", "analyst"]);
    let (token, _) = server.log_in("ada");
    let make = |body| server.send("POST", "/keys", &token, &body);
    let made = make(json!({ "label": "nightly", "roles": ["analyst"], "days": 30 }))
        .is(201)
        .json();
    let key = made["token"].as_str().unwrap();
    assert!(key.starts_with("gbk_") && key.len() == 47);
    let _ = server.get("/datasets", key).is(200);
    let _ = server.get("/users", key).is(403);
    let _ = server
        .send("POST", "/keys", key, &json!({ "label": "more", "days": 1 }))
        .is(403);
    for bad in [
        json!({ "label": "x", "roles": ["auditor"], "days": 1 }),
        json!({ "label": "", "days": 1 }),
        json!({ "label": "x", "days": 0 }),
        json!({ "label": "x", "days": 367 }),
        json!({ "label": "x\n", "days": 1 }),
    ] {
        let reply = make(bad.clone());
        assert!(
            [400, 403, 422].contains(&reply.status),
            "{bad}: {}",
            reply.text()
        );
    }
    let listed = server.get("/keys", &token).is(200);
    assert!(!listed.text().contains(key));
    assert_eq!(listed.json()[0]["label"], "nightly");
    let id = made["key"]["id"].as_str().unwrap();
    let _ = server
        .send("DELETE", &format!("/keys/{id}"), &token, &json!({}))
        .is(204);
    let _ = server
        .send("DELETE", &format!("/keys/{id}"), &token, &json!({}))
        .is(404);
    let _ = server.get("/datasets", key).is(401);
    let stored = std::fs::read(server.folder.path("catalog.db")).unwrap();
    let wal = std::fs::read(server.folder.path("catalog.db-wal")).unwrap_or_default();
    for bytes in [stored, wal] {
        assert!(!bytes.windows(20).any(|w| w == &key.as_bytes()[..20]));
    }
}
