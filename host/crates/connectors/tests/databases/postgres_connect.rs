//! Connections that must not come about, each with its own sentence.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use glovebox_connectors::postgres::{Mode, Options, Sink};
use glovebox_core::{Secret, Sink as _, SinkError};
use glovebox_tests::postgres::Postgres;

use crate::data::people;
use crate::postgres_rows::options;

fn complaint(options: Options) -> String {
    let refused = Sink::new(options).probe(&people()).unwrap_err();
    assert!(matches!(refused, SinkError::Connect { .. }), "{refused}");
    refused.to_string()
}

fn server() -> String {
    let port = Postgres::shared().port();
    format!("cannot connect to PostgreSQL database `postgres` at localhost:{port}: ")
}

#[test]
fn a_wrong_password() {
    let mut options = options("postgres", Mode::Append);
    options.login.password = Secret::new(b"canary-password".to_vec());
    assert_eq!(
        complaint(options),
        server() + "the password of `glovebox` is wrong; store the right one (SQLSTATE 28P01)"
    );
}

#[test]
fn an_authority_that_did_not_sign() {
    let mut options = options("postgres", Mode::Append);
    let wrong = Postgres::shared().wrong_ca_path();
    options.login.ca = Some(wrong.clone());
    assert_eq!(
        complaint(options.clone()),
        server()
            + &format!(
                "the server's certificate is not signed by an authority in `tls.ca` {}, nor by a \
                 public one; name the file of the authority that signed it",
                wrong.display()
            )
    );
    options.login.ca = None;
    assert_eq!(
        complaint(options),
        server()
            + "the server's certificate is not signed by a public authority; name your \
               authority's certificate with `tls: { ca: FILE }`"
    );
}

#[test]
fn a_name_that_the_certificate_does_not_bear() {
    let mut options = options("postgres", Mode::Append);
    options.login.host = "127.0.0.2".into();
    let text = complaint(options);
    let expected = "the server's certificate is not for `127.0.0.2`; it is for ";
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("localhost"), "{text}");
    assert!(text.ends_with("or have one issued for this name"), "{text}");
}

#[test]
fn an_address_that_the_certificate_bears_is_as_good_as_a_name() {
    let mut options = options("postgres", Mode::Append);
    options.login.host = "127.0.0.1".into();
    Sink::new(options).probe(&people()).unwrap();
}

#[test]
fn a_database_that_is_missing() {
    let options = options("nowhere", Mode::Append);
    let text = complaint(options);
    let expected = "there is no such database; run: createdb nowhere, or check `database` \
                    (SQLSTATE 3D000)";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn a_server_that_is_not_there() {
    let mut options = options("postgres", Mode::Append);
    options.login.port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let text = complaint(options.clone());
    let expected = "nothing listens there; start the server, or check `host` and `port`";
    assert!(text.ends_with(expected), "{text}");

    options.login.host = "no-such-host.invalid".into();
    let text = complaint(options);
    let expected = "no address is known for `no-such-host.invalid`; check `host`, or the machine's \
                    DNS";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn a_server_without_tls_gets_neither_password_nor_rows() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = options("postgres", Mode::Append);
    options.login.port = socket.local_addr().unwrap().port();
    let heard = thread::spawn(move || {
        let (mut client, _) = socket.accept().unwrap();
        let mut request = [0; 8];
        client.read_exact(&mut request).unwrap();
        client.write_all(b"N").unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).unwrap();
        rest
    });
    let text = complaint(options);
    assert!(text.contains("the server does not offer TLS"), "{text}");
    assert_eq!(heard.join().unwrap(), b"");
}

#[test]
fn a_server_that_does_not_answer_is_waited_for_no_longer_than_said() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = options("postgres", Mode::Append);
    options.login.port = socket.local_addr().unwrap().port();
    options.login.connect_timeout = Duration::from_millis(300);
    let started = Instant::now();
    let text = complaint(options);
    assert!(text.contains("no answer within 0.3 s"), "{text}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_unix_socket() {
    let mut options = options("postgres", Mode::Append);
    options.login.host = "/var/run/postgresql".into();
    assert!(complaint(options).contains("a Unix socket does not have"));
}

#[test]
fn a_file_that_holds_no_authority() {
    let mut options = options("postgres", Mode::Append);
    options.login.ca = Some(PathBuf::from("/nowhere/ca.pem"));
    let text = complaint(options.clone());
    assert!(
        text.contains("cannot read `tls.ca` /nowhere/ca.pem: "),
        "{text}"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "no certificate").unwrap();
    options.login.ca = Some(file.path().into());
    let text = complaint(options);
    assert!(text.contains("holds no certificate"), "{text}");
}
