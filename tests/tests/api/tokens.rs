//! Logging in, carrying on, and being shut out.

use std::time::{Duration, Instant};

use glovebox_tests::server::{PASSWORD, Server};
use serde_json::json;

fn server() -> Server {
    let server = Server::start("limits: { logins-a-minute-by-address: 1000 }\n");
    server.user("ada", &["admin"]);
    server
}

#[test]
fn a_login_gives_a_token_and_a_wrong_one_says_nothing_more() {
    let server = server();
    for form in [
        &[("username", "ada"), ("password", PASSWORD)][..],
        &[
            ("username", "ADA"),
            ("password", PASSWORD),
            ("grant_type", "password"),
        ],
    ] {
        let reply = server.token(form).is(200);
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let told = reply.json();
        assert_eq!(
            (&told["token_type"], &told["expires_in"]),
            (&json!("bearer"), &json!(600))
        );
        let token = told["access_token"].as_str().unwrap();
        let me = server.get("/me", token).is(200).json();
        assert_eq!(me["user"]["name"], "ada");
        assert_eq!(me["via"], "session");
    }
    let wrong = server
        .token(&[("username", "ada"), ("password", "wrong")])
        .is(401);
    assert_eq!(wrong.header("www-authenticate"), Some("Bearer"));
    let unknown = server
        .token(&[("username", "eve"), ("password", "wrong")])
        .is(401);
    let odd = server
        .token(&[("username", "no such\0name"), ("password", "x")])
        .is(401);
    assert_eq!(wrong.body, unknown.body);
    assert_eq!(wrong.body, odd.body);
    assert_eq!(wrong.json()["error"], "invalid_grant");
    for (form, error) in [
        (&[][..], "invalid_request"),
        (&[("username", "ada")], "invalid_request"),
        (
            &[("username", "ada"), ("username", "ada"), ("password", "x")],
            "invalid_request",
        ),
        (&[("grant_type", "refresh_token")], "invalid_request"),
        (
            &[("grant_type", "client_credentials")],
            "unsupported_grant_type",
        ),
        (&[("user", "ada"), ("password", "x")], "invalid_request"),
    ] {
        assert_eq!(
            server.token(form).is(400).json()["error"],
            error,
            "{form:?}"
        );
    }
    let json = [("Content-Type", "application/json")];
    let reply = server.call("POST", "/token", &json, b"{}").is(400);
    assert_eq!(reply.json()["error"], "invalid_request");
    // A failed login is recorded without the name, which may be a password.
    let log = server.audit_text();
    assert!(!log.contains("\"eve\"") && !log.contains(PASSWORD));
}

#[test]
fn a_token_that_is_not_ours_is_told_so_by_rfc_6750() {
    let server = server();
    let (good, _) = server.log_in("ada");
    let none = server.call("GET", "/me", &[], b"").is(401);
    assert_eq!(none.header("www-authenticate"), Some("Bearer"));
    assert_eq!(none.problem(), "unauthorized");
    for bad in ["x", "gbk_x", &good[1..], &format!("{good}x"), ""] {
        let reply = server.get("/me", bad).is(401);
        let challenge = reply.header("www-authenticate").unwrap();
        assert_eq!(challenge, "Bearer error=\"invalid_token\"", "{bad}");
    }
    for header in [format!("Basic {good}"), good.clone()] {
        let _ = server
            .call("GET", "/me", &[("Authorization", &header)], b"")
            .is(401);
    }
    let bearer = format!("Bearer {good}");
    let twice = [
        ("Authorization", bearer.as_str()),
        ("Authorization", bearer.as_str()),
    ];
    let _ = server.call("GET", "/me", &twice, b"").is(401);
    let lower = format!("bearer {good}");
    let _ = server
        .call("GET", "/me", &[("authorization", &lower)], b"")
        .is(200);
    let failures = server
        .audit()
        .into_iter()
        .filter(|e| e["event.reason"] == "unauthorized");
    assert_eq!(failures.count(), 8);
}

#[test]
fn a_refresh_token_works_once_and_its_reuse_ends_the_session() {
    let server = server();
    let (first, refresh) = server.log_in("ada");
    let form =
        |token: &str| server.token(&[("grant_type", "refresh_token"), ("refresh_token", token)]);
    let told = form(&refresh).is(200).json();
    let (second, next) = (&told["access_token"], &told["refresh_token"]);
    let second = second.as_str().unwrap();
    let _ = server.get("/me", &first).is(200);
    let _ = server.get("/me", second).is(200);
    let _ = form(&refresh).is(401);
    for token in [&first, second] {
        let _ = server.get("/me", token).is(401);
    }
    let _ = form(next.as_str().unwrap()).is(401);
    let reused = server
        .audit()
        .into_iter()
        .filter(|e| e["event.reason"] == "reused");
    assert_eq!(reused.count(), 1);
}

