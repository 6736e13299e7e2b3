//! Connections that must not come about, each with its own sentence, and one that is lost at the
//! worst moment.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use glovebox_connectors::postgres::{Mode, Options, Sink};
use glovebox_core::{Secret, Sink as _, SinkError, Totals};
use glovebox_tests::postgres::Postgres;

use crate::data::{job, people, persons, write};
use crate::postgres_rows::{options, rows};

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
    options.password = Secret::new(b"canary-password".to_vec());
    assert_eq!(
        complaint(options),
        server() + "the password of `glovebox` is wrong; store the right one (SQLSTATE 28P01)"
    );
}

#[test]
fn an_authority_that_did_not_sign() {
    let mut options = options("postgres", Mode::Append);
    let wrong = Postgres::shared().wrong_ca_path();
    options.tls.ca = Some(wrong.clone());
    assert_eq!(
        complaint(options.clone()),
        server()
            + &format!(
                "the server's certificate is not signed by an authority in `tls.ca` {}, nor by a \
                 public one; name the file of the authority that signed it",
                wrong.display()
            )
    );
    options.tls.ca = None;
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
    options.host = "127.0.0.2".into();
    let text = complaint(options);
    let expected = "the server's certificate is not for `127.0.0.2`; it is for ";
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("localhost"), "{text}");
    assert!(text.ends_with("or have one issued for this name"), "{text}");
}

#[test]
fn an_address_that_the_certificate_bears_is_as_good_as_a_name() {
    let mut options = options("postgres", Mode::Append);
    options.host = "127.0.0.1".into();
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
    options.port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let text = complaint(options.clone());
    let expected = "nothing listens there; start the server, or check `host` and `port`";
    assert!(text.ends_with(expected), "{text}");

    options.host = "no-such-host.invalid".into();
    let text = complaint(options);
    let expected = "no address is known for `no-such-host.invalid`; check `host`, or the machine's \
                    DNS";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn a_server_without_tls_gets_neither_password_nor_rows() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = options("postgres", Mode::Append);
    options.port = socket.local_addr().unwrap().port();
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
    options.port = socket.local_addr().unwrap().port();
    options.connect_timeout = Duration::from_millis(300);
    let started = Instant::now();
    let text = complaint(options);
    assert!(text.contains("no answer within 0.3 s"), "{text}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_unix_socket() {
    let mut options = options("postgres", Mode::Append);
    options.host = "/var/run/postgresql".into();
    assert!(complaint(options).contains("a Unix socket does not have"));
}

#[test]
fn a_file_that_holds_no_authority() {
    let mut options = options("postgres", Mode::Append);
    options.tls.ca = Some(PathBuf::from("/nowhere/ca.pem"));
    let text = complaint(options.clone());
    assert!(
        text.contains("cannot read `tls.ca` /nowhere/ca.pem: "),
        "{text}"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "no certificate").unwrap();
    options.tls.ca = Some(file.path().into());
    let text = complaint(options);
    assert!(text.contains("holds no certificate"), "{text}");
}

#[test]
fn a_commit_without_a_reply_is_not_called_a_failure() {
    let database = Postgres::shared().database("lost");
    Postgres::shared().query(
        &database,
        "CREATE TABLE people (id bigint, name text);
         CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER pause AFTER INSERT ON people
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pause()",
    );
    let cable = Cable::lay();
    let mut options = options(&database, Mode::Append);
    options.port = cable.port;
    let mut sink = Sink::new(options);
    sink.open(&job(), &people()).unwrap();
    write(&mut sink, &[persons(&[(Some(1), None)])]).unwrap();

    let watched = database.clone();
    let cutter = thread::spawn(move || {
        let committing = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{watched}' \
             AND application_name = 'glovebox' AND query = 'COMMIT' AND state = 'active'"
        );
        while rows("postgres", &committing) != ["1"] {
            thread::sleep(Duration::from_millis(10));
        }
        cable.cut();
    });
    let outcome = sink.commit(&Totals::default()).unwrap_err();
    cutter.join().unwrap();
    assert!(matches!(outcome, SinkError::Unknown { .. }), "{outcome}");
    assert!(
        outcome
            .to_string()
            .ends_with("look into the table before running again"),
        "{outcome}"
    );

    // And indeed: it was stored.
    let started = Instant::now();
    while rows(&database, "SELECT count(*) FROM people") != ["1"] {
        assert!(started.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_connection_lost_before_the_commit_stores_nothing() {
    let database = Postgres::shared().database("cut");
    let cable = Cable::lay();
    let mut options = options(&database, Mode::Append);
    options.port = cable.port;
    let mut sink = Sink::new(options);
    sink.open(&job(), &people()).unwrap();
    write(&mut sink, &[persons(&[(Some(1), None)])]).unwrap();
    cable.cut();
    let lost = sink.commit(&Totals::default()).unwrap_err();
    assert!(matches!(lost, SinkError::Io { .. }), "{lost}");
    assert!(
        lost.to_string()
            .contains("so nothing was stored; run again"),
        "{lost}"
    );
    assert_eq!(
        rows(&database, "SELECT to_regclass('people') IS NULL"),
        ["t"]
    );
}

/// A TCP connection to the server that can be cut.
struct Cable {
    port: u16,
    ends: Arc<Mutex<Vec<TcpStream>>>,
}

impl Cable {
    fn lay() -> Cable {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let ends: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let kept = ends.clone();
        thread::spawn(move || {
            let (client, _) = socket.accept().unwrap();
            let server = TcpStream::connect(("127.0.0.1", Postgres::shared().port())).unwrap();
            let both = [&client, &server].map(|end| end.try_clone().unwrap());
            kept.lock().unwrap().extend(both);
            let (up, down) = (
                (client.try_clone().unwrap(), server.try_clone().unwrap()),
                (server, client),
            );
            for (mut from, mut to) in [up, down] {
                thread::spawn(move || std::io::copy(&mut from, &mut to));
            }
        });
        Cable { port, ends }
    }

    fn cut(&self) {
        for end in self.ends.lock().unwrap().iter() {
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}
