//! Runs that stop in the middle, go on, are taken over or given up; and what the books say of them.

use std::thread;
use std::time::{Duration, Instant};

use glovebox_connectors::postgres::{Mode, Sink};
use glovebox_core::{Batch, ChunkRecord, Job, RowCounts, Sink as _, SinkError, Totals};
use glovebox_tests::postgres::Postgres;

use crate::data::{again, chunk, job, load, people, persons, write};
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
        digest: [7; 32],
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
    send(&mut sink, 0..2).unwrap();
    wait(&database, "SELECT count(*) FROM glovebox.chunk", "2");
    let small = chunk(&sink, 2, &persons(&[(Some(1_000_000), None)])).unwrap();
    sink.write(small).unwrap();
    assert_eq!(sink.abort(), 200);

    let mut sink = Sink::new(options.clone());
    let history = sink.history("people", "plan").unwrap().unwrap();
    let unfinished = history.unfinished.unwrap();
    assert_eq!(history.appends, mode == Mode::Append);
    assert_eq!(unfinished.run, first.run);
    assert_eq!(unfinished.length, Some(100));
    assert_eq!(unfinished.first_chunk, Some([0; 32]));
    assert_eq!(unfinished.rows, totals(200).rows);
    assert_eq!(history.finished, []);

    let stored = sink.open(&again(&first), &people()).unwrap();
    let record = |index: u64| ChunkRecord {
        index,
        first_row: index * 1000,
        rows: totals(100).rows,
        digest: [index as u8; 32],
        summary: format!("{{\"chunk\":{index}}}"),
    };
    assert_eq!(stored, [record(0), record(1)]);
    send(&mut sink, 2..4).unwrap();
    sink.commit(&totals(400)).unwrap();
    whole(&database, 4);
    let history = sink.history("people", "plan").unwrap().unwrap();
    assert_eq!(history.unfinished, None);
    assert_eq!(history.finished[0].digest, Some([7; 32]));
    assert_eq!(sink.past("people").unwrap().unwrap(), history.finished);
    assert_eq!(sink.past("others").unwrap().unwrap(), []);
    assert_eq!(
        sink.history("people", "other").unwrap().unwrap().finished,
        []
    );
    assert_eq!(
        sink.history("others", "plan").unwrap().unwrap().finished,
        []
    );
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
    // One that has written nothing since may not close the books either.
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
    behind.port = cable.port;
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
            .contains("was begun in mode append into public.people"),
        "{refused}"
    );
    let refused = other.open(&again(&job()), &people()).unwrap_err();
    assert!(refused.to_string().contains("it knows no run"), "{refused}");
}

#[test]
fn history_makes_nothing() {
    let database = Postgres::shared().database("no_books");
    let mut sink = Sink::new(options(&database, Mode::Append));
    let history = sink.history("people", "plan").unwrap().unwrap();
    assert_eq!((history.unfinished, history.finished), (None, Vec::new()));
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
    options.database = database.clone();
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
                fewer.contains("holds 0 rows, but the books say 100"),
                "{fewer}"
            );
            sink.abort();
        }
        Postgres::shared().query(&database, &format!("DROP TABLE {table}"));
        let gone = sink.open(&again(&run), &people()).unwrap_err().to_string();
        assert!(
            gone.contains("the table that they went to is gone"),
            "{gone}"
        );
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
        seen: Some(sink.history("people", "plan").unwrap().unwrap().seen),
        ..job()
    };
    let (first, second) = (decide(&mut elder), decide(&mut younger));
    younger.open(&second, &people()).unwrap();
    younger.commit(&Totals::default()).unwrap();
    let refused = elder.open(&first, &people());
    assert!(
        matches!(refused, Err(SinkError::Fenced { .. })),
        "{refused:?}"
    );
    // It may look again.
    let third = decide(&mut elder);
    elder.open(&third, &people()).unwrap();
    elder.abort();
}
