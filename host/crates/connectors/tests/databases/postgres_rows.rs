//! What PostgreSQL holds after a load, and which rows never get there.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, Date32Array, Decimal128Array, TimestampMicrosecondArray};
use glovebox_connectors::postgres::{Login, Mode, Options, Sink};
use glovebox_core::{DataType, Field, Schema, Secret, Sink as _, SinkError, Totals};
use glovebox_tests::postgres::Postgres;

use crate::data::{
    batch, every_kind_of_cell, every_type, job, load, people, persons, reasons, write,
};

pub(crate) fn options(database: &str, mode: Mode) -> Options {
    let server = Postgres::shared();
    Options {
        login: Login {
            host: server.host().into(),
            port: server.port(),
            database: database.into(),
            user: server.user().into(),
            password: Secret::new(server.password().into()),
            ca: Some(server.ca_path()),
            connect_timeout: Duration::from_secs(20),
        },
        table: "people".into(),
        mode,
        keys: Vec::new(),
        identity_key: None,
        lenient: Default::default(),
        journal: Options::JOURNAL.into(),
        connections: None,
        ordered: false,
        retry_for: Duration::from_secs(20),
    }
}

pub(crate) fn rows(database: &str, sql: &str) -> Vec<String> {
    Postgres::shared()
        .query(database, sql)
        .into_iter()
        .map(|row| {
            let cells: Vec<String> = row.into_iter().map(|c| c.unwrap_or("∅".into())).collect();
            cells.join("|")
        })
        .collect()
}

#[test]
fn every_type_round_trips() {
    let database = Postgres::shared().database("types");
    let mut options = options(&database, Mode::Append);
    options.table = "public.Every \"type\"".into();
    let loaded = load(
        &mut Sink::new(options),
        &every_type(),
        &[every_kind_of_cell()],
    )
    .unwrap();
    assert_eq!(loaded.0, 4);
    assert!(loaded.1.is_empty());

    let cells = "SELECT id, yes, whole, real, price, \"Näme \"\"quoted\"\"\", encode(raw, 'hex'), \
                 day, at AT TIME ZONE 'UTC' FROM \"Every \"\"type\"\"\" ORDER BY id";
    assert_eq!(
        rows(&database, cells),
        [
            "1|t|-7|-0.1|-1.2345678901|Zoë, \"漢字\" 🦀\t\\N\r\n'; DROP TABLE x; --|00ff5c78|\
             2000-02-29|2000-02-29 00:00:00.000001",
            "2|f|9223372036854775807|Infinity|9999999999999999999999999999.9999999999|||\
             9999-12-31|9999-12-31 23:59:59.999999",
            "3|t|-9223372036854775808|5e-324|-9999999999999999999999999999.9999999999|NULL|616263|\
             0001-01-01|0001-01-01 00:00:00",
            "4|∅|∅|∅|∅|∅|∅|∅|∅",
        ]
    );
    let types = "SELECT column_name, data_type, is_nullable FROM information_schema.columns \
                 WHERE table_name = 'Every \"type\"' ORDER BY ordinal_position";
    assert_eq!(
        rows(&database, types),
        [
            "id|bigint|NO",
            "yes|boolean|YES",
            "whole|bigint|YES",
            "real|double precision|YES",
            "price|numeric|YES",
            "Näme \"quoted\"|text|YES",
            "raw|bytea|YES",
            "day|date|YES",
            "at|timestamp with time zone|YES",
        ]
    );
}

