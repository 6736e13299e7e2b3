//! Runs that stop in the middle, go on, are taken over or given up; and what the journal says of them.

use std::thread;
use std::time::{Duration, Instant};

use glovebox_connectors::postgres::{Mode, Sink};
use glovebox_core::{
    Batch, ChunkRecord, Job, Keeps, Known, RowCounts, RunState, Sink as _, SinkError, Totals,
};
use glovebox_tests::postgres::Postgres;

use crate::data::{again, chunk, job, load, mark, people, persons, write};
use crate::postgres_cable::Cable;
use crate::postgres_rows::{options, rows};

/// Rows `100 * index ..`, with text that makes a group of them.
pub(crate) fn large(index: u64) -> Batch {
    let text = "x".repeat(50_000);
    let first = index as i64 * 100;
    let all: Vec<_> = (first..first + 100)
        .map(|id| (Some(id), Some(text.as_str())))
        .collect();
    persons(&all)
}

/// Writes chunks of [`large`] rows.
pub(crate) fn send(sink: &mut Sink, indices: std::ops::Range<u64>) -> Result<(), SinkError> {
    for index in indices {
        let chunk = chunk(sink, index, &large(index))?;
        sink.write(chunk)?;
    }
    Ok(())
}

/// Waits until a query says so.
pub(crate) fn wait(database: &str, sql: &str, expected: &str) {
    let start = Instant::now();
    while rows(database, sql) != [expected] {
        assert!(start.elapsed() < Duration::from_secs(60), "{sql}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// What `chunks` chunks of [`large`] rows come to, each row once.
pub(crate) fn whole(database: &str, chunks: u64) {
    let n = chunks * 100;
    assert_eq!(
        rows(
            database,
            "SELECT count(*), count(DISTINCT id), min(id), max(id) FROM people"
        ),
        [format!("{n}|{n}|0|{}", n - 1)]
    );
}

fn totals(stored: u64) -> Totals {
    Totals {
        rows: RowCounts {
            read: stored,
            stored,
            ..RowCounts::default()
        },
        input: mark(3),
    }
}

fn goes_on_where_it_stopped(mode: Mode) {
    let database = Postgres::shared().database("resume");
    let mut options = options(&database, mode);
    if mode == Mode::Upsert {
        options.keys = vec!["id".into()];
    }
    let first = job();
    let mut sink = Sink::new(options.clone());
    assert_eq!(sink.open(&first, &people()).unwrap(), []);
    assert_eq!(sink.key().unwrap().expose().len(), 32);
    sink.begins(&mark(0), 7).unwrap();
    send(&mut sink, 0..2).unwrap();
    wait(&database, "SELECT count(*) FROM glovebox.chunk", "2");
    let small = chunk(&sink, 2, &persons(&[(Some(1_000_000), None)])).unwrap();
    sink.write(small).unwrap();
    assert_eq!(sink.abort(), 200);

    let mut sink = Sink::new(options.clone());
    let history = sink.history().unwrap().unwrap();
    let [unfinished] = &history.running[..] else {
        panic!("{history:?}")
    };
    assert_eq!(history.appends, mode == Mode::Append);
    assert_eq!(unfinished.run, first.run);
    assert_eq!(unfinished.beginning, Some(mark(0)));
    assert_eq!(unfinished.rows, totals(200).rows);
    assert_eq!((unfinished.key, &*unfinished.parts), (Some(7), "{}"));
    // It is this process, which lives.
    let this = format!("process {} on host", std::process::id());
    assert!(unfinished.living.as_ref().unwrap().starts_with(&this));
    assert_eq!(history.key.unwrap().expose().len(), 32);
    assert_eq!(sink.chunks(&first.run).unwrap().len(), 2);
    let known = sink.known(&[[1; 32], [9; 32]]).unwrap();
    let run = first.run.clone();
    let chunk = Known {
        run,
        digest: [1; 32],
        read: 100,
    };
    assert_eq!(known, [chunk]);

    let stored = sink.open(&again(&first), &people()).unwrap();
    let record = |index: u64| ChunkRecord {
        index,
        first_row: index * 1000,
        rows: totals(100).rows,
        digest: [index as u8; 32],
        upto: Some(mark(index)),
        summary: format!("{{\"chunk\":{index}}}"),
    };
    assert_eq!(stored, [record(0), record(1)]);
    send(&mut sink, 2..4).unwrap();
    sink.commit(&totals(400)).unwrap();
    whole(&database, 4);
    let history = sink.history().unwrap().unwrap();
    assert_eq!(history.running, []);
    let past = sink.past("people").unwrap().unwrap();
    assert_eq!(past[0].whole, Some(mark(3)));
    assert_eq!(past[0].state, RunState::Finished);
    match mode {
        Mode::Append => assert_eq!(history.held, past),
        _ => assert_eq!(history.held, []),
    }
    assert_eq!(sink.past("others").unwrap().unwrap(), []);
    let left = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'stage%'";
    assert_eq!(rows(&database, left), ["0"]);
}

#[test]
fn an_append_goes_on_where_it_stopped() {
    goes_on_where_it_stopped(Mode::Append);
}

#[test]
fn a_replacement_goes_on_where_it_stopped() {
    goes_on_where_it_stopped(Mode::Replace);
}

#[test]
fn an_upsert_goes_on_where_it_stopped() {
    goes_on_where_it_stopped(Mode::Upsert);
}

#[test]
fn whoever_takes_a_run_over_has_it_alone() {
    let database = Postgres::shared().database("fence");
    let options = options(&database, Mode::Append);
    let run = job();
    let mut elder = Sink::new(options.clone());
    elder.open(&run, &people()).unwrap();
    send(&mut elder, 0..1).unwrap();
    wait(&database, "SELECT count(*) FROM glovebox.chunk", "1");

    let mut younger = Sink::new(options.clone());
    assert_eq!(younger.open(&again(&run), &people()).unwrap().len(), 1);
    send(&mut elder, 1..2).unwrap();
    let fenced = elder.commit(&totals(200)).unwrap_err();
    assert!(matches!(fenced, SinkError::Fenced { .. }), "{fenced}");
    elder.abort();
    // One that has written nothing since may not close the journal either.
    let mut idle = Sink::new(options.clone());
    idle.open(&again(&run), &people()).unwrap();
    younger.abort();
    let mut younger = Sink::new(options);
    younger.open(&again(&run), &people()).unwrap();
    let fenced = idle.commit(&totals(100)).unwrap_err();
    assert!(matches!(fenced, SinkError::Fenced { .. }), "{fenced}");
    send(&mut younger, 1..2).unwrap();
    younger.commit(&totals(200)).unwrap();
    whole(&database, 2);
}

#[test]
fn a_runner_that_stopped_in_a_transaction_neither_blocks_nor_comes_back() {
    let database = Postgres::shared().database("asleep");
    let cable = Cable::lay(Postgres::shared());
    let mut behind = options(&database, Mode::Append);
    behind.login.port = cable.port;
    let run = job();
    let mut elder = Sink::new(behind);
    elder.open(&run, &people()).unwrap();
    send(&mut elder, 0..1).unwrap();
    wait(&database, "SELECT count(*) FROM glovebox.chunk", "1");
    // Its next chunk stops in the middle of a COPY.
    cable.hold_after(1 << 20);
    let begun = thread::spawn(move || {
        let outcome = send(&mut elder, 1..2).and_then(|()| elder.commit(&totals(200)));
        (elder, outcome)
    });
    wait(
        "postgres",
        &format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' \
             AND query LIKE 'COPY%' AND state = 'active'"
        ),
        "1",
    );

    let mut younger = Sink::new(options(&database, Mode::Append));
    assert_eq!(younger.open(&again(&run), &people()).unwrap().len(), 1);
    send(&mut younger, 1..2).unwrap();
    cable.cut();
    let (_elder, outcome) = begun.join().unwrap();
    let fenced = outcome.unwrap_err();
    assert!(matches!(fenced, SinkError::Fenced { .. }), "{fenced}");
    younger.commit(&totals(200)).unwrap();
    whole(&database, 2);
}

#[test]
fn a_new_run_gives_an_unfinished_one_up() {
    let database = Postgres::shared().database("given_up");
    let options = options(&database, Mode::Replace);
    let first = job();
    let mut elder = Sink::new(options.clone());
    elder.open(&first, &people()).unwrap();
    send(&mut elder, 0..1).unwrap();
    wait(&database, "SELECT count(*) FROM glovebox.chunk", "1");

    let mut other = Sink::new(options.clone());
    load(&mut other, &people(), &[large(0)]).unwrap();
    let fenced = elder.commit(&totals(100)).unwrap_err();
    assert!(matches!(fenced, SinkError::Fenced { .. }), "{fenced}");
    elder.abort();
    whole(&database, 1);
    assert_eq!(
        rows(&database, "SELECT state FROM glovebox.run ORDER BY started"),
        ["abandoned", "finished"]
    );
    let left = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'stage%'";
    assert_eq!(rows(&database, left), ["0"]);
    let refused = Sink::new(options)
        .open(&again(&first), &people())
        .unwrap_err();
    assert!(refused.to_string().contains("is abandoned"), "{refused}");
}

#[test]
fn a_run_goes_on_only_as_it_began() {
    let database = Postgres::shared().database("other_mode");
    let run = job();
    let mut sink = Sink::new(options(&database, Mode::Append));
    sink.open(&run, &people()).unwrap();
    write(&mut sink, &[large(0)]).unwrap();
    wait(&database, "SELECT count(*) FROM glovebox.chunk", "1");
    sink.abort();
    let mut other = Sink::new(options(&database, Mode::Replace));
    let refused = other.open(&again(&run), &people()).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("began in mode append into public.people"),
        "{refused}"
    );
    let refused = other.open(&again(&job()), &people()).unwrap_err();
    assert!(refused.to_string().contains("it has no run"), "{refused}");
}

#[test]
fn history_makes_nothing() {
    let database = Postgres::shared().database("no_journal");
    let mut sink = Sink::new(options(&database, Mode::Append));
    let history = sink.history().unwrap().unwrap();
    assert_eq!((history.running, history.held), (Vec::new(), Vec::new()));
    assert!(history.key.is_none());
    sink.rejects("none", &mut |_| panic!("there are no rejects"))
        .unwrap();
    assert_eq!(
        rows(
            &database,
            "SELECT count(*) FROM pg_namespace WHERE nspname = 'glovebox'"
        ),
        ["0"]
    );
}

#[test]
fn rejects_are_kept_with_their_chunk() {
    let database = Postgres::shared().database("kept");
    let mut sink = Sink::new(options(&database, Mode::Append));
    let run = job();
    sink.open(&run, &people()).unwrap();
    for index in [0, 1] {
        let batch = persons(&[(Some(1), Some("\0")), (Some(2), Some("fine"))]);
        let mut chunk = chunk(&sink, index, &batch).unwrap();
        for reject in &mut chunk.rejects {
            reject.row += (1 - index) * 1000;
            reject.line = (index == 0).then_some(7);
            // As a plugin might put it.
            reject.violations[0].message = "no \0 please, \"quoted\"".into();
        }
        sink.write(chunk).unwrap();
    }
    sink.commit(&totals(2)).unwrap();
    let mut kept = Vec::new();
    sink.rejects(&run.run, &mut |reject| kept.push(reject))
        .unwrap();
    let found: Vec<_> = kept.iter().map(|k| (k.row, k.line)).collect();
    assert_eq!(found, [(100, None), (1100, Some(7))]);
    assert_eq!(
        kept[0].violations,
        "[{\"step\":\"sink\",\"column\":\"name\",\"rule\":\"nul\",\
         \"message\":\"no \\u0000 please, \\\"quoted\\\"\"}]"
    );
}

#[test]
fn rows_in_order_come_over_one_connection() {
    let database = Postgres::shared().database("ordered");
    let mut options = options(&database, Mode::Append);
    options.ordered = true;
    options.connections = std::num::NonZero::new(4);
    let mut sink = Sink::new(options.clone());
    sink.open(&job(), &people()).unwrap();
    send(&mut sink, 0..6).unwrap();
    sink.commit(&totals(600)).unwrap();
    let ordered = "SELECT count(*) FROM (SELECT id, lag(id) OVER (ORDER BY ctid) AS before \
                   FROM people) pairs WHERE id <= before";
    assert_eq!(rows(&database, ordered), ["0"]);
    whole(&database, 6);

    options.ordered = false;
    let database = Postgres::shared().database("parallel");
    options.login.database = database.clone();
    let mut sink = Sink::new(options);
    sink.open(&job(), &people()).unwrap();
    send(&mut sink, 0..12).unwrap();
    sink.commit(&totals(1200)).unwrap();
    whole(&database, 12);
}

#[test]
fn a_table_that_went_missing_with_its_rows_is_noticed() {
    for mode in [Mode::Append, Mode::Replace] {
        let database = Postgres::shared().database("gone");
        let run = job();
        let mut sink = Sink::new(options(&database, mode));
        sink.open(&run, &people()).unwrap();
        send(&mut sink, 0..1).unwrap();
        wait(&database, "SELECT count(*) FROM glovebox.chunk", "1");
        assert_eq!(sink.abort(), 100);
        let table = match mode {
            Mode::Append => "public.people".to_owned(),
            _ => format!("glovebox.\"stage_{}\"", run.run),
        };
        Postgres::shared().query(&database, &format!("DELETE FROM {table}"));
        if mode == Mode::Replace {
            sink.open(&again(&run), &people()).unwrap();
            let fewer = sink.commit(&totals(100)).unwrap_err().to_string();
            assert!(
                fewer.contains("holds 0 rows, but the journal says 100"),
                "{fewer}"
            );
            sink.abort();
        }
        Postgres::shared().query(&database, &format!("DROP TABLE {table}"));
        let gone = sink.open(&again(&run), &people()).unwrap_err().to_string();
        assert!(gone.contains("their table is gone"), "{gone}");
        assert_eq!(
            rows(&database, "SELECT to_regclass('public.people') IS NULL"),
            ["t"]
        );
    }
}

#[test]
fn who_slept_between_looking_and_beginning_stores_nothing() {
    let database = Postgres::shared().database("slept");
    let mut elder = Sink::new(options(&database, Mode::Append));
    let mut younger = Sink::new(options(&database, Mode::Append));
    let decide = |sink: &mut Sink| Job {
        seen: Some(sink.history().unwrap().unwrap().seen),
        ..job()
    };
    let (first, second) = (decide(&mut elder), decide(&mut younger));
    younger.open(&second, &people()).unwrap();
    younger.commit(&Totals::default()).unwrap();
    let refused = elder.open(&first, &people());
    assert!(
        matches!(refused, Err(SinkError::Overtaken { .. })),
        "{refused:?}"
    );
    // It may look again.
    let third = decide(&mut elder);
    elder.open(&third, &people()).unwrap();
    elder.abort();
}

#[test]
fn journals_of_the_version_before_are_brought_up_to_date() {
    let database = Postgres::shared().database("renewed");
    let before = "CREATE SCHEMA glovebox; \
        CREATE TABLE glovebox.run (run text PRIMARY KEY, pipeline text NOT NULL, target text NOT \
        NULL, mode text NOT NULL, plan text NOT NULL, source text NOT NULL, length bigint, state \
        text NOT NULL CHECK (state IN ('running', 'finished', 'abandoned')), epoch bigint NOT NULL, \
        started timestamp with time zone NOT NULL DEFAULT pg_catalog.clock_timestamp(), finished \
        timestamp with time zone, digest bytea, read bigint, stored bigint, filtered bigint, \
        rejected bigint); \
        CREATE TABLE glovebox.chunk (run text NOT NULL, chunk bigint NOT NULL, first_row bigint NOT \
        NULL, read bigint NOT NULL, stored bigint NOT NULL, filtered bigint NOT NULL, rejected \
        bigint NOT NULL, digest bytea NOT NULL, summary text NOT NULL, PRIMARY KEY (run, chunk)); \
        CREATE TABLE glovebox.reject (run text NOT NULL, chunk bigint NOT NULL, \"row\" bigint NOT \
        NULL, line bigint, violations json NOT NULL, file text); \
        COMMENT ON TABLE glovebox.run IS 'Glovebox journal, version 2'; \
        INSERT INTO glovebox.run VALUES ('old', 'people', 'public.people', 'append', 'plan', \
        'people.csv', 100, 'finished', 1, now(), now(), '\\x00', 3, 3, 0, 0)";
    for statement in before.split("; ") {
        Postgres::shared().query(&database, statement);
    }
    let mut sink = Sink::new(options(&database, Mode::Append));
    sink.probe(&people(), Keeps::default()).unwrap();
    let kept = "SELECT obj_description('glovebox.run'::regclass)";
    assert_eq!(rows(&database, kept), ["Glovebox journal, version 2"]);
    let history = sink.history().unwrap().unwrap();
    assert_eq!(history.held[0].run, "old");
    assert_eq!((history.held[0].key, history.held[0].whole), (None, None));
    assert_eq!(rows(&database, kept), ["Glovebox journal, version 3"]);
    load(&mut sink, &people(), &[large(0)]).unwrap();
    whole(&database, 1);
}

#[test]
fn the_journal_key_is_for_loaders_only_and_the_same_for_all_of_them() {
    let database = Postgres::shared().database("key");
    let mut sink = Sink::new(options(&database, Mode::Append));
    sink.open(&job(), &people()).unwrap();
    let key = sink.key().unwrap();
    sink.commit(&totals(0)).unwrap();
    let mut other = options(&database, Mode::Append);
    other.table = "others".into();
    let mut other = Sink::new(other);
    other.open(&job(), &people()).unwrap();
    assert_eq!(other.key().unwrap().expose(), key.expose());
    let readers = "SELECT count(*) FROM pg_class, aclexplode(relacl) WHERE relname = 'key' \
                   AND grantee <> relowner";
    assert_eq!(rows(&database, readers), ["0"]);

    let mut named = options(&database, Mode::Append);
    let secret = b"a secret of sixteen bytes or more";
    named.identity_key = Some(glovebox_core::Secret::new(secret.to_vec()));
    named.table = "named".into();
    let mut named = Sink::new(named);
    named.open(&job(), &people()).unwrap();
    assert_eq!(named.key().unwrap().expose(), secret);
}

#[test]
fn rows_of_runs_before_a_replacement_are_not_held_any_more() {
    let database = Postgres::shared().database("replaced");
    let mut append = Sink::new(options(&database, Mode::Append));
    load(&mut append, &people(), &[large(0)]).unwrap();
    let dead = Job {
        pipeline: "others".into(),
        ..job()
    };
    append.open(&dead, &people()).unwrap();
    send(&mut append, 1..2).unwrap();
    wait(&database, "SELECT count(*) FROM glovebox.chunk", "2");
    append.abort();
    assert_eq!(append.history().unwrap().unwrap().held.len(), 2);
    let mut replace = Sink::new(options(&database, Mode::Replace));
    load(&mut replace, &people(), &[large(3)]).unwrap();
    let history = append.history().unwrap().unwrap();
    let [held] = &history.held[..] else {
        panic!("{history:?}")
    };
    assert!(!held.appends);
    assert_eq!(history.running, []);
    let refused = append.open(&again(&dead), &people()).unwrap_err();
    assert!(refused.to_string().contains("is abandoned"), "{refused}");
}

#[test]
fn a_run_of_a_process_out_of_sight_lives_as_long_as_it_holds_a_session() {
    let database = Postgres::shared().database("sight");
    let run = job();
    let mut sink = Sink::new(options(&database, Mode::Append));
    sink.open(&run, &people()).unwrap();
    let elsewhere = "UPDATE glovebox.run SET runner = \
        '{\"host\":\"db7\",\"process\":12,\"boot\":\"x\"}'";
    Postgres::shared().query(&database, elsewhere);
    let look = || {
        let mut other = Sink::new(options(&database, Mode::Append));
        let history = other.history().unwrap().unwrap();
        history.running[0].living.clone()
    };
    assert_eq!(look().as_deref(), Some("process 12 on host `db7`"));
    send(&mut sink, 0..1).unwrap();
    wait(&database, "SELECT count(*) FROM glovebox.chunk", "1");
    sink.abort();
    assert_eq!(look(), None);
}
