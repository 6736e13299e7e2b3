//! What an SQLite file keeps of a run: how it goes on, who may add to it, and what is public when.

use glovebox_connectors::sqlite::{Mode, Options, Sink};
use glovebox_core::{
    Batch, Job, Keeps, KeptReject, Known, Reject, RowCounts, Sink as _, SinkError, Totals,
    Violation,
};

use crate::data::{again, chunk, job, mark, people, persons};
use crate::sqlite::{File, file, options, rows};

fn person(id: i64, name: &str) -> Batch {
    persons(&[(Some(id), Some(name))])
}

/// Enough in one chunk for it to be stored at once.
fn many(from: i64) -> Batch {
    let name = "x".repeat(200);
    let rows: Vec<_> = (from..from + 50_000)
        .map(|id| (Some(id), Some(name.as_str())))
        .collect();
    persons(&rows)
}

fn open(file: &File, mode: Mode, job: &Job) -> Sink {
    let mut sink = Sink::new(options(file, mode));
    sink.open(job, &people()).unwrap();
    sink
}

fn put(sink: &mut Sink, index: u64, batch: &Batch) -> Result<(), SinkError> {
    let chunk = chunk(sink, index, batch)?;
    sink.write(chunk)
}

fn count(file: &File) -> String {
    rows(
        &file.path,
        "SELECT count(*), count(DISTINCT id) FROM people",
    )
    .join("")
}

#[test]
fn a_run_goes_on_behind_the_chunks_that_are_stored() {
    let file = file();
    let job = job();
    let mut sink = open(&file, Mode::Append, &job);
    sink.begins(&mark(0), 7).unwrap();
    put(&mut sink, 0, &many(0)).unwrap();
    put(&mut sink, 1, &many(50_000)).unwrap();
    put(&mut sink, 2, &person(100_000, "not stored")).unwrap();
    assert_eq!(sink.abort(), 100_000);
    assert_eq!(count(&file), "100000|100000");

    let history = sink.history().unwrap().unwrap();
    let [unfinished] = &history.running[..] else {
        panic!("{history:?}")
    };
    assert_eq!(
        (unfinished.run.as_str(), unfinished.rows.stored),
        (job.run.as_str(), 100_000)
    );
    assert_eq!(unfinished.beginning, Some(mark(0)));
    let this = format!("process {} on host", std::process::id());
    assert!(unfinished.living.as_ref().unwrap().starts_with(&this));
    assert_eq!(history.key.unwrap().expose().len(), 32);
    assert_eq!(sink.chunks(&job.run).unwrap().len(), 2);
    let known = sink.known(&[[1; 32], [9; 32]]).unwrap();
    let run = job.run.clone();
    let chunk = Known {
        run,
        digest: [1; 32],
        read: 50_000,
    };
    assert_eq!(known, [chunk]);

    let stored = sink.open(&again(&job), &people()).unwrap();
    let told: Vec<_> = stored
        .iter()
        .map(|c| (c.index, c.rows.stored, c.digest[0]))
        .collect();
    assert_eq!(told, [(0, 50_000, 0), (1, 50_000, 1)]);
    assert_eq!(stored[1].summary, "{\"chunk\":1}");
    put(&mut sink, 2, &person(100_000, "stored")).unwrap();
    let rows = RowCounts {
        read: 100_001,
        stored: 100_001,
        ..RowCounts::default()
    };
    sink.commit(&Totals {
        rows,
        input: mark(9),
    })
    .unwrap();
    assert_eq!(count(&file), "100001|100001");

    let history = sink.history().unwrap().unwrap();
    assert_eq!(history.running, []);
    let [finished] = &history.held[..] else {
        panic!("{history:?}")
    };
    assert_eq!(
        (finished.whole, finished.beginning),
        (Some(mark(9)), Some(mark(0)))
    );
    assert_eq!((finished.rows, finished.key), (rows, Some(7)));
    assert_eq!(sink.past("people").unwrap().unwrap(), history.held);
    assert_eq!(sink.past("others").unwrap().unwrap(), []);
    let refused = sink.open(&again(&job), &people()).unwrap_err();
    assert!(refused.to_string().contains("it has finished"), "{refused}");
}