#[test]
fn decimals_of_every_scale_are_exact() {
    let database = Postgres::shared().database("decimals");
    let most = 10_i128.pow(38) - 1;
    let mut values: Vec<i128> = vec![0, 1, -1, 9999, 10_000, -10_001, most, -most];
    // Powers of ten and their neighbours are where groups of digits begin and end.
    for power in 1..38 {
        let ten = 10_i128.pow(power);
        values.extend([ten, -ten, ten - 1, 1 - ten, ten + 1, ten / 3]);
    }
    let mut fields = vec![Field::new("id", DataType::Int64)];
    let ids: arrow_array::Int64Array = (0..values.len() as i64).map(Some).collect();
    let mut columns: Vec<ArrayRef> = vec![Arc::new(ids)];
    for scale in 0..=38_u8 {
        let data_type = DataType::Decimal {
            precision: 38,
            scale,
        };
        fields.push(Field::new(format!("s{scale}"), data_type));
        let cells = Decimal128Array::from(values.clone())
            .with_precision_and_scale(38, scale as i8)
            .unwrap();
        columns.push(Arc::new(cells));
    }
    let schema = Schema::new(fields);
    let sent = batch(&schema, columns);
    let (stored, _) = load(
        &mut Sink::new(options(&database, Mode::Append)),
        &schema,
        std::slice::from_ref(&sent),
    )
    .unwrap();
    assert_eq!(stored, values.len() as u64);

    let held = Postgres::shared().query(&database, "SELECT * FROM people ORDER BY id");
    for scale in 0..=38_usize {
        let cells = sent.columns.column(scale + 1);
        let cells = cells.as_any().downcast_ref::<Decimal128Array>().unwrap();
        for (row, cell) in held.iter().enumerate() {
            let shown = cell[scale + 1].as_deref().unwrap();
            assert_eq!(
                shown,
                cells.value_as_string(row),
                "scale {scale}, row {row}"
            );
        }
    }
}

#[test]
fn appending_twice_keeps_both() {
    let database = Postgres::shared().database("append");
    for first in [1, 3] {
        let sent = persons(&[(Some(first), Some("a")), (Some(first + 1), None)]);
        load(
            &mut Sink::new(options(&database, Mode::Append)),
            &people(),
            &[sent],
        )
        .unwrap();
    }
    assert_eq!(
        rows(&database, "SELECT id, name FROM people ORDER BY id"),
        ["1|a", "2|∅", "3|a", "4|∅"]
    );
}

#[test]
fn a_load_of_many_chunks_arrives_whole() {
    let database = Postgres::shared().database("chunks");
    let text = "x".repeat(300);
    let chunk: Vec<_> = (0..8192).map(|i| (Some(i), Some(text.as_str()))).collect();
    let chunks = vec![persons(&chunk); 6];
    let sink = &mut Sink::new(options(&database, Mode::Append));
    assert_eq!(load(sink, &people(), &chunks).unwrap().0, 6 * 8192);
    assert_eq!(
        rows(
            &database,
            "SELECT count(*), sum(id), min(length(name)) FROM people"
        ),
        [format!("{}|{}|300", 6 * 8192, 6_i64 * 8192 * 8191 / 2)]
    );
}

#[test]
fn readers_see_the_old_rows_until_the_new_ones_are_committed() {
    let database = Postgres::shared().database("replace");
    let seen = || rows(&database, "SELECT id, name FROM people ORDER BY id");
    let old = persons(&[(Some(1), Some("old")), (Some(2), Some("old"))]);
    load(
        &mut Sink::new(options(&database, Mode::Append)),
        &people(),
        &[old],
    )
    .unwrap();
    Postgres::shared().query(&database, "CREATE VIEW names AS SELECT name FROM people");

    let mut sink = Sink::new(options(&database, Mode::Replace));
    sink.open(&job(), &people()).unwrap();
    assert_eq!(seen(), ["1|old", "2|old"]);
    // Enough for the first COPY to go out before the commit.
    let text = "x".repeat(1000);
    let new: Vec<_> = (0..8192).map(|i| (Some(i), Some(text.as_str()))).collect();
    write(&mut sink, &[persons(&new)]).unwrap();
    assert_eq!(seen(), ["1|old", "2|old"]);
    sink.commit(&Totals::default()).unwrap();
    assert_eq!(rows(&database, "SELECT count(*) FROM names"), ["8192"]);
}

#[test]
fn an_aborted_load_leaves_nothing() {
    let database = Postgres::shared().database("abort");
    let mut sink = Sink::new(options(&database, Mode::Append));
    sink.open(&job(), &people()).unwrap();
    write(&mut sink, &[persons(&[(Some(1), Some("a"))])]).unwrap();
    sink.abort();
    assert_eq!(
        rows(&database, "SELECT to_regclass('people') IS NULL"),
        ["t"]
    );
    let refused = sink.commit(&Totals::default()).unwrap_err();
    assert!(matches!(refused, SinkError::Internal { .. }), "{refused}");

    let old = persons(&[(Some(1), Some("old"))]);
    load(
        &mut Sink::new(options(&database, Mode::Append)),
        &people(),
        &[old],
    )
    .unwrap();
    let mut sink = Sink::new(options(&database, Mode::Replace));
    sink.open(&job(), &people()).unwrap();
    write(&mut sink, &[persons(&[(Some(2), Some("new"))])]).unwrap();
    drop(sink);
    assert_eq!(rows(&database, "SELECT id, name FROM people"), ["1|old"]);
}

