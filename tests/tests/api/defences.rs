//! Too much, too often, too slow, too odd: each is refused, and the server goes on.

use std::io::Write;

use glovebox_tests::http::{connect, request, talk};
use glovebox_tests::server::{PASSWORD, Server};

#[test]
fn every_error_is_a_problem_of_one_form_with_all_headers() {
    let server = Server::start("");
    for (method, target, status, kind) in [
        ("GET", "/", 404, "not-found"),
        ("GET", "/Nothing", 404, "not-found"),
        // There might be a dataset of that name.
        ("GET", "/nothing", 401, "unauthorized"),
        ("GET", "/healthz/", 404, "not-found"),
        ("GET", "//healthz", 404, "not-found"),
        ("GET", "/../healthz", 404, "not-found"),
        ("GET", "/%68ealthz", 404, "not-found"),
        ("DELETE", "/token", 405, "method-not-allowed"),
        ("TRACE", "/healthz", 405, "method-not-allowed"),
        ("OPTIONS", "/me", 405, "method-not-allowed"),
        ("GET", "/me", 401, "unauthorized"),
    ] {
        let reply = server.call(method, target, &[], b"").is(status);
        assert_eq!(reply.problem(), kind, "{method} {target}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{method} {target}");
        }
        assert!(reply.header("content-security-policy").is_some());
        assert!(reply.header("x-request-id").is_some());
        assert_eq!(reply.header("access-control-allow-origin"), None);
        assert_eq!(reply.header("server"), None);
    }
    let reply = server.call("PUT", "/users", &[], b"");
    assert_eq!(reply.header("allow"), Some("GET, POST, HEAD"));
}

#[test]
fn bodies_and_headers_have_limits_with_and_without_a_length() {
    let server = Server::start("limits: { body: 2KiB, headers: 4KiB }\n");
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let large = vec![b'a'; 3000];
    let reply = server.call("POST", "/token", &form, &large).is(413);
    assert_eq!(reply.problem(), "too-large");
    // A body in chunks does not say how long it will be.
    let mut chunked = b"POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
        Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
        .to_vec();
    let small = chunked.clone();
    for _ in 0..3 {
        chunked.extend_from_slice(b"400\r\n");
        chunked.extend_from_slice(&[b'a'; 1024]);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let reply = talk(&mut connect(&server.address), &chunked).is(413);
    assert_eq!(reply.problem(), "too-large");
    let body = format!("username=ada&password={}", "x".repeat(16));
    let fits = [
        small,
        format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).into_bytes(),
    ]
    .concat();
    let _ = talk(&mut connect(&server.address), &fits).is(401);
    // A length that announces more than anybody has.
    let announced = b"POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
        Content-Length: 99999999999\r\n\r\n";
    let _ = talk(&mut connect(&server.address), announced).is(413);
    let long = "x".repeat(5000);
    let reply = server
        .call("GET", "/healthz", &[("X-Long", &long)], b"")
        .is(431);
    assert_eq!(reply.problem(), "headers-too-large");
    let target = format!("/healthz?{}", "x".repeat(9000));
    assert_eq!(
        server.call("GET", &target, &[], b"").is(414).problem(),
        "uri-too-long"
    );
    let _ = server.call("GET", "/healthz", &[], b"").is(200);
}

#[test]
fn whoever_asks_too_often_waits() {
    let server = Server::start("limits: { requests-a-minute-by-address: 20 }\n");
    let statuses: Vec<u16> = (0..40)
        .map(|_| server.call("GET", "/healthz", &[], b"").status)
        .collect();
    let served = statuses.iter().filter(|s| **s == 200).count();
    assert!((20..40).contains(&served), "{statuses:?}");
    let refused = server.call("GET", "/healthz", &[], b"").is(429);
    assert_eq!(refused.problem(), "too-many-requests");
    assert!(refused.header("retry-after").is_some());
}

#[test]
fn a_user_has_a_rate_of_their_own() {
    let server = Server::start("limits: { requests-a-minute-by-user: 10 }\n");
    server.user("ada", &["admin"]);
    server.user("bob", &["admin"]);
    let (ada, bob) = (server.log_in("ada").0, server.log_in("bob").0);
    let statuses: Vec<u16> = (0..20).map(|_| server.get("/me", &ada).status).collect();
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    let _ = server.get("/me", &bob).is(200);
}

#[test]
fn five_failures_lock_known_and_unknown_names_alike() {
    let server = Server::start("limits: { logins-a-minute-by-address: 1000 }\n");
    server.user("ada", &["admin"]);
    for name in ["ada", "nobody"] {
        let tried = |password: &str| server.token(&[("username", name), ("password", password)]);
        for _ in 0..5 {
            let _ = tried("wrong").is(401);
        }
        let locked = tried("wrong").is(429);
        let wait: u64 = locked.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=30).contains(&wait), "{wait}");
        // Not even the right password, as an answer would tell that it is.
        assert_eq!(tried(PASSWORD).status, 429);
    }
    let locked = server
        .audit()
        .into_iter()
        .filter(|e| e["event.reason"] == "locked");
    assert_eq!(locked.count(), 4);
    server.user("bob", &["admin"]);
    let _ = server.log_in("bob");
}

#[test]
fn where_a_request_came_from_is_what_a_configured_proxy_says() {
    let from = |configuration: &str| {
        let server = Server::start(configuration);
        let headers = [
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("X-Forwarded-For", "203.0.113.9"),
            ("Forwarded", "for=203.0.113.9"),
            ("X-Real-IP", "203.0.113.9"),
        ];
        let _ = server
            .call("POST", "/token", &headers, b"username=a&password=b")
            .is(401);
        let login = server
            .audit()
            .into_iter()
            .find(|e| e["event.action"] == "login");
        login.unwrap()["source.ip"].as_str().unwrap().to_owned()
    };
    assert_eq!(from(""), "127.0.0.1");
    assert_eq!(from("proxies: [127.0.0.1]\n"), "203.0.113.9");
}

#[test]
fn what_is_no_http_is_no_matter() {
    let server = Server::start("");
    for nonsense in [
        &b"\0\0\0\0\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let mut socket = connect(&server.address);
        let _ = socket.write_all(nonsense);
        let _ = socket.shutdown(std::net::Shutdown::Both);
    }
    // Who hangs up in the middle.
    let half = request("POST", "/token", &[], &[b'a'; 500]);
    let mut socket = connect(&server.address);
    let _ = socket.write_all(&half[..half.len() - 100]);
    drop(socket);
    let _ = server.call("GET", "/healthz", &[], b"").is(200);
    assert!(!server.log().contains("panic"), "{}", server.log());
}

#[test]
fn a_record_that_cannot_be_written_is_a_request_that_is_refused() {
    let folder = Server::folder("");
    let configuration = folder.read("glovebox.yaml");
    folder.write(
        "glovebox.yaml",
        configuration.replace("folder: audit", "folder: /dev/null/audit"),
    );
    // Nothing can be recorded, not even the start.
    let _ = folder.call(&["serve"]).ends_with(1).says("audit");
}

#[test]
fn a_server_that_is_told_to_stop_finishes_and_says_so() {
    for signal in ["TERM", "INT"] {
        let server = Server::start("");
        // A connection that stays open does not hold it up.
        let _idle = connect(&server.address);
        let _ = server.call("GET", "/healthz", &[], b"").is(200);
        let started = server.audit();
        assert!(started.iter().any(|e| e["event.action"] == "started"));
        let ran = server.stop(signal).ends_with(0);
        assert!(!ran.stderr.contains("panic"), "{}", ran.stderr);
    }
}
