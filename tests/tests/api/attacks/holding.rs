//! Connections and answers that are held: how many one address has, and for how long.
//!
//! The addresses are of this machine: 127.0.0.1 attacks, 127.0.0.2 is somebody else.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use glovebox_tests::http::{connect, request, talk};
use glovebox_tests::server::Server;
use glovebox_tests::sqlite;

use super::{because, connect_from, connect_narrow, is_closed, until};

/// How many of these are open once the server has had its say: closed ones are closed at once.
fn open(sockets: &[TcpStream], least: usize) -> usize {
    let count = || sockets.iter().filter(|s| !is_closed(s)).count();
    // The last of them may not be looked at yet.
    until("those beyond the share are closed", || {
        count() <= least.max(1)
    });
    std::thread::sleep(Duration::from_millis(300));
    count()
}

#[track_caller]
fn somebody_else_is_served(server: &Server) {
    let mut other = connect_from("127.0.0.2", &server.address);
    let _ = talk(&mut other, &request("GET", "/healthz", &[], b"")).is(200);
}

#[test]
fn an_address_that_says_nothing_holds_its_share_and_not_for_long() {
    let server = Server::start("limits: { head-time: 3s }\n");
    let silent: Vec<TcpStream> = (0..1100).map(|_| connect(&server.address)).collect();
    let held = open(&silent, 128);
    assert_eq!(
        held, 128,
        "of 1,100 silent connections one address holds {held}"
    );
    somebody_else_is_served(&server);
    until("all of them are closed", || silent.iter().all(is_closed));
    let _ = server.call("GET", "/healthz", &[], b"").is(200);
    drop(silent);
    // Each one beyond the share is accounted for: ten by themselves, the rest as a count.
    let singles = because(&server, "denied", "connections");
    assert_eq!(singles.len(), 10);
    assert_eq!(singles[0]["source.ip"], "127.0.0.1");
    let folder = server.leave("TERM");
    let log = folder.read("audit/audit-0000000001.jsonl");
    let counted = log
        .lines()
        .rfind(|l| l.contains("\"connections\""))
        .unwrap();
    let counted: serde_json::Value = serde_json::from_str(counted).unwrap();
    assert_eq!(counted["labels.count"], 1100 - 128 - 10);
}

#[test]
fn a_configured_share_is_the_share_and_is_given_back() {
    let server = Server::start("limits: { connections-by-address: 5, head-time: 60s }\n");
    let silent: Vec<TcpStream> = (0..20).map(|_| connect(&server.address)).collect();
    assert_eq!(open(&silent, 5), 5);
    somebody_else_is_served(&server);
    drop(silent);
    until("the share is given back", || {
        let mut socket = connect(&server.address);
        let _ = socket.write_all(&request("GET", "/healthz", &[], b""));
        let mut answer = String::new();
        let _ = socket.read_to_string(&mut answer);
        answer.starts_with("HTTP/1.1 200")
    });
}

#[test]
fn a_head_that_does_not_end_a_handshake_and_an_idle_connection_are_cut_off() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let secure = Server::start_in(
        Server::folder("limits: { head-time: 1s }\ntls: { certificate: cert.pem, key: key.pem }\n")
            .file("cert.pem", cert.pem())
            .file("key.pem", signing_key.serialize_pem()),
    );
    // A hello that does not end, and none at all.
    let silent = connect(&secure.address);
    let mut begins = connect(&secure.address);
    begins
        .write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01")
        .unwrap();
    for socket in [&silent, &begins] {
        until("a handshake that stands still is cut off", || {
            is_closed(socket)
        });
    }

    let server = Server::start("limits: { head-time: 1s, idle-time: 20s }\n");
    let mut drips = connect(&server.address);
    until("a head that drips is cut off", || {
        std::thread::sleep(Duration::from_millis(100));
        drips.write_all(b"G").is_err() || is_closed(&drips)
    });
    let mut headers = connect(&server.address);
    headers.write_all(b"GET /healthz HTTP/1.1\r\n").unwrap();
    until("headers that go on for ever are cut off", || {
        std::thread::sleep(Duration::from_millis(100));
        headers.write_all(b"X-More: 1\r\n").is_err() || is_closed(&headers)
    });
    // One that asked, and asks half of another.
    let mut second = connect(&server.address);
    second
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut answer = [0; 64];
    let read = second.read(&mut answer).unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 200"));
    second.write_all(b"GET /healthz HTTP/1.1\r\n").unwrap();
    let mut rest = Vec::new();
    let _ = second.read_to_end(&mut rest);
    // And one that asked, and says nothing more.
    let mut idle = connect(&server.address);
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).unwrap();
    assert!(rest.starts_with(b"HTTP/1.1 200"));
}