#[test]
fn a_load_of_no_rows_empties_or_keeps_the_table() {
    let database = Postgres::shared().database("empty");
    let count = || rows(&database, "SELECT count(*) FROM people");
    load(
        &mut Sink::new(options(&database, Mode::Append)),
        &people(),
        &[],
    )
    .unwrap();
    assert_eq!(count(), ["0"]);
    let one = persons(&[(Some(1), None)]);
    load(
        &mut Sink::new(options(&database, Mode::Append)),
        &people(),
        &[one],
    )
    .unwrap();
    load(
        &mut Sink::new(options(&database, Mode::Append)),
        &people(),
        &[],
    )
    .unwrap();
    assert_eq!(count(), ["1"]);
    let mut replace = options(&database, Mode::Replace);
    load(&mut Sink::new(replace.clone()), &people(), &[]).unwrap();
    assert_eq!(count(), ["1"]);
    replace.lenient.replace_with_nothing = true;
    load(&mut Sink::new(replace), &people(), &[]).unwrap();
    assert_eq!(count(), ["0"]);
}

#[test]
fn rows_that_the_table_cannot_take_are_set_aside_and_the_rest_arrive() {
    let database = Postgres::shared().database("rejects");
    Postgres::shared().query(
        &database,
        "CREATE TABLE people (id bigint NOT NULL, name text)",
    );
    let sent = persons(&[
        (Some(1), Some("good")),
        (None, Some("no id")),
        (Some(3), Some("a\0b")),
        (None, Some("\0")),
        (Some(5), None),
    ]);
    let (stored, rejects) = load(
        &mut Sink::new(options(&database, Mode::Append)),
        &people(),
        &[sent],
    )
    .unwrap();
    assert_eq!(stored, 2);
    let reason = |row, column: &str, rule: &str| (row, column.to_owned(), rule.to_owned());
    assert_eq!(
        reasons(&rejects),
        [
            reason(101, "id", "not-null"),
            reason(102, "name", "nul"),
            reason(103, "id", "not-null"),
            reason(103, "name", "nul"),
        ]
    );
    assert_eq!(
        rows(&database, "SELECT id, name FROM people ORDER BY id"),
        ["1|good", "5|∅"]
    );
}

#[test]
fn the_first_and_last_times_that_postgresql_knows_arrive_and_their_neighbours_do_not() {
    let database = Postgres::shared().database("times");
    let schema = Schema::new(vec![
        Field::new("day", DataType::Date),
        Field::new("at", DataType::Timestamp),
        Field::new(
            "price",
            DataType::Decimal {
                precision: 4,
                scale: 2,
            },
        ),
    ]);
    let first_day = -2_440_588;
    let last_day = 2_145_042_905;
    let first_at = i64::from(first_day) * crate::data::DAY_MICROS;
    let days = vec![first_day, last_day, first_day - 1, last_day + 1, 0, 0];
    let ats = vec![first_at, i64::MAX, 0, 0, first_at - 1, i64::MIN];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Date32Array::from(days)),
        Arc::new(TimestampMicrosecondArray::from(ats).with_timezone("UTC")),
        Arc::new(
            Decimal128Array::from(vec![9999, -9999, 0, 10_000, 0, -10_000])
                .with_precision_and_scale(4, 2)
                .unwrap(),
        ),
    ];
    let sink = &mut Sink::new(options(&database, Mode::Append));
    let (stored, rejects) = load(sink, &schema, &[batch(&schema, columns)]).unwrap();
    assert_eq!(stored, 2);
    let reason = |row, column: &str| (row, column.to_owned(), "range".to_owned());
    assert_eq!(
        reasons(&rejects),
        [
            reason(2, "day"),
            reason(3, "day"),
            reason(3, "price"),
            reason(4, "at"),
            reason(5, "at"),
            reason(5, "price"),
        ]
    );
    assert_eq!(
        rows(
            &database,
            "SELECT day, at AT TIME ZONE 'UTC', price FROM people ORDER BY day"
        ),
        [
            "4714-11-24 BC|4714-11-24 00:00:00 BC|99.99",
            "5874897-12-31|294247-01-10 04:00:54.775807|-99.99",
        ]
    );
}

