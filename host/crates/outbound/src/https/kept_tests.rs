//! A server in plain text on this machine that counts its connections, and what is sent over them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Runtime;

use super::super::{Plain, StatusCode};
use super::*;

const LIMITS: Limits = Limits {
    time: Duration::from_secs(20),
    size: 1000,
};
const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

/// Answers each request with what is made of its number, and closes where nothing is.
struct Server {
    address: Address,
    accepted: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
}

impl Server {
    fn start(says: impl Fn(usize) -> Option<String> + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (accepted, asked) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let (counts, asks, says) = (accepted.clone(), asked.clone(), Arc::new(says));
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                counts.fetch_add(1, Ordering::SeqCst);
                let (asks, says) = (asks.clone(), says.clone());
                std::thread::spawn(move || serve(socket, &asks, &*says));
            }
        });
        let address = format!("http://127.0.0.1:{port}/x");
        Server {
            address: Address::parse(&address, Plain::Loopback).unwrap(),
            accepted,
            asked,
        }
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

fn serve(socket: TcpStream, asked: &AtomicUsize, says: &dyn Fn(usize) -> Option<String>) {
    let mut reader = BufReader::new(socket.try_clone().unwrap());
    let mut line = String::new();
    let mut length = 0;
    loop {
        line.clear();
        if !matches!(reader.read_line(&mut line), Ok(1..)) {
            return;
        }
        if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = said.trim().parse().unwrap();
        }
        if line != "\r\n" {
            continue;
        }
        let mut body = vec![0; std::mem::take(&mut length)];
        reader.read_exact(&mut body).unwrap();
        match says(asked.fetch_add(1, Ordering::SeqCst)) {
            Some(said) => (&socket).write_all(said.as_bytes()).unwrap(),
            None => return drop(socket.shutdown(Shutdown::Both)),
        }
    }
}

fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread();
    { runtime }.worker_threads(1).enable_all().build().unwrap()
}

fn ask(runtime: &Runtime, client: &Client, server: &Server) -> Result<Reply, Failure> {
    runtime.block_on(client.send_kept(
        Method::POST,
        &server.address,
        HeaderMap::new(),
        "question".into(),
        LIMITS,
    ))
}

#[test]
fn one_connection_is_enough_for_requests_that_follow_each_other() {
    let server = Server::start(|_| Some(GOOD.into()));
    let (runtime, client) = (runtime(), Client::new(None).unwrap());
    for _ in 0..20 {
        assert_eq!(ask(&runtime, &client, &server).unwrap().body, "{}");
    }
    assert_eq!(server.accepted(), 1);
    let other = Server::start(|_| Some(GOOD.into()));
    assert!(ask(&runtime, &client, &other).is_ok());
    assert_eq!((server.accepted(), other.accepted()), (1, 1));
    // Another client may trust others, or show who it is.
    assert!(ask(&runtime, &Client::new(None).unwrap(), &server).is_ok());
    assert_eq!(server.accepted(), 2);
}

#[test]
fn only_after_a_whole_answer_of_success_is_a_connection_kept() {
    for (said, status) in [
        ("HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\n{}", 503),
        ("HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n", 429),
        (
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
            200,
        ),
        // More than was announced.
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}{}", 200),
    ] {
        let server = Server::start(|_| Some(said.into()));
        let (runtime, client) = (runtime(), Client::new(None).unwrap());
        for made in 1..=3 {
            let reply = ask(&runtime, &client, &server).unwrap();
            assert_eq!(reply.status, StatusCode::from_u16(status).unwrap());
            assert_eq!(server.accepted(), made, "{said}");
        }
    }
}

#[test]
fn a_connection_that_was_closed_is_replaced_and_one_that_is_new_is_not() {
    let server = Server::start(|number| (number % 3 != 1).then(|| GOOD.into()));
    let (runtime, client) = (runtime(), Client::new(None).unwrap());
    assert!(ask(&runtime, &client, &server).is_ok());
    // Closed when the second request came, which is sent again.
    assert!(ask(&runtime, &client, &server).is_ok());
    let asked = server.asked.load(Ordering::SeqCst);
    assert_eq!((server.accepted(), asked), (2, 3));
    let never = Server::start(|_| None);
    let failure = ask(&runtime, &client, &never).unwrap_err();
    assert!(matches!(failure, Failure::Protocol), "{failure:?}");
    assert_eq!(
        (never.accepted(), never.asked.load(Ordering::SeqCst)),
        (1, 1)
    );
}

#[test]
fn after_a_failure_no_connection_is_left_to_be_tried() {
    let large = format!("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n{:1001}", "");
    let server = Server::start(move |number| match number {
        3 => Some(large.clone()),
        _ => Some(GOOD.into()),
    });
    let (runtime, client) = (runtime(), Client::new(None).unwrap());
    let two = || async {
        let ask = || {
            let (headers, body) = (HeaderMap::new(), Bytes::new());
            client.send_kept(Method::POST, &server.address, headers, body, LIMITS)
        };
        let (first, second) = tokio::join!(ask(), ask());
        assert!(first.is_ok() && second.is_ok());
    };
    runtime.block_on(two());
    assert!(ask(&runtime, &client, &server).is_ok());
    assert_eq!(server.accepted(), 2);
    let failure = ask(&runtime, &client, &server).unwrap_err();
    assert!(matches!(failure, Failure::TooLarge(1000)), "{failure:?}");
    assert!(client.kept.waiting().idle.is_empty());
    assert!(ask(&runtime, &client, &server).is_ok());
    assert_eq!(server.accepted(), 3);
}

#[test]
fn a_connection_waits_for_a_time_and_gets_no_older_than_it_may() {
    let server = Server::start(|_| Some(GOOD.into()));
    let (runtime, client) = (runtime(), Client::new(None).unwrap());
    let waits = || client.kept.waiting().idle.len();
    assert!(ask(&runtime, &client, &server).is_ok());
    {
        let mut waiting = client.kept.waiting();
        assert!(waiting.swept);
        let until = waiting.idle[0].until;
        assert!(until <= Instant::now() + IDLE);
        let earlier = until - Duration::from_secs(1);
        assert_eq!(waiting.expire(earlier), Some(until));
        assert_eq!(waiting.expire(until), None);
        assert!(waiting.idle.is_empty());
    }
    assert!(ask(&runtime, &client, &server).is_ok());
    assert_eq!((server.accepted(), waits()), (2, 1));
    client.kept.waiting().idle[0].since -= MAX_AGE;
    assert!(ask(&runtime, &client, &server).is_ok());
    assert_eq!((server.accepted(), waits()), (2, 0));
}

#[test]
fn no_more_connections_wait_than_may() {
    let server = Server::start(|_| Some(GOOD.into()));
    let (runtime, client) = (runtime(), Client::new(None).unwrap());
    let (headers, body) = (HeaderMap::new(), Bytes::new());
    runtime.block_on(async {
        let opened = (0..=MAX_IDLE)
            .map(|_| async { driven(&server.address, nearby(&server.address).await?).await });
        let opened: Vec<_> = opened.collect();
        let reply = client.send(Method::POST, &server.address, headers, body, LIMITS);
        let reply = reply.await.unwrap();
        for connection in opened {
            client.kept.put(connection.await.unwrap(), &reply);
        }
    });
    assert_eq!(client.kept.waiting().idle.len(), MAX_IDLE);
}
