//! A run that several processes store chunks of: each chunk once, whoever is quicker.

use std::sync::Barrier;
use std::thread;

use glovebox_connectors::postgres::{Mode, Options, Sink};
use glovebox_core::{Job, RowCounts, Sink as _, SinkError, Totals};
use glovebox_tests::postgres::Postgres;

use crate::data::{again, chunk, job, people, persons};
use crate::postgres_cable::Cable;
use crate::postgres_faults::{at_commit, commits};
use crate::postgres_rows::{options, rows};
use crate::postgres_runs::wait;

/// Chunks that two processes write at the same time.
const CHUNKS: u64 = 4;
const ROWS: i64 = 3;

/// How often they race for a range: seldom among other tests, `GLOVEBOX_RACES` times by hand.
fn races() -> u64 {
    let asked = std::env::var("GLOVEBOX_RACES");
    asked.map_or(40, |times| times.parse().unwrap())
}

/// The chunks of a range; `flushed` has a bit for each chunk behind which all is to be stored.
fn send(sink: &mut Sink, range: u64, flushed: u64) -> Result<(), SinkError> {
    for number in 0..CHUNKS {
        let index = range * CHUNKS + number;
        let first = index as i64 * ROWS;
        let all: Vec<_> = (first..first + ROWS)
            .map(|id| (Some(id), Some("somebody")))
            .collect();
        let chunk = chunk(sink, index, &persons(&all))?;
        sink.write(chunk)?;
        if flushed & 1 << number != 0 {
            sink.flush()?;
        }
    }
    sink.flush()
}

fn of(database: &str, mode: Mode) -> Options {
    let mut options = options(database, mode);
    if mode == Mode::Upsert {
        options.keys.push("id".into());
    }
    options
}

fn joined(database: &str, mode: Mode, run: &Job, turn: i64) -> Sink {
    let mut sink = Sink::new(of(database, mode));
    sink.join(&again(run), turn, &people()).unwrap();
    sink
}

#[test]
fn two_processes_at_one_range_store_each_chunk_once() {
    for (mode, share) in [(Mode::Append, 1), (Mode::Replace, 4), (Mode::Upsert, 4)] {
        let races = races() / share;
        let database = Postgres::shared().database("races");
        // Twice the same row would be refused, and called a reject.
        let unique = "CREATE TABLE people (id bigint PRIMARY KEY, name text)";
        Postgres::shared().query(&database, unique);
        let mut begins = Sink::new(of(&database, mode));
        let run = job();
        begins.open(&run, &people()).unwrap();
        let turn = begins.turn().unwrap();
        let mut others = [(); 2].map(|()| joined(&database, mode, &run, turn));
        let start = Barrier::new(2);
        thread::scope(|scope| {
            for (own, sink) in others.iter_mut().enumerate() {
                let start = &start;
                scope.spawn(move || {
                    for range in 0..races {
                        start.wait();
                        // Other groups in each race, so that some share chunks and some do not.
                        send(sink, range, range >> (own * 4)).unwrap();
                    }
                });
            }
        });
        drop(others);
        let chunks = races * CHUNKS;
        let stored = chunks * ROWS as u64;
        assert_eq!(begins.chunks(&run.run).unwrap().len() as u64, chunks);
        let totals = Totals {
            rows: RowCounts {
                read: stored,
                stored,
                ..RowCounts::default()
            },
            ..Totals::default()
        };
        let published = begins.commit(&totals).unwrap();
        assert!(published.refused.is_empty());
        let found = rows(&database, "SELECT count(*), count(DISTINCT id) FROM people");
        assert_eq!(found, [format!("{stored}|{stored}")], "{mode:?}");
        let rejects = rows(&database, "SELECT count(*) FROM glovebox.reject");
        assert_eq!(rejects, ["0"]);
    }
}

#[test]
fn who_joined_before_a_takeover_stores_nothing_and_leaves_the_run_alone() {
    let database = Postgres::shared().database("turns");
    let mut begins = Sink::new(options(&database, Mode::Append));
    let run = job();
    begins.open(&run, &people()).unwrap();
    let mut early = joined(&database, Mode::Append, &run, 1);
    send(&mut early, 0, 0).unwrap();
    let mut takes_over = Sink::new(options(&database, Mode::Append));
    takes_over.open(&again(&run), &people()).unwrap();
    assert_eq!(takes_over.turn(), Some(2));
    let fenced = send(&mut early, 1, 0).unwrap_err();
    assert!(matches!(fenced, SinkError::Fenced { .. }), "{fenced}");
    let mut late = Sink::new(options(&database, Mode::Append));
    let fenced = late.join(&again(&run), 1, &people()).unwrap_err();
    assert!(matches!(fenced, SinkError::Fenced { .. }), "{fenced}");
    assert_eq!(early.abort(), 0);
    drop(joined(&database, Mode::Append, &run, 2));
    let state = rows(&database, "SELECT state, epoch FROM glovebox.run");
    assert_eq!(state, ["running|2"]);
    let stored = (CHUNKS as i64 * ROWS).to_string();
    assert_eq!(rows(&database, "SELECT count(*) FROM people"), [stored]);
}

#[test]
fn a_commit_of_one_of_several_processes_that_got_no_reply_is_looked_up() {
    let database = Postgres::shared().database("lost_of_many");
    at_commit(
        &database,
        "IF nextval('times') = 1 THEN PERFORM pg_sleep(1); END IF",
    );
    let mut begins = Sink::new(options(&database, Mode::Append));
    let run = job();
    begins.open(&run, &people()).unwrap();
    let cable = Cable::lay(Postgres::shared());
    let mut options = options(&database, Mode::Append);
    options.login.port = cable.port;
    let mut other = Sink::new(options);
    other.join(&again(&run), 1, &people()).unwrap();
    let sends = thread::spawn(move || send(&mut other, 0, 0));
    commits(&database);
    cable.mute();
    let all = (CHUNKS as i64 * ROWS).to_string();
    wait(&database, "SELECT count(*) FROM people", &all);
    cable.cut();
    sends.join().unwrap().unwrap();
    assert_eq!(rows(&database, "SELECT count(*) FROM people"), [all]);
    let times = rows(&database, "SELECT last_value FROM times");
    assert_eq!(times, ["1"], "sent once");
}
