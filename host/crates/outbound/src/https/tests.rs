//! Servers that answer too much, too late or nonsense, over plain text on this machine.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::*;

const QUICK: Limits = Limits {
    time: Duration::from_secs(20),
    size: 1000,
};

/// Asks a server that reads a request, writes this and, unless told to, does not close.
fn ask(says: &[u8], closes: bool, limits: Limits) -> Result<Reply, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let says = says.to_vec();
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let _ = socket.read(&mut [0; 4096]);
        let _ = socket.write_all(&says);
        if !closes {
            // Until the client has had enough.
            let _ = socket.read(&mut [0; 16]);
        }
    });
    let address = Address::parse(&format!("http://127.0.0.1:{port}/x"), Plain::Loopback).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let client = Client::new(None).unwrap();
    let answer = runtime.block_on(client.get(&address, limits));
    server.join().unwrap();
    answer
}

fn told(says: &[u8], closes: bool) -> String {
    match ask(says, closes, QUICK) {
        Ok(reply) => panic!("{reply:?}"),
        Err(failure) => failure.to_string(),
    }
}

#[test]
fn a_whole_answer_is_one_however_it_ends() {
    for says in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
    ] {
        assert_eq!(ask(says, true, QUICK).unwrap().body, "{}");
    }
}

#[test]
fn what_is_too_much_or_nonsense_is_refused() {
    let long = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(1001));
    assert_eq!(
        told(long.as_bytes(), true),
        "its answer is larger than 1000 bytes"
    );
    let just = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(1000));
    assert!(ask(just.as_bytes(), true, QUICK).is_ok());
    let nonsense = "it did not answer with valid HTTP/1.1, or closed the connection";
    let head = format!(
        "HTTP/1.1 200 OK\r\nX: {}\r\n\r\n{{}}",
        "x".repeat(3 * MAX_HEAD_SIZE)
    );
    assert_eq!(told(head.as_bytes(), false), nonsense);
    for says in [
        &b""[..],
        b"canary\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        assert_eq!(
            told(says, true),
            nonsense,
            "{}",
            String::from_utf8_lossy(says)
        );
    }
    let moved = told(
        b"HTTP/1.1 301 Gone\r\nLocation: http://canary/\r\n\r\n",
        true,
    );
    assert!(moved.starts_with("it redirects (301)") && !moved.contains("canary"));
    assert_eq!(
        told(b"HTTP/1.1 500 canary\r\n\r\n", true),
        "it answered 500"
    );
}

#[test]
fn an_answer_that_never_ends_is_not_waited_for() {
    let limits = Limits {
        time: Duration::from_millis(50),
        ..QUICK
    };
    for says in [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"] {
        let answer = ask(says, false, limits);
        assert!(matches!(answer, Err(Failure::TooSlow(_))), "{answer:?}");
    }
}

#[test]
fn a_neighbour_that_does_not_take_a_connection_is_not_waited_for_long() {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let failure = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        // Nobody accepts, and there is room for one that waits.
        let listener = socket.listen(0).unwrap();
        let place = listener.local_addr().unwrap();
        let _waits = TcpStream::connect(place).await.unwrap();
        let address = Address::parse(&format!("http://{place}/"), Plain::Metadata).unwrap();
        let client = Client::new(None).unwrap();
        client.get(&address, QUICK).await.unwrap_err()
    });
    assert!(
        matches!(failure, Failure::Unreachable(io::ErrorKind::TimedOut)),
        "{failure:?}"
    );
}

#[test]
fn ones_own_authorities_are_trusted_besides_the_public_ones_only_where_that_is_wanted() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = own.cert.pem();
    assert_eq!(roots(Some(pem.as_bytes())).unwrap().len(), 1);
    let public = webpki_roots::TLS_SERVER_ROOTS.len();
    assert_eq!(roots(None).unwrap().len(), public);
    assert_eq!(besides(pem.as_bytes()).unwrap().len(), public + 1);
    assert!(besides(b"no certificate").is_err());
}

#[test]
fn a_file_without_a_certificate_vouches_for_nobody() {
    for pem in [
        &b""[..],
        b"no certificate",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        assert!(Client::new(Some(pem)).is_err());
    }
}
