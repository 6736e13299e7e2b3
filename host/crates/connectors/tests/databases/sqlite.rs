//! What an SQLite file holds after a load, which rows never get there, and tables that do not fit.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Date32Array, Float64Array, TimestampMicrosecondArray};
use glovebox_connectors::sqlite::{Mode, Options, Sink};
use glovebox_core::{DataType, Field, Keeps, Schema, Sink as _, SinkError, Totals};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column, Connection, Row, TypeInfo, ValueRef};

use crate::data::{
    DAY_MICROS, batch, every_kind_of_cell, every_type, job, load, people, persons, reasons, write,
};

pub(crate) struct File {
    _folder: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

pub(crate) fn file() -> File {
    let folder = tempfile::tempdir().unwrap();
    File {
        path: folder.path().join("test.db"),
        _folder: folder,
    }
}

pub(crate) fn options(file: &File, mode: Mode) -> Options {
    Options {
        path: file.path.clone(),
        table: "people".into(),
        mode,
        keys: Vec::new(),
        identity_key: None,
        lenient: Default::default(),
    }
}

/// Runs statements on a connection of its own, and returns the rows with each cell's type.
pub(crate) fn rows(path: &Path, sql: &str) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    runtime.block_on(async {
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let rows = sqlx::raw_sql(AssertSqlSafe(sql))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        rows.iter().map(shown).collect()
    })
}

fn shown(row: &SqliteRow) -> String {
    let cells = row.columns().iter().map(|column| {
        let i = column.ordinal();
        let raw = row.try_get_raw(i).unwrap();
        match raw.type_info().name() {
            _ if raw.is_null() => "∅".to_owned(),
            "INTEGER" => row.get::<i64, _>(i).to_string(),
            "REAL" => format!("{:?}", row.get::<f64, _>(i)),
            "TEXT" => format!("'{}'", row.get::<String, _>(i)),
            _ => format!("{:?}", row.get::<Vec<u8>, _>(i)),
        }
    });
    cells.collect::<Vec<_>>().join("|")
}

#[test]
fn every_type_round_trips() {
    let file = file();
    let mut options = options(&file, Mode::Append);
    options.table = "Every \"type\"".into();
    let sink = &mut Sink::new(options);
    let (stored, rejects) = load(sink, &every_type(), &[every_kind_of_cell()]).unwrap();
    assert_eq!((stored, rejects.len()), (4, 0));
    assert_eq!(
        rows(
            &file.path,
            "SELECT * FROM \"Every \"\"type\"\"\" ORDER BY id"
        ),
        [
            "1|1|-7|-0.1|'-1.2345678901'|'Zoë, \"漢字\" 🦀\t\\N\r\n'; DROP TABLE x; --'|\
             [0, 255, 92, 120]|'2000-02-29'|'2000-02-29T00:00:00.000001Z'",
            "2|0|9223372036854775807|inf|'9999999999999999999999999999.9999999999'|''|[]|\
             '9999-12-31'|'9999-12-31T23:59:59.999999Z'",
            "3|1|-9223372036854775808|5e-324|'-9999999999999999999999999999.9999999999'|'NULL'|\
             [97, 98, 99]|'0001-01-01'|'0001-01-01T00:00:00.000000Z'",
            "4|∅|∅|∅|∅|∅|∅|∅|∅",
        ]
    );
    assert_eq!(
        rows(
            &file.path,
            "SELECT sql FROM sqlite_schema WHERE name LIKE 'Every%'"
        ),
        [
            "'CREATE TABLE \"Every \"\"type\"\"\" (\"id\" INTEGER NOT NULL, \"yes\" INTEGER, \
             \"whole\" INTEGER, \"real\" REAL, \"price\" TEXT, \"Näme \"\"quoted\"\"\" TEXT, \
             \"raw\" BLOB, \"day\" TEXT, \"at\" TEXT) STRICT'"
        ]
    );
}

