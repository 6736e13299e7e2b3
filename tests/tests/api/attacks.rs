//! What people who mean harm have tried on the API, each face of it refused and recorded.

mod granting;
mod holding;
mod outlasting;
mod reading;
mod records;
mod sights;

use std::net::TcpStream;
use std::time::{Duration, Instant};

use glovebox_tests::http::Reply;
use glovebox_tests::server::Server;
use serde_json::Value;
use tokio::net::TcpSocket;

/// Far more than anything here waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection from another address of this machine.
fn connect_from(source: &str, address: &str) -> TcpStream {
    connected(source, address, None)
}

/// A connection whose system keeps next to nothing of what is not read.
fn connect_narrow(address: &str) -> TcpStream {
    connected("127.0.0.1", address, Some(16 << 10))
}

fn connected(source: &str, address: &str, room: Option<u32>) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let connected = runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        let source = format!("{source}:0").parse().unwrap();
        if let Some(room) = room {
            socket.set_recv_buffer_size(room).unwrap();
        }
        socket.bind(source).unwrap();
        let connected = socket.connect(address.parse().unwrap()).await.unwrap();
        connected.into_std().unwrap()
    });
    connected.set_nonblocking(false).unwrap();
    connected.set_read_timeout(Some(PATIENCE)).unwrap();
    connected
}

/// Whether the server has closed a connection on which it has said nothing.
fn is_closed(socket: &TcpStream) -> bool {
    socket.set_nonblocking(true).unwrap();
    let mut byte = [0];
    let closed = match socket.peek(&mut byte) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    };
    socket.set_nonblocking(false).unwrap();
    closed
}

/// Waits until something is so.
#[track_caller]
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !so() {
        assert!(since.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The records of an action.
fn recorded(server: &Server, action: &str) -> Vec<Value> {
    let all = server.audit().into_iter();
    all.filter(|e| e["event.action"] == action).collect()
}

/// Records of that action and reason.
fn because(server: &Server, action: &str, reason: &str) -> Vec<Value> {
    let of_action = recorded(server, action).into_iter();
    of_action.filter(|e| e["event.reason"] == reason).collect()
}

/// A `GET` with a token and more headers.
fn get(server: &Server, target: &str, token: &str, more: &[(&str, &str)]) -> Reply {
    let bearer = format!("Bearer {token}");
    let headers = [&[("Authorization", bearer.as_str())], more].concat();
    server.call("GET", target, &headers, b"")
}

/// What a reply says, but for what tells one request from another.
fn said(reply: &Reply) -> (u16, Vec<(String, String)>, String) {
    let mut headers = reply.headers.clone();
    headers.retain(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()));
    headers.sort();
    (reply.status, headers, reply.text())
}
