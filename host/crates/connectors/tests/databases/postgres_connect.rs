//! Connections that must not come about, each with its own sentence.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use glovebox_connectors::postgres::{self, Mode, Options, Sink};
use glovebox_core::{Keeps, Secret, Sink as _, SinkError};
use glovebox_tests::postgres::Postgres;
use sqlx::{ConnectOptions, Connection};

use crate::data::people;
use crate::postgres_rows::options;

fn complaint(options: Options) -> String {
    let refused = Sink::new(options)
        .probe(&people(), Keeps::default())
        .unwrap_err();
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
                "the server's certificate is signed neither by an authority in `tls.ca` {} nor by \
                a public one; set `tls.ca` to the authority that signed it",
                wrong.display()
            )
    );
    options.login.ca = None;
    assert_eq!(
        complaint(options),
        server()
            + "the server's certificate is not signed by a public authority; give your \
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
    Sink::new(options)
        .probe(&people(), Keeps::default())
        .unwrap();
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
    let expected =
        "the name `no-such-host.invalid` cannot be resolved; check `host`, or this machine's DNS";
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
    assert!(text.contains("has no certificate"), "{text}");
}

/// The options of a server of one's own.
fn options_of(server: &Postgres) -> Options {
    let mut options = options("postgres", Mode::Append);
    options.login.port = server.port();
    options.login.password = Secret::new(server.password().into());
    options.login.ca = Some(server.ca_path());
    options
}

const NO_SERVER: &str = "the server's certificate is not a server certificate but, for example, an authority's own \
    (CA:TRUE); if it is for `localhost`, put this certificate into the file of `tls.ca`, or have one issued for \
    `localhost`, as \"Creating Certificates\" in PostgreSQL's manual shows";

#[test]
fn a_certificate_that_is_its_own_authority_is_as_good_as_psql_finds_it() {
    let server = Postgres::start();
    server.show_own_certificate("LOCALHOST", 2199).unwrap();
    let answer = server.query("postgres", "SELECT 1");
    assert_eq!(answer, [[Some("1".into())]], "psql takes it by verify-full");
    Sink::new(options_of(&server))
        .probe(&people(), Keeps::default())
        .unwrap();

    let mut wrong = options_of(&server);
    wrong.login.password = Secret::new(b"canary-password".to_vec());
    let text = complaint(wrong);
    assert!(
        text.contains("the password of `glovebox` is wrong"),
        "{text}"
    );

    let mut elsewhere = options_of(&server);
    elsewhere.login.port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let text = complaint(elsewhere);
    assert!(text.contains("nothing listens there; start"), "{text}");
}

#[test]
fn pools_connect_to_a_certificate_that_is_its_own_authority_again_and_again() {
    let server = Postgres::start();
    server.show_own_certificate("localhost", 2199).unwrap();
    let verified = postgres::verified(&options_of(&server).login).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for _ in 0..3 {
        let encrypted: bool = runtime.block_on(async {
            let mut connection = verified.connect().await.unwrap();
            let ssl = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
            let (encrypted,) = sqlx::query_as(ssl)
                .fetch_one(&mut connection)
                .await
                .unwrap();
            connection.close().await.unwrap();
            encrypted
        });
        assert!(encrypted);
    }
}

#[test]
fn a_certificate_that_is_its_own_authority_must_bear_the_name_and_be_valid() {
    let server = Postgres::start();
    server.show_own_certificate("elsewhere", 2199).unwrap();
    let text = complaint(options_of(&server));
    assert!(text.ends_with(NO_SERVER), "{text}");

    server.show_own_certificate("localhost", 2002).unwrap();
    let text = complaint(options_of(&server));
    let expected = "the server's certificate has expired; have it renewed";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn a_certificate_of_the_same_name_and_another_key_is_not_the_same() {
    let server = Postgres::start();
    server.show_own_certificate("localhost", 2199).unwrap();
    let known = tempfile::NamedTempFile::new().unwrap();
    std::fs::copy(server.ca_path(), known.path()).unwrap();
    server.show_own_certificate("localhost", 2199).unwrap();
    let mut options = options_of(&server);
    options.login.ca = Some(known.path().into());
    let text = complaint(options);
    assert!(text.ends_with(NO_SERVER), "{text}");
}