#[test]
fn the_file_is_for_its_owner_and_is_all_there_is() {
    let file = file();
    let one = persons(&[(Some(1), Some("a"))]);
    load(
        &mut Sink::new(options(&file, Mode::Append)),
        &people(),
        &[one],
    )
    .unwrap();
    let mode = std::fs::metadata(&file.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let folder = file.path.parent().unwrap();
    let names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["test.db"]);
    assert_eq!(rows(&file.path, "PRAGMA journal_mode"), ["'wal'"]);
}

#[test]
fn a_load_of_many_rows_arrives_whole() {
    let file = file();
    let chunk: Vec<_> = (0..8191).map(|i| (Some(i), Some("x"))).collect();
    let sink = &mut Sink::new(options(&file, Mode::Append));
    let chunks = vec![persons(&chunk); 3];
    assert_eq!(load(sink, &people(), &chunks).unwrap().0, 3 * 8191);
    assert_eq!(
        rows(
            &file.path,
            "SELECT count(*), sum(id), count(DISTINCT id) FROM people"
        ),
        [format!("{}|{}|8191", 3 * 8191, 3_i64 * 8191 * 8190 / 2)]
    );
}

#[test]
fn appending_keeps_and_replacing_replaces() {
    let file = file();
    let seen = || rows(&file.path, "SELECT id, name FROM people ORDER BY id");
    for id in [1, 2] {
        let sent = persons(&[(Some(id), None)]);
        load(
            &mut Sink::new(options(&file, Mode::Append)),
            &people(),
            &[sent],
        )
        .unwrap();
    }
    assert_eq!(seen(), ["1|∅", "2|∅"]);

    let mut sink = Sink::new(options(&file, Mode::Replace));
    sink.open(&job(), &people()).unwrap();
    assert_eq!(seen(), ["1|∅", "2|∅"]);
    write(&mut sink, &[persons(&[(Some(3), Some("new"))])]).unwrap();
    assert_eq!(seen(), ["1|∅", "2|∅"]);
    sink.commit(&Totals::default()).unwrap();
    assert_eq!(seen(), ["3|'new'"]);
}

#[test]
fn an_aborted_load_leaves_nothing() {
    let file = file();
    let mut sink = Sink::new(options(&file, Mode::Append));
    sink.open(&job(), &people()).unwrap();
    write(&mut sink, &[persons(&[(Some(1), None)])]).unwrap();
    sink.abort();
    // Not the file itself: another program may have opened it since.
    assert_eq!(
        rows(&file.path, "SELECT count(*) FROM sqlite_schema"),
        ["0"]
    );
    let beside = std::fs::read_dir(file.path.parent().unwrap()).unwrap();
    assert_eq!(beside.count(), 1);
    let refused = sink.commit(&Totals::default()).unwrap_err();
    assert!(matches!(refused, SinkError::Internal { .. }), "{refused}");

    let old = persons(&[(Some(1), Some("old"))]);
    load(
        &mut Sink::new(options(&file, Mode::Append)),
        &people(),
        &[old],
    )
    .unwrap();
    let mut sink = Sink::new(options(&file, Mode::Replace));
    sink.open(&job(), &people()).unwrap();
    write(&mut sink, &[persons(&[(Some(2), Some("new"))])]).unwrap();
    drop(sink);
    assert_eq!(rows(&file.path, "SELECT id, name FROM people"), ["1|'old'"]);
}

