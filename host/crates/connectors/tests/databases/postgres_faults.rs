//! Connections that break and servers that crash in the middle of a run, which ends whole.

use std::thread;
use std::time::Duration;

use glovebox_connectors::postgres::{Mode, Sink};
use glovebox_core::{Sink as _, SinkError, Totals};
use glovebox_tests::postgres::Postgres;

use crate::data::{again, chunk, job, people, persons, write};
use crate::postgres_cable::Cable;
use crate::postgres_rows::{options, rows};
use crate::postgres_runs::{large, send, wait, whole};

/// A table whose rows make a COMMIT do this first: by what a deferred trigger defers, since a sink
/// has all fire before the COMMIT that waits when the rows are there.
pub(crate) fn at_commit(database: &str, sql: &str) {
    Postgres::shared().query(
        database,
        &format!(
            "CREATE SEQUENCE times;
             CREATE TABLE people (id bigint, name text);
             CREATE TABLE moments (id bigint);
             CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN {sql}; RETURN NULL; END $$;
             CREATE TABLE later (id bigint);
             CREATE CONSTRAINT TRIGGER late AFTER INSERT ON later
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
             CREATE FUNCTION soon() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN SET CONSTRAINTS late DEFERRED; INSERT INTO later VALUES (NEW.id); \
             RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER soon AFTER INSERT ON moments
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION soon();
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO moments VALUES (NEW.id); RETURN NULL; END $$;
             CREATE TRIGGER note AFTER INSERT ON people FOR EACH ROW
             WHEN (NEW.id % 100 = 0) EXECUTE FUNCTION note()"
        ),
    );
}

/// Waits for a COMMIT that takes its time: none before it, which is over at once.
pub(crate) fn commits(database: &str) {
    wait(
        "postgres",
        &format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' \
             AND query = 'COMMIT' AND state = 'active' \
             AND clock_timestamp() - query_start > interval '100 ms'"
        ),
        "1",
    );
}

#[test]
fn a_session_that_is_ended_is_replaced() {
    let database = Postgres::shared().database("ended");
    let mut sink = Sink::new(options(&database, Mode::Append));
    sink.open(&job(), &people()).unwrap();
    for index in 0..4 {
        send(&mut sink, index..index + 1).unwrap();
        let end = format!(
            "SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity \
             WHERE datname = '{database}' AND application_name LIKE 'glovebox %'"
        );
        wait(&database, &end, "t");
    }
    sink.commit(&Totals::default()).unwrap();
    whole(&database, 4);
}

#[test]
fn a_session_that_ends_in_its_commit_is_replaced() {
    let database = Postgres::shared().database("ends_itself");
    // Three times, then no more: a sequence does not go back with the transaction.
    at_commit(
        &database,
        "IF nextval('times') <= 3 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF",
    );
    let mut sink = Sink::new(options(&database, Mode::Append));
    sink.open(&job(), &people()).unwrap();
    send(&mut sink, 0..3).unwrap();
    sink.commit(&Totals::default()).unwrap();
    whole(&database, 3);
    let fired = rows(&database, "SELECT last_value > 3 FROM times");
    assert_eq!(fired, ["t"]);
}

#[test]
fn what_passes_is_tried_again_and_what_does_not_is_told() {
    for code in ["40P01", "40001"] {
        let database = Postgres::shared().database("passes");
        let raise = format!("IF nextval('times') = 1 THEN RAISE SQLSTATE '{code}'; END IF");
        at_commit(&database, &raise);
        let mut sink = Sink::new(options(&database, Mode::Append));
        sink.open(&job(), &people()).unwrap();
        send(&mut sink, 0..1).unwrap();
        sink.commit(&Totals::default()).unwrap();
        whole(&database, 1);
        assert_eq!(rows(&database, "SELECT last_value > 1 FROM times"), ["t"]);
    }
    let database = Postgres::shared().database("full");
    at_commit(&database, "RAISE SQLSTATE '53100'");
    let mut sink = Sink::new(options(&database, Mode::Append));
    sink.open(&job(), &people()).unwrap();
    send(&mut sink, 0..1).unwrap();
    let full = sink.commit(&Totals::default()).unwrap_err();
    let expected = "the server's disk is full; free space there, then continue with `glovebox run \
                   --resume` (SQLSTATE 53100)";
    assert!(full.to_string().ends_with(expected), "{full}");
    assert_eq!(sink.abort(), 0);
    assert_eq!(rows(&database, "SELECT count(*) FROM glovebox.run"), ["0"]);
}