#[test]
fn a_body_that_drips_is_given_up_and_says_so() {
    let server = Server::start("limits: { stall-time: 1s, least-rate: 1KiB }\n");
    let mut drips = connect(&server.address);
    drips
        .write_all(
            b"POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
              Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000\r\n\r\n",
        )
        .unwrap();
    until("the body is given up", || {
        std::thread::sleep(Duration::from_millis(50));
        drips.write_all(b"a").is_err() || {
            drips.set_nonblocking(true).unwrap();
            let answered = drips.peek(&mut [0]).is_ok();
            drips.set_nonblocking(false).unwrap();
            answered
        }
    });
    let reply = talk(&mut drips, b"").is(408);
    assert_eq!(reply.problem(), "request-timeout");
}

#[test]
fn an_answer_that_is_not_read_is_given_up_and_counts_until_then() {
    let configuration = "\
limits: { stall-time: 10s, requests-at-once-by-user: 1 }
datasets:
  wide:
    sqlite: { path: wide.db, table: wide }
    columns: { note: { type: text } }
";
    let folder = Server::folder(configuration).file("wide.db", "");
    // 2,000 rows of 2,000 letters: more than all that the system keeps on the way.
    sqlite::execute(
        &folder.path("wide.db"),
        "CREATE TABLE wide (note TEXT); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 \
         FROM n WHERE i < 2000) INSERT INTO wide SELECT printf('%02000d', i) FROM n",
    );
    let server = Server::start_in(folder);
    server.user("ada", &["admin"]);
    server.user("bob", &["analyst"]);
    let (ada, bob) = (server.log_in("ada").0, server.log_in("bob").0);
    let bearer = format!("Bearer {ada}");
    let ask = request(
        "GET",
        "/wide?limit=2000",
        &[("Authorization", &bearer)],
        b"",
    );
    let mut slow = connect_narrow(&server.address);
    slow.write_all(&ask).unwrap();
    // It has begun to be answered.
    slow.read_exact(&mut [0]).unwrap();
    let refused = server.get("/me", &ada).is(429);
    assert_eq!(refused.problem(), "too-many-requests");
    let _ = server.get("/me", &bob).is(200);
    until("what they hold is given back", || {
        server.get("/me", &ada).status == 200
    });
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    assert!(rest.len() < 1_000_000, "{}", rest.len());
    assert!(!because(&server, "denied", "too-many-requests").is_empty());
    // Whoever reads gets the whole.
    let whole = server.get("/wide?limit=2000", &ada).is(200);
    assert_eq!(whole.json().as_array().unwrap().len(), 2000);
}

#[test]
fn http_2_is_not_spoken() {
    let server = Server::start("");
    let mut socket = connect(&server.address);
    let _ = socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    assert!(answer.is_empty(), "{answer:?}");
    // A byte at a time as well; and another word that begins alike is one of HTTP/1.1.
    let mut socket = connect(&server.address);
    for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" {
        let _ = socket.write_all(&[*byte]);
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    assert!(answer.is_empty(), "{answer:?}");
    let _ = server.call("PRO", "/healthz", &[], b"").is(405);
}