#[test]
fn a_run_that_was_taken_over_stores_nothing_more() {
    let file = file();
    let job = job();
    let mut elder = open(&file, Mode::Append, &job);
    put(&mut elder, 0, &many(0)).unwrap();

    let mut younger = open(&file, Mode::Append, &again(&job));
    let fenced = put(&mut elder, 1, &many(50_000)).unwrap_err();
    assert!(matches!(fenced, SinkError::Fenced { .. }), "{fenced}");
    assert!(elder.commit(&Totals::default()).is_err());
    put(&mut younger, 1, &many(50_000)).unwrap();
    younger.commit(&Totals::default()).unwrap();
    assert_eq!(count(&file), "100000|100000");
}

#[test]
fn a_run_that_was_taken_over_does_not_close_the_journal() {
    let file = file();
    let job = job();
    let mut elder = open(&file, Mode::Append, &job);
    put(&mut elder, 0, &many(0)).unwrap();
    let mut younger = open(&file, Mode::Append, &again(&job));
    let fenced = elder.commit(&Totals::default()).unwrap_err();
    assert!(matches!(fenced, SinkError::Fenced { .. }), "{fenced}");
    younger.commit(&Totals::default()).unwrap();
}

#[test]
fn rejects_are_kept_with_their_chunk_and_come_back_by_row() {
    let file = file();
    let job = job();
    let mut sink = open(&file, Mode::Append, &job);
    let reject = |row, line| Reject {
        row,
        file: (row > 1000).then(|| "b \"2\".csv".into()),
        line,
        violations: vec![Violation {
            step: "check".into(),
            column: Some("na\"me".into()),
            rule: "required".into(),
            message: "is 'missing'".into(),
        }],
    };
    let mut late = chunk(&sink, 1, &person(2, "b")).unwrap();
    late.rejects = vec![reject(1001, None)];
    let mut early = chunk(&sink, 0, &person(1, "a")).unwrap();
    early.rejects = vec![reject(3, Some(5)), reject(7, Some(9))];
    sink.write(late).unwrap();
    sink.write(early).unwrap();
    sink.commit(&Totals::default()).unwrap();
    let mut kept: Vec<KeptReject> = Vec::new();
    sink.rejects(&job.run, &mut |reject| kept.push(reject))
        .unwrap();
    let places: Vec<_> = kept.iter().map(|k| (k.row, k.line)).collect();
    assert_eq!(places, [(3, Some(5)), (7, Some(9)), (1001, None)]);
    assert_eq!(kept[0].file, None);
    assert_eq!(kept[2].file.as_deref(), Some("b \"2\".csv"));
    assert_eq!(
        kept[0].violations,
        r#"[{"step":"check","column":"na\"me","rule":"required","message":"is 'missing'"}]"#
    );
}

#[test]
fn replaced_rows_are_public_at_the_end_and_a_dead_run_leaves_no_table_aside() {
    let file = file();
    let mut first = open(&file, Mode::Replace, &job());
    put(&mut first, 0, &person(1, "old")).unwrap();
    first.commit(&Totals::default()).unwrap();
    let index = "CREATE INDEX by_name ON people (name)";
    let _ = rows(&file.path, index);

    let dead = job();
    let mut sink = open(&file, Mode::Replace, &dead);
    put(&mut sink, 0, &many(0)).unwrap();
    assert_eq!(sink.abort(), 50_000);
    assert_eq!(rows(&file.path, "SELECT name FROM people"), ["'old'"]);

    // It can go on ...
    sink.open(&again(&dead), &people()).unwrap();
    drop(sink);
    // ... or be given up.
    let mut sink = open(&file, Mode::Replace, &job());
    put(&mut sink, 0, &person(2, "new")).unwrap();
    sink.commit(&Totals::default()).unwrap();
    assert_eq!(rows(&file.path, "SELECT id, name FROM people"), ["2|'new'"]);
    let aside =
        "SELECT name FROM sqlite_schema WHERE name LIKE 'glovebox_stage%' OR name = 'by_name'";
    assert_eq!(rows(&file.path, aside), ["'by_name'"]);
    let states = "SELECT state, count(*) FROM glovebox_run GROUP BY state ORDER BY state";
    assert_eq!(rows(&file.path, states), ["'abandoned'|1", "'finished'|2"]);
}