#[test]
fn of_a_hundred_uses_at_once_exactly_one_wins() {
    let server = server();
    let (_, refresh) = server.log_in("ada");
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
    ];
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..100)
            .map(|_| scope.spawn(|| server.token(&form).status))
            .collect();
        calls.into_iter().map(|c| c.join().unwrap()).collect()
    });
    let won = statuses.iter().filter(|s| **s == 200).count();
    // The session may be ended by a loser before the winner has its next token.
    assert!(won <= 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|s| **s == 401).count(), 100 - won);
    let fresh = |e: &serde_json::Value| {
        e["event.action"] == "token-issued" && e["event.reason"] != "reused"
    };
    assert_eq!(server.audit().iter().filter(|e| fresh(e)).count(), 1);
}

#[test]
fn a_logout_a_lock_and_other_roles_work_at_once() {
    let server = server();
    server.user("bob", &["analyst"]);
    let (admin, _) = server.log_in("ada");
    let (token, refresh) = server.log_in("bob");
    let _ = server.get("/datasets", &token).is(200);
    let change = |body| server.send("PATCH", "/users/bob", &admin, &body).is(200);
    let _ = change(json!({ "roles": ["auditor"] }));
    let _ = server.get("/datasets", &token).is(403);
    let _ = change(json!({ "roles": ["analyst"] }));
    let _ = server.get("/datasets", &token).is(200);
    let _ = change(json!({ "disabled": true }));
    let _ = server.get("/datasets", &token).is(401);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
    ];
    let _ = server.token(&form).is(401);
    let _ = server
        .token(&[("username", "bob"), ("password", PASSWORD)])
        .is(401);
    let _ = change(json!({ "disabled": false }));
    let (token, _) = server.log_in("bob");
    let _ = server.send("POST", "/logout", &token, &json!({})).is(204);
    let _ = server.get("/datasets", &token).is(401);
}

/// The command line is another process, as another server would be.
#[test]
fn what_another_process_revokes_is_revoked_here_within_a_second() {
    let server = server();
    server.user("bob", &["analyst"]);
    let (token, _) = server.log_in("bob");
    let _ = server.get("/datasets", &token).is(200);
    let _ = server.folder.call(&["user", "disable", "bob"]).ends_with(0);
    let since = Instant::now();
    while server.get("/datasets", &token).status != 401 {
        assert!(since.elapsed() < Duration::from_secs(30), "never revoked");
        let _ = server.get("/healthz", "");
    }
}

#[test]
fn keys_rotate_with_an_overlap_and_the_key_set_has_no_private_half() {
    let other = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=";
    let folder = Server::folder("").file("secrets/new-key", other);
    let server = Server::start_in(folder);
    server.user("ada", &["admin"]);
    let (old, _) = server.log_in("ada");
    let set = server
        .call("GET", "/.well-known/jwks.json", &[], b"")
        .is(200)
        .json();
    assert_eq!(set["keys"].as_array().unwrap().len(), 1);
    assert_eq!(set["keys"][0].get("d"), None);
    // A restart on the same address, as the issuer is part of a token.
    let address = server.address.clone();
    let base = glovebox_tests::server::BASE.replace("127.0.0.1:0", &address);
    let folder = Server::folder("").file("secrets/new-key", other).file(
        "glovebox.yaml",
        base.replace("[token-key]", "[new-key, token-key]"),
    );
    std::fs::copy(server.folder.path("catalog.db"), folder.path("catalog.db")).unwrap();
    let wal = server.folder.path("catalog.db-wal");
    if wal.exists() {
        std::fs::copy(wal, folder.path("catalog.db-wal")).unwrap();
    }
    let _ = server.stop("TERM").ends_with(0);
    let server = Server::start_in(folder);
    assert_eq!(server.address, address);
    let _ = server.get("/me", &old).is(200);
    let (new, _) = server.log_in("ada");
    assert_ne!(old.split('.').next(), new.split('.').next());
    let set = server
        .call("GET", "/.well-known/jwks.json", &[], b"")
        .is(200)
        .json();
    assert_eq!(set["keys"].as_array().unwrap().len(), 2);
}
