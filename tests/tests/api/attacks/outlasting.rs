//! What lasts: runs that are followed, files that are sent.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use glovebox_tests::http::{Reply, connect, request, talk};
use glovebox_tests::server::Server;
use serde_json::json;

use super::super::runs::{SALES, is_over, post, stored, until as run_until};
use super::{because, connect_from, until};

fn server(limits: &str) -> Server {
    let configuration = format!(
        "limits: {{ {limits} }}\nproxies: [127.0.0.2]\n\
         pipelines: {{ sales: {{ manifest: sales.yaml, upload: 1 MiB }}, slow: {{ manifest: slow.yaml }} }}\n"
    );
    let mut rows = String::from("id,name\n");
    for n in 0..200_000 {
        let _ = writeln!(rows, "{n},{n:0>90}");
    }
    let slow = SALES
        .replace("name: sales", "name: slow")
        .replace("in.csv", "slow.csv")
        .replace("out.db", "slow.db")
        .replace("hmac-sha256", "pbkdf2-sha256, iterations: 10000");
    let folder = Server::folder(&configuration)
        .file("sales.yaml", SALES)
        .file("slow.yaml", slow)
        .file("slow.csv", rows)
        .file("in.csv", "id,name\n1,ann\n")
        .file("secrets/salt", "a salt of 32 bytes, or there about");
    let server = Server::start_in(folder);
    server.user("ada", &["admin"]);
    server.user("olga", &["operator"]);
    server
}

/// Follows a run, from that address; `client` is what a proxy says.
fn follow(server: &Server, token: &str, run: &str, source: &str, client: &str) -> (u16, TcpStream) {
    let mut socket = connect_from(source, &server.address);
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("X-Forwarded-For", client),
    ];
    let target = format!("/runs/{run}/events");
    socket
        .write_all(&request("GET", &target, &headers, b""))
        .unwrap();
    let mut head = [0; 12];
    socket.read_exact(&mut head).unwrap();
    let status = std::str::from_utf8(&head[9..]).unwrap().parse().unwrap();
    (status, socket)
}

#[test]
fn streams_have_a_share_by_user_and_by_the_address_that_a_proxy_names() {
    let server = server("streams-by-user: 3, requests-at-once-by-address: 5");
    let (ada, olga) = (server.log_in("ada").0, server.log_in("olga").0);
    let run = post(&server, &ada, "/pipelines/slow/runs", &[])
        .is(202)
        .json();
    let id = run["id"].as_str().unwrap();
    let direct = "127.0.0.1";
    let held: Vec<_> = (0..3)
        .map(|_| follow(&server, &ada, id, direct, ""))
        .collect();
    assert!(held.iter().all(|(status, _)| *status == 200));
    assert_eq!(follow(&server, &ada, id, direct, "").0, 429);
    let (status, other) = follow(&server, &olga, id, direct, "");
    assert_eq!(status, 200);
    // What is let go is had again.
    drop((held, other));
    until("the share is given back", || {
        let (status, _socket) = follow(&server, &ada, id, direct, "");
        status == 200
    });
    // Behind a proxy the client's address counts, which the client cannot choose.
    let proxy = "127.0.0.2";
    let mut held = Vec::new();
    for token in [&ada, &ada, &ada, &olga, &olga] {
        until("a stream", || {
            let (status, socket) = follow(&server, token, id, proxy, "6.6.6.6, 198.51.100.7");
            held.push(socket);
            status == 200
        });
    }
    assert_eq!(
        follow(&server, &olga, id, proxy, "7.7.7.7, 198.51.100.7").0,
        429
    );
    assert_eq!(follow(&server, &olga, id, proxy, "198.51.100.8").0, 200);
    let refused = because(&server, "denied", "too-many-requests");
    assert!(
        refused.iter().any(|e| e["source.ip"] == "198.51.100.7"),
        "{refused:?}"
    );
    let _ = post(&server, &ada, &format!("/runs/{id}/cancel"), &[]).is(202);
}

/// Sends a file in pieces, with a pause before each.
fn drip(server: &Server, token: &str, pieces: usize, pause: Duration) -> Reply {
    let head = format!(
        "POST /pipelines/sales/uploads?mode=again HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Authorization: Bearer {token}\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let mut socket = connect(&server.address);
    socket.write_all(head.as_bytes()).unwrap();
    let mut send = |text: &str| {
        let chunk = format!("{:x}\r\n{text}\r\n", text.len());
        let _ = socket.write_all(chunk.as_bytes());
    };
    send("id,name\n");
    for n in 0..pieces {
        std::thread::sleep(pause);
        send(&format!("{n},{}\n", "x".repeat(600)));
    }
    talk(&mut socket, b"0\r\n\r\n")
}

#[test]
fn an_upload_may_take_longer_than_any_request_and_not_stand_still() {
    let server = server("request-time: 1s, head-time: 1s, stall-time: 2s, least-rate: 1KiB");
    let (ada, _) = server.log_in("ada");
    // Four times as long as a request may take, at thrice the least rate.
    let taken = drip(&server, &ada, 20, Duration::from_millis(200))
        .is(202)
        .json();
    let run = run_until(&server, &ada, taken["id"].as_str().unwrap(), is_over);
    assert_eq!((&run["state"], &run["rows"]), (&json!("done"), &json!(20)));
    assert_eq!(stored(&server.folder, "out.db", "sales"), 20);
    // At half of it.
    let slow = drip(&server, &ada, 20, Duration::from_millis(1200));
    assert_eq!(slow.is(408).problem(), "request-timeout");
}

#[test]
fn uploads_have_a_share_by_user_and_end_with_what_allowed_them() {
    let server = server("uploads-by-user: 1, least-rate: 1 B");
    let (ada, olga) = (server.log_in("ada").0, server.log_in("olga").0);
    let second = Duration::from_millis(1000);
    std::thread::scope(|scope| {
        let long = scope.spawn(|| drip(&server, &olga, 6, second));
        std::thread::sleep(second);
        let more = drip(&server, &olga, 0, Duration::ZERO).is(429);
        assert_eq!(more.problem(), "too-many-requests");
        // Another's share is their own.
        let _ = drip(&server, &ada, 1, Duration::ZERO).is(202);
        let cut = json!({ "roles": ["analyst"] });
        let _ = server.send("PATCH", "/users/olga", &ada, &cut).is(200);
        let _ = long.join().unwrap().is(403);
    });
    let runs = server.get("/runs?pipeline=sales", &ada).is(200).json();
    assert_eq!(runs.as_array().unwrap().len(), 1);
    assert!(!because(&server, "denied", "forbidden").is_empty());
}

#[test]
fn whoever_follows_a_run_is_sent_no_more_when_they_may_not() {
    let server = server("streams-by-user: 3");
    let (ada, olga) = (server.log_in("ada").0, server.log_in("olga").0);
    let run = post(&server, &ada, "/pipelines/slow/runs", &[])
        .is(202)
        .json();
    let id = run["id"].as_str().unwrap();
    let (status, mut socket) = follow(&server, &olga, id, "127.0.0.1", "");
    assert_eq!(status, 200);
    let change = json!({ "disabled": true });
    let _ = server.send("PATCH", "/users/olga", &ada, &change).is(200);
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).unwrap();
    let now = server.get(&format!("/runs/{id}"), &ada).is(200).json();
    assert!(!is_over(&now), "the run ended before the stream: {now}");
    let _ = post(&server, &ada, &format!("/runs/{id}/cancel"), &[]).is(202);
}