#[test]
fn rows_that_the_table_cannot_take_are_set_aside_and_the_rest_arrive() {
    let file = file();
    let schema = Schema::new(vec![
        Field::new("real", DataType::Float64),
        Field::new("day", DataType::Date),
        Field::new("at", DataType::Timestamp),
    ]);
    let first = i64::from(-719_162) * DAY_MICROS;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Float64Array::from(vec![f64::NAN, 0.0, 0.0, 0.0, -1.5])),
        Arc::new(Date32Array::from(vec![0, -719_163, 2_932_897, 0, 0])),
        Arc::new(
            TimestampMicrosecondArray::from(vec![0, 0, i64::MAX, first - 1, 0])
                .with_timezone("UTC"),
        ),
    ];
    let sink = &mut Sink::new(options(&file, Mode::Append));
    let (stored, rejects) = load(sink, &schema, &[batch(&schema, columns)]).unwrap();
    assert_eq!(stored, 1);
    let reason = |row, column: &str, rule: &str| (row, column.to_owned(), rule.to_owned());
    assert_eq!(
        reasons(&rejects),
        [
            reason(0, "real", "range"),
            reason(1, "day", "range"),
            reason(2, "day", "range"),
            reason(2, "at", "range"),
            reason(3, "at", "range"),
        ]
    );
    assert_eq!(
        rows(&file.path, "SELECT * FROM people"),
        ["-1.5|'1970-01-01'|'1970-01-01T00:00:00.000000Z'"]
    );

    rows(
        &file.path,
        "DROP TABLE people; CREATE TABLE people (id INTEGER NOT NULL, name TEXT)",
    );
    let sent = persons(&[(None, Some("\0")), (Some(2), Some("b"))]);
    let (_, rejects) = load(sink, &people(), &[sent]).unwrap();
    assert_eq!(
        reasons(&rejects),
        [reason(100, "id", "not-null"), reason(100, "name", "nul")]
    );
    assert_eq!(rows(&file.path, "SELECT * FROM people"), ["2|'b'"]);
}

#[test]
fn every_difference_is_listed_at_once() {
    let file = file();
    rows(
        &file.path,
        "CREATE TABLE people (id TEXT, yes INTEGER GENERATED ALWAYS AS (1), whole INTEGER, real TEXT, \
         price BLOB, raw BLOB, day NUMERIC, at VARCHAR(20), extra TEXT NOT NULL, \
         fine TEXT NOT NULL DEFAULT '')",
    );
    let options = options(&file, Mode::Append);
    let probed = Sink::new(options.clone())
        .probe(&every_type(), Keeps::default())
        .unwrap_err()
        .to_string();
    let opened = Sink::new(options.clone())
        .open(&job(), &every_type())
        .unwrap_err()
        .to_string();
    assert_eq!(probed, opened);
    assert_eq!(
        opened,
        format!(
            "table `people` in SQLite file {} does not fit: 8 differences:\n\
             \x20 - column `id` is TEXT, but int64 needs INTEGER, or another of integer, numeric \
             or real affinity\n\
             \x20 - column `yes` is generated by the table and cannot be filled; leave it out\n\
             \x20 - column `real` is TEXT, but float64 needs REAL, or another of real or numeric \
             affinity\n\
             \x20 - column `price` is BLOB, but decimal(38,10) needs TEXT, or one of numeric, \
             integer or real affinity\n\
             \x20 - column `Näme \"quoted\"` is missing; run: ALTER TABLE \"people\" ADD COLUMN \
             \"Näme \"\"quoted\"\"\" TEXT\n\
             \x20 - column `day` is NUMERIC, but date needs TEXT, or DATE, DATETIME or TIMESTAMP\n\
             \x20 - column `at` is VARCHAR(20), but timestamp needs TEXT, or DATE, DATETIME or \
             TIMESTAMP\n\
             \x20 - column `extra` is NOT NULL without a default, but the run does not fill it; fill it, or give it a default\n\
             change the table or the manifest's `sink.columns`, or use another table",
            file.path.display()
        )
    );
}

#[test]
fn a_key_that_sqlite_numbers_itself_need_not_be_filled() {
    let file = file();
    rows(
        &file.path,
        "CREATE TABLE people (number INTEGER PRIMARY KEY NOT NULL, id BIGINT, name TEXT)",
    );
    let sent = persons(&[(Some(7), None), (Some(8), None)]);
    load(
        &mut Sink::new(options(&file, Mode::Append)),
        &people(),
        &[sent],
    )
    .unwrap();
    assert_eq!(rows(&file.path, "SELECT * FROM people"), ["1|7|∅", "2|8|∅"]);
}

#[test]
fn columns_that_differ_in_case_only_are_refused() {
    let file = file();
    let schema = Schema::new(vec![
        Field::new("Name", DataType::Text),
        Field::new("name", DataType::Text),
    ]);
    let refused = Sink::new(options(&file, Mode::Append))
        .open(&job(), &schema)
        .unwrap_err();
    let expected =
        "columns `Name` and `name` are the same for SQLite, which ignores case; rename one";
    assert!(refused.to_string().contains(expected), "{refused}");
    assert!(!file.path.exists());
}