#[test]
fn a_refused_row_is_told_without_its_cells() {
    let database = Postgres::shared().database("unique");
    Postgres::shared().query(
        &database,
        "CREATE TABLE people (id bigint, name text, CONSTRAINT one_of_a_name UNIQUE (name))",
    );
    let canary = "canary-5b1f";
    let sent = persons(&[(Some(1), Some(canary)), (Some(2), Some(canary))]);
    let mut sink = Sink::new(options(&database, Mode::Append));
    let (stored, rejects) = load(&mut sink, &people(), &[sent]).unwrap();
    let shown = format!("{rejects:?}");
    assert!(!shown.contains(canary), "{shown}");
    assert_eq!(
        &*rejects[0].violations[0].message,
        "a row with the same key already exists; remove duplicates, or use mode replace or upsert \
         (SQLSTATE 23505, constraint `one_of_a_name`, table `people`)"
    );
    assert_eq!((stored, rejects.len()), (1, 1));
    assert_eq!(rows(&database, "SELECT count(*) FROM people"), ["1"]);
    let again = sink.commit(&Totals::default()).unwrap_err();
    assert!(matches!(again, SinkError::Internal { .. }), "{again}");
}

#[test]
fn a_trigger_that_quotes_a_row_is_not_quoted() {
    let database = Postgres::shared().database("trigger");
    Postgres::shared().query(
        &database,
        "CREATE TABLE people (id bigint, name text);
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN RAISE EXCEPTION 'no %', NEW.name USING DETAIL = NEW.name; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    let mut sink = Sink::new(options(&database, Mode::Append));
    let sent = persons(&[(Some(1), Some("canary-77aa"))]);
    let (_, rejects) = load(&mut sink, &people(), &[sent]).unwrap();
    let shown = format!("{rejects:?}");
    assert!(!shown.contains("canary-77aa"), "{shown}");
    assert!(
        shown.contains("a trigger of the table refused a row (SQLSTATE P0001)"),
        "{shown}"
    );
}

#[test]
fn a_trigger_that_names_a_cell_as_code_column_or_constraint_is_not_quoted() {
    for (raise, meant) in [
        (
            "ERRCODE = '23505', COLUMN = NEW.name, CONSTRAINT = NEW.name, TABLE = NEW.name",
            "a row with the same key already exists",
        ),
        // Five characters, as a ZIP code has them, of a class that is known and of one that is not.
        ("ERRCODE = '22' || '7AA'", "a cell does not fit its column"),
        ("ERRCODE = '977AA'", "the server refused"),
    ] {
        let database = Postgres::shared().database("names");
        Postgres::shared().query(
            &database,
            &format!(
                "CREATE TABLE people (id bigint, name text);
                 CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'no' USING {raise}; END $$;
                 CREATE TRIGGER refuse BEFORE INSERT ON people FOR EACH ROW
                 EXECUTE FUNCTION refuse()"
            ),
        );
        let mut sink = Sink::new(options(&database, Mode::Append));
        let sent = persons(&[(Some(1), Some("canary-77aa"))]);
        let (_, rejects) = load(&mut sink, &people(), &[sent]).unwrap();
        let shown = format!("{rejects:?}");
        for quoted in ["canary-77aa", "227AA", "977AA"] {
            assert!(!shown.contains(quoted), "{shown}");
        }
        assert!(shown.contains(meant), "{shown}");
    }
}

#[test]
fn a_complaint_comes_before_the_end_of_a_long_load() {
    let database = Postgres::shared().database("early");
    Postgres::shared().query(
        &database,
        "CREATE TABLE people (id bigint, name text);
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN RAISE SQLSTATE '53100'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON people FOR EACH ROW WHEN (NEW.id = 0)
         EXECUTE FUNCTION refuse()",
    );
    let text = "x".repeat(1000);
    let mut sink = Sink::new(options(&database, Mode::Append));
    sink.open(&job(), &people()).unwrap();
    let bad = persons(&[(Some(0), None)]);
    write(&mut sink, &[bad]).unwrap();
    let good: Vec<_> = (1..8193).map(|i| (Some(i), Some(text.as_str()))).collect();
    // Chunks are stored while others come, so it shows a little later.
    let refused = (0..100).find_map(|_| write(&mut sink, &[persons(&good)]).err());
    let refused = refused.expect("it should have shown by now");
    assert!(refused.to_string().contains("53100"), "{refused}");
}