#[test]
fn a_replacement_lets_runs_end_that_have_staged_their_rows() {
    let file = file();
    let of = |pipeline: &str| Job {
        pipeline: pipeline.into(),
        ..job()
    };
    let mut first = open(&file, Mode::Replace, &of("first"));
    put(&mut first, 0, &many(0)).unwrap();
    first.abort();
    let mut second = open(&file, Mode::Replace, &of("second"));
    put(&mut second, 0, &person(2, "second")).unwrap();
    second.commit(&Totals::default()).unwrap();
    let states = "SELECT state FROM glovebox_run ORDER BY pipeline";
    assert_eq!(rows(&file.path, states), ["'running'", "'finished'"]);
}

fn upsert(file: &File) -> Options {
    Options {
        keys: vec!["id".into()],
        lenient: Default::default(),
        ..options(file, Mode::Upsert)
    }
}

#[test]
fn upserted_rows_take_the_place_of_those_with_their_key() {
    let file = file();
    let mut sink = Sink::new(upsert(&file));
    sink.open(&job(), &people()).unwrap();
    put(
        &mut sink,
        0,
        &persons(&[(Some(1), Some("a")), (Some(2), Some("b"))]),
    )
    .unwrap();
    sink.commit(&Totals::default()).unwrap();

    sink.open(&job(), &people()).unwrap();
    let twice = persons(&[
        (Some(2), Some("first")),
        (Some(3), Some("c")),
        (Some(2), Some("last")),
    ]);
    put(&mut sink, 0, &twice).unwrap();
    let keyless = chunk(&sink, 1, &persons(&[(None, Some("nobody"))])).unwrap();
    assert_eq!(keyless.rejects.len(), 1);
    sink.write(keyless).unwrap();
    assert_eq!(rows(&file.path, "SELECT count(*) FROM people"), ["2"]);
    sink.commit(&Totals::default()).unwrap();
    assert_eq!(
        rows(&file.path, "SELECT id, name FROM people ORDER BY id"),
        ["1|'a'", "2|'last'", "3|'c'"]
    );
}

#[test]
fn upsert_needs_a_unique_index_on_its_keys() {
    let file = file();
    let _ = rows(
        &file.path,
        "CREATE TABLE people (id INTEGER, name TEXT) STRICT",
    );
    let mut sink = Sink::new(upsert(&file));
    for refused in [
        sink.probe(&people(), Keeps::default()).unwrap_err(),
        sink.open(&job(), &people()).unwrap_err(),
    ] {
        let expected = "run: CREATE UNIQUE INDEX \"people_keys\" ON \"people\" (\"id\")";
        assert!(refused.to_string().contains(expected), "{refused}");
    }
    let _ = rows(&file.path, "CREATE UNIQUE INDEX people_keys ON people (id)");
    sink.probe(&people(), Keeps::default()).unwrap();

    let mut elsewhere = upsert(&file);
    elsewhere.keys.push("city".into());
    let refused = Sink::new(elsewhere)
        .probe(&people(), Keeps::default())
        .unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("`city` of `keys:` is not stored"),
        "{refused}"
    );
}