/// The reply to the COMMIT of a statement on `people` never comes, and the COMMIT takes effect.
fn lose_a_reply(mode: Mode, name: &str) {
    let database = Postgres::shared().database(name);
    at_commit(
        &database,
        "IF nextval('times') = 1 THEN PERFORM pg_sleep(1); END IF",
    );
    let cable = Cable::lay(Postgres::shared());
    let mut options = options(&database, mode);
    options.login.port = cable.port;
    let mut sink = Sink::new(options);
    sink.open(&job(), &people()).unwrap();
    let run = thread::spawn(move || {
        write(&mut sink, &[persons(&[(Some(0), None), (Some(1), None)])]).unwrap();
        sink.commit(&Totals::default()).map(drop)
    });
    commits(&database);
    cable.mute();
    wait(&database, "SELECT count(*) FROM people", "2");
    cable.cut();
    run.join().unwrap().unwrap();
    assert_eq!(rows(&database, "SELECT count(*) FROM people"), ["2"]);
    // Sent once: the second attempt has looked.
    assert_eq!(rows(&database, "SELECT last_value FROM times"), ["1"]);
    assert_eq!(
        rows(&database, "SELECT state FROM glovebox.run"),
        ["finished"]
    );
}

#[test]
fn a_chunk_whose_commit_got_no_reply_is_looked_up() {
    lose_a_reply(Mode::Append, "lost_chunk");
}

#[test]
fn a_publication_whose_commit_got_no_reply_is_looked_up() {
    lose_a_reply(Mode::Replace, "lost_publication");
}

#[test]
fn a_publication_that_can_never_be_looked_up_is_called_unknown() {
    let database = Postgres::shared().database("unknown");
    at_commit(&database, "PERFORM pg_sleep(1)");
    let cable = Cable::lay(Postgres::shared());
    let mut options = options(&database, Mode::Replace);
    options.login.port = cable.port;
    options.retry_for = Duration::ZERO;
    let mut sink = Sink::new(options);
    sink.open(&job(), &people()).unwrap();
    let run = thread::spawn(move || {
        write(&mut sink, &[persons(&[(Some(0), None)])]).unwrap();
        sink.commit(&Totals::default()).map(drop)
    });
    commits(&database);
    cable.cut();
    let unknown = run.join().unwrap().unwrap_err();
    assert!(matches!(unknown, SinkError::Unknown { .. }), "{unknown}");
    assert!(unknown.to_string().contains("--resume"), "{unknown}");
}

#[test]
fn a_server_that_crashes_and_recovers_loses_and_doubles_nothing() {
    let server = Postgres::start();
    server.query("postgres", "CREATE TABLE people (id bigint, name text)");
    let mut options = options("postgres", Mode::Append);
    options.login.port = server.port();
    options.login.password = glovebox_core::Secret::new(server.password().into());
    options.login.ca = Some(server.ca_path());
    options.retry_for = Duration::from_secs(120);
    let mut sink = Sink::new(options);
    sink.open(&job(), &people()).unwrap();
    send(&mut sink, 0..2).unwrap();
    // One process that dies makes the server end all others and recover from its log.
    let checkpointer = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'";
    let before = server.query("postgres", checkpointer)[0][0]
        .clone()
        .unwrap();
    let kill = format!(
        "COPY (SELECT 1 WHERE false) TO PROGRAM '(sleep 0.3; kill -9 {before}) > /dev/null 2>&1 &'"
    );
    server.query("postgres", &kill);
    for index in 2..12 {
        send(&mut sink, index..index + 1).unwrap();
        thread::sleep(Duration::from_millis(100));
    }
    sink.commit(&Totals::default()).unwrap();
    let counts = "SELECT count(*), count(DISTINCT id), max(id) FROM people";
    let found: Vec<String> = server.query("postgres", counts)[0]
        .iter()
        .map(|cell| cell.clone().unwrap_or_default())
        .collect();
    assert_eq!(found, ["1200", "1200", "1199"]);
    let after = server.query("postgres", checkpointer)[0][0]
        .clone()
        .unwrap();
    assert_ne!(before, after, "it did not crash");
}

#[test]
fn a_role_that_may_have_one_connection_needs_no_more() {
    let server = Postgres::shared();
    let database = server.database("lonely");
    server.query(
        &database,
        "CREATE ROLE hermit LOGIN PASSWORD 'hermit' CONNECTION LIMIT 1;
         CREATE SCHEMA glovebox AUTHORIZATION hermit;
         CREATE TABLE public.people (id bigint, name text); GRANT ALL ON public.people TO hermit",
    );
    let mut options = options(&database, Mode::Append);
    options.login.user = "hermit".into();
    options.login.password = glovebox_core::Secret::new(b"hermit".to_vec());
    options.connections = std::num::NonZero::new(4);
    let mut sink = Sink::new(options);
    sink.history().unwrap();
    let run = job();
    sink.open(&run, &people()).unwrap();
    send(&mut sink, 0..8).unwrap();
    sink.abort();
    let stored = sink.open(&again(&run), &people()).unwrap().len() as u64;
    for index in 0..8 {
        let mut chunk = chunk(&sink, index, &large(index)).unwrap();
        chunk.record.index += stored * 100;
        sink.write(chunk).unwrap();
    }
    sink.commit(&Totals::default()).unwrap();
    let chunks = rows(&database, "SELECT count(*) FROM glovebox.chunk");
    assert_eq!(chunks, [(stored + 8).to_string()]);
}