#[test]
fn a_refused_row_is_told_without_its_cells() {
    let file = file();
    rows(
        &file.path,
        "CREATE TABLE people (id INTEGER, name TEXT UNIQUE)",
    );
    let sent = persons(&[
        (Some(1), Some("canary-5b1f")),
        (Some(2), Some("canary-5b1f")),
    ]);
    let mut sink = Sink::new(options(&file, Mode::Append));
    let (stored, rejects) = load(&mut sink, &people(), &[sent]).unwrap();
    assert_eq!(
        &*rejects[0].violations[0].message,
        "a row with the same key already exists; remove duplicates, or use mode replace (SQLite \
         result 2067: UNIQUE constraint failed: people.name)"
    );
    assert!(!format!("{rejects:?}").contains("canary"));
    assert_eq!((stored, rejects.len()), (1, 1));
    assert_eq!(rows(&file.path, "SELECT count(*) FROM people"), ["1"]);

    rows(
        &file.path,
        "CREATE TRIGGER refuse BEFORE INSERT ON people BEGIN SELECT RAISE(ABORT, 'no canary-77aa'); END",
    );
    let sent = persons(&[(Some(1), Some("canary-77aa"))]);
    let (_, rejects) = load(&mut sink, &people(), &[sent]).unwrap();
    let shown = format!("{rejects:?}");
    assert!(!shown.contains("canary"), "{shown}");
    assert!(
        shown.contains("a trigger of the table refused a row"),
        "{shown}"
    );
}

#[test]
fn probing_changes_nothing() {
    let file = file();
    Sink::new(options(&file, Mode::Replace))
        .probe(&people(), Keeps::default())
        .unwrap();
    assert!(!file.path.exists());
    let one = persons(&[(Some(1), None)]);
    load(
        &mut Sink::new(options(&file, Mode::Append)),
        &people(),
        &[one],
    )
    .unwrap();
    let before = std::fs::read(&file.path).unwrap();
    Sink::new(options(&file, Mode::Replace))
        .probe(&people(), Keeps::default())
        .unwrap();
    assert_eq!(std::fs::read(&file.path).unwrap(), before);
}

#[test]
fn what_is_not_a_database_is_left_alone() {
    let file = file();
    std::fs::write(&file.path, "id,name\n1,a\n".repeat(100)).unwrap();
    let refused = Sink::new(options(&file, Mode::Append))
        .open(&job(), &people())
        .unwrap_err();
    let expected = "the file is not a SQLite database; name another file";
    assert!(refused.to_string().contains(expected), "{refused}");
    assert!(std::fs::read(&file.path).unwrap().starts_with(b"id,name"));

    let mut nowhere = options(&file, Mode::Append);
    nowhere.path = file.path.with_file_name("missing").join("x.db");
    for refused in [
        Sink::new(nowhere.clone())
            .probe(&people(), Keeps::default())
            .unwrap_err(),
        Sink::new(nowhere.clone())
            .open(&job(), &people())
            .unwrap_err(),
    ] {
        assert!(
            refused.to_string().contains("there is no folder "),
            "{refused}"
        );
    }
}

#[test]
fn a_file_that_another_load_holds_is_waited_for_and_then_named() {
    let file = file();
    let mut first = Sink::new(options(&file, Mode::Append));
    first.open(&job(), &people()).unwrap();
    let started = Instant::now();
    let mut second = Sink::new(options(&file, Mode::Append));
    let refused = second.open(&job(), &people()).unwrap_err();
    let expected = "another program is writing to the file; try again when it is done";
    assert!(refused.to_string().contains(expected), "{refused}");
    assert!(started.elapsed() < Duration::from_secs(60));
    first.commit(&Totals::default()).unwrap();
    load(&mut second, &people(), &[persons(&[(Some(1), None)])]).unwrap();
    assert_eq!(rows(&file.path, "SELECT count(*) FROM people"), ["1"]);
}