#[test]
fn who_slept_between_looking_and_beginning_stores_nothing() {
    let file = file();
    let mut elder = Sink::new(options(&file, Mode::Append));
    let mut younger = Sink::new(options(&file, Mode::Append));
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
    let file = file();
    let before = "CREATE TABLE glovebox_run (run TEXT PRIMARY KEY, pipeline TEXT NOT NULL, target TEXT \
        NOT NULL, mode TEXT NOT NULL, plan TEXT NOT NULL, source TEXT NOT NULL, length INTEGER, state \
        TEXT NOT NULL CHECK (state IN ('running', 'finished', 'abandoned')), epoch INTEGER NOT NULL, \
        started TEXT NOT NULL, finished TEXT, digest BLOB, \"read\" INTEGER, stored INTEGER, filtered \
        INTEGER, rejected INTEGER) STRICT; \
        CREATE TABLE glovebox_chunk (run TEXT NOT NULL, chunk INTEGER NOT NULL, first_row INTEGER NOT \
        NULL, \"read\" INTEGER NOT NULL, stored INTEGER NOT NULL, filtered INTEGER NOT NULL, rejected \
        INTEGER NOT NULL, digest BLOB NOT NULL, summary TEXT NOT NULL, PRIMARY KEY (run, chunk)) \
        STRICT, WITHOUT ROWID; \
        CREATE TABLE glovebox_reject (run TEXT NOT NULL, chunk INTEGER NOT NULL, \"row\" INTEGER NOT \
        NULL, line INTEGER, violations TEXT NOT NULL, file TEXT, PRIMARY KEY (run, \"row\")) STRICT, \
        WITHOUT ROWID; \
        INSERT INTO glovebox_run VALUES ('old', 'people', 'people', 'append', 'plan', 'people.csv', \
        100, 'running', 1, '2026-11-20 00:00:00Z', NULL, NULL, NULL, NULL, NULL, NULL); \
        INSERT INTO glovebox_chunk VALUES ('old', 0, 0, 3, 3, 0, 0, x'00', '{}')";
    let _ = rows(&file.path, before);
    let mut sink = Sink::new(options(&file, Mode::Append));
    let history = sink.history().unwrap().unwrap();
    assert_eq!(history.held[0].run, "old");
    assert_eq!(
        (history.held[0].key, history.held[0].rows.stored),
        (None, 3)
    );
    assert_eq!(history.running[0].living, None);
    sink.open(&job(), &people()).unwrap();
    put(&mut sink, 0, &person(1, "a")).unwrap();
    sink.commit(&Totals::default()).unwrap();
    assert_eq!(count(&file), "1|1");
}

#[test]
fn the_key_stays_and_a_secret_stands_in_for_it() {
    let file = file();
    let mut sink = open(&file, Mode::Append, &job());
    let key = sink.key().unwrap();
    put(&mut sink, 0, &person(1, "a")).unwrap();
    sink.commit(&Totals::default()).unwrap();
    let again = open(&file, Mode::Append, &job()).key().unwrap();
    assert_eq!((key.expose(), key.expose().len()), (again.expose(), 32));
    let secret = b"a secret of sixteen bytes or more";
    let mut named = Sink::new(Options {
        identity_key: Some(glovebox_core::Secret::new(secret.to_vec())),
        ..options(&file, Mode::Append)
    });
    named.open(&job(), &people()).unwrap();
    assert_eq!(named.key().unwrap().expose(), secret);
}

#[test]
fn a_process_out_of_sight_lives_as_long_as_it_has_the_file_open() {
    let file = file();
    let mut sink = open(&file, Mode::Append, &job());
    put(&mut sink, 0, &many(0)).unwrap();
    sink.abort();
    let elsewhere =
        "UPDATE glovebox_run SET runner = '{\"host\":\"box\",\"process\":12,\"boot\":\"x\"}'";
    let _ = rows(&file.path, elsewhere);
    let look = || {
        let mut other = Sink::new(options(&file, Mode::Append));
        other.history().unwrap().unwrap().running[0].living.clone()
    };
    assert_eq!(look(), None);
    // Another table's run has it open.
    let mut other = Sink::new(Options {
        table: "others".into(),
        ..options(&file, Mode::Append)
    });
    other.open(&job(), &people()).unwrap();
    assert_eq!(look().as_deref(), Some("process 12 on host `box`"));
    other.abort();
}
