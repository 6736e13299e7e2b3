//! Tables as applications make them: which cells go in, which are rejected, and what a name may be.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use glovebox_connectors::{postgres, sqlite};
use glovebox_core::{DataType, Field, Keeps, Schema, Sink as _};
use glovebox_tests::postgres::Postgres;

use crate::data::{DAY_MICROS, batch, load, people, persons, reasons};
use crate::postgres_rows::rows;
use crate::{postgres_rows, sqlite as files};

/// A column after an `id`, of these cells.
fn column(data_type: DataType, cells: ArrayRef) -> (Schema, glovebox_core::Batch) {
    let schema = Schema::new(vec![
        Field::new("id", DataType::Int64),
        Field::new("cell", data_type),
    ]);
    let ids: Int64Array = (1..=cells.len() as i64).map(Some).collect();
    let batch = batch(&schema, vec![Arc::new(ids), cells]);
    (schema, batch)
}

fn texts(cells: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(cells.to_vec()))
}

fn wholes(cells: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(cells.to_vec()))
}

fn decimals(precision: u8, scale: u8, cells: &[i128]) -> (DataType, ArrayRef) {
    let array = Decimal128Array::from(cells.to_vec());
    let array = array
        .with_precision_and_scale(precision, scale as i8)
        .unwrap();
    (DataType::Decimal { precision, scale }, Arc::new(array))
}

const EIGHT: DataType = DataType::Int64;
const TEXT: DataType = DataType::Text;

/// The column's type, the cells, what is stored of them, and the rules of the others in order.
type Case = (
    &'static str,
    DataType,
    ArrayRef,
    &'static [&'static str],
    &'static [&'static str],
);

fn postgres_cases() -> Vec<Case> {
    let (cents, prices) = decimals(12, 2, &[1250, 99_999, 1_000_000, -1, 1201]);
    let (_, whole) = decimals(12, 2, &[1200, 1250, 300_000_000_000]);
    let times = |cells: &[i64]| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(cells.to_vec()).with_timezone("UTC"))
    };
    vec![
        (
            "smallint",
            EIGHT,
            wholes(&[-32_768, 32_767, 32_768, i64::MIN]),
            &["-32768", "32767"],
            &["range", "range"],
        ),
        (
            "integer",
            EIGHT,
            wholes(&[2_147_483_647, -2_147_483_649]),
            &["2147483647"],
            &["range"],
        ),
        (
            "numeric(3,0)",
            EIGHT,
            wholes(&[999, 1000]),
            &["999"],
            &["range"],
        ),
        (
            "double precision",
            EIGHT,
            wholes(&[1 << 40, (1 << 53) + 1]),
            &["1099511627776"],
            &["range"],
        ),
        (
            "real",
            DataType::Float64,
            Arc::new(Float64Array::from(vec![0.1, 1e39, 1e-60, f64::INFINITY])),
            &["0.1", "Infinity"],
            &["range", "range"],
        ),
        (
            "numeric(5,2)",
            cents,
            prices.clone(),
            &["12.50", "999.99", "-0.01", "12.01"],
            &["range"],
        ),
        (
            "numeric(12,1)",
            cents,
            prices.clone(),
            &["12.5", "10000.0"],
            &["range", "range", "range"],
        ),
        ("integer", cents, whole, &["12"], &["range", "range"]),
        (
            "double precision",
            cents,
            prices,
            &["12.5", "999.99", "10000", "-0.01", "12.01"],
            &[],
        ),
        (
            "varchar(4)",
            TEXT,
            texts(&["Zoë🦀", "abcde", "ab", "ab  c"]),
            &["Zoë🦀", "ab"],
            &["too-long", "too-long"],
        ),
        (
            "character(4)",
            TEXT,
            texts(&["ab", "abcde"]),
            &["ab  "],
            &["too-long"],
        ),
        (
            "uuid",
            TEXT,
            texts(&["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "17"]),
            &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
            &["type"],
        ),
        (
            "json",
            TEXT,
            texts(&["{\"a\": 1}", "{", "null"]),
            &["{\"a\": 1}", "null"],
            &["type"],
        ),
        (
            "jsonb",
            TEXT,
            // The third is JSON, which only the server knows that it cannot hold.
            texts(&["{\"a\":1}", "{", "\"\\u0000\""]),
            &["{\"a\": 1}"],
            &["type", "type"],
        ),
        (
            "mood",
            TEXT,
            texts(&["glad", "sad", "Glad"]),
            &["glad"],
            &["type", "type"],
        ),
        (
            "short",
            TEXT,
            texts(&["abc", "abcd", "xyz"]),
            &["abc"],
            &["too-long", "check"],
        ),
        (
            "time",
            TEXT,
            texts(&["23:59", "12:00:00.5", "25:00"]),
            &["23:59:00", "12:00:00.5"],
            &["type"],
        ),
        (
            "inet",
            TEXT,
            texts(&["192.0.2.7", "2001:db8::/32", "192.0.2"]),
            &["192.0.2.7", "2001:db8::/32"],
            &["type"],
        ),
        (
            "cidr",
            TEXT,
            texts(&["10.0.0.0/8", "10.0.0.1/8"]),
            &["10.0.0.0/8"],
            &["type"],
        ),
        ("xml", TEXT, texts(&["<a/>", "<a"]), &["<a/>"], &["type"]),
        (
            "timestamp",
            DataType::Timestamp,
            times(&[DAY_MICROS + 1]),
            &["1970-01-02 00:00:00.000001"],
            &[],
        ),
        (
            "timestamp(0)",
            DataType::Timestamp,
            times(&[DAY_MICROS + 1, DAY_MICROS]),
            &["1970-01-02 00:00:00"],
            &["range"],
        ),
        (
            "timestamp",
            DataType::Date,
            Arc::new(Date32Array::from(vec![1, i32::MAX])),
            &["1970-01-02 00:00:00"],
            &["range"],
        ),
    ]
}

#[test]
fn columns_of_applications_take_the_cells_that_fit_and_reject_the_others() {
    let server = Postgres::shared();
    let database = server.database("kinds");
    server.query(
        &database,
        "CREATE TYPE mood AS ENUM ('glad', 'so-so'); CREATE DOMAIN text3 AS varchar(3); \
         CREATE DOMAIN short AS text3 CHECK (VALUE <> 'xyz')",
    );
    for mode in [postgres::Mode::Append, postgres::Mode::Replace] {
        for (sql, data_type, cells, stored, rules) in postgres_cases() {
            let case = format!("{data_type} into {sql}, {mode:?}");
            server.query(
                &database,
                &format!(
                    "DROP TABLE IF EXISTS people; \
                     CREATE TABLE public.people (id integer PRIMARY KEY, cell {sql})"
                ),
            );
            let (schema, batch) = column(data_type, cells);
            let options = postgres_rows::options(&database, mode);
            let (count, rejects) =
                load(&mut postgres::Sink::new(options), &schema, &[batch]).expect(&case);
            let out = "SELECT format('%s', cell) FROM people ORDER BY id";
            assert_eq!(rows(&database, out), stored, "{case}");
            assert_eq!(count as usize, stored.len(), "{case}");
            let mut found: Vec<_> = reasons(&rejects);
            found.sort();
            let found: Vec<String> = found.into_iter().map(|(_, _, rule)| rule).collect();
            assert_eq!(found, rules, "{case}");
        }
    }
}

#[test]
fn identity_columns_are_filled_and_their_sequences_go_on_behind_them() {
    let server = Postgres::shared();
    let database = server.database("identity");
    let two = persons(&[(Some(41), Some("a")), (Some(7), Some("b"))]);
    for (mode, kind) in [
        (
            postgres::Mode::Append,
            "integer GENERATED ALWAYS AS IDENTITY",
        ),
        (postgres::Mode::Append, "serial"),
        (
            postgres::Mode::Replace,
            "bigint GENERATED BY DEFAULT AS IDENTITY",
        ),
        (postgres::Mode::Upsert, "smallserial"),
    ] {
        server.query(
            &database,
            &format!(
                "DROP TABLE IF EXISTS people; \
                 CREATE TABLE public.people (id {kind} PRIMARY KEY, name varchar(10), \
                 loud text GENERATED ALWAYS AS (upper(name)) STORED)"
            ),
        );
        let mut options = postgres_rows::options(&database, mode);
        if mode == postgres::Mode::Upsert {
            options.keys = vec!["id".into()];
        }
        load(
            &mut postgres::Sink::new(options),
            &people(),
            std::slice::from_ref(&two),
        )
        .unwrap();
        server.query(&database, "INSERT INTO people (name) VALUES ('next')");
        assert_eq!(
            rows(&database, "SELECT id, loud FROM people ORDER BY id"),
            ["7|B", "41|A", "42|NEXT"],
            "{kind}"
        );
    }
    // A sequence that is ahead stays where it is.
    server.query(&database, "SELECT setval('people_id_seq', 1000)");
    let one = persons(&[(Some(500), Some("c"))]);
    let options = postgres_rows::options(&database, postgres::Mode::Append);
    load(&mut postgres::Sink::new(options), &people(), &[one]).unwrap();
    assert_eq!(rows(&database, "SELECT nextval('people_id_seq')"), ["1001"]);
}

#[test]
fn a_role_that_may_not_set_the_sequence_is_told_before_the_first_row() {
    let server = Postgres::shared();
    let database = server.database("sequence_rights");
    server.query(
        &database,
        "CREATE ROLE counter LOGIN PASSWORD 'counter'; \
         CREATE TABLE people (id serial, name text); GRANT INSERT ON people TO counter; \
         CREATE SCHEMA glovebox AUTHORIZATION counter",
    );
    let mut options = postgres_rows::options(&database, postgres::Mode::Append);
    options.login.user = "counter".into();
    options.login.password = glovebox_core::Secret::new(b"counter".to_vec());
    let refused = postgres::Sink::new(options.clone())
        .probe(&people(), Keeps::default())
        .unwrap_err()
        .to_string();
    let grant = "GRANT SELECT, UPDATE ON SEQUENCE \"public\".\"people_id_seq\" TO \"counter\"";
    assert!(refused.contains(grant), "{refused}");
    assert!(
        refused.contains("GRANT SELECT (\"id\") ON \"people\" TO \"counter\""),
        "{refused}"
    );
    let name = Schema::new(vec![Field::new("name", TEXT)]);
    postgres::Sink::new(options)
        .probe(&name, Keeps::default())
        .unwrap();
}

#[test]
fn any_legal_name_is_a_table_in_both_databases() {
    let server = Postgres::shared();
    let database = server.database("names");
    server.query(&database, "CREATE SCHEMA \"my shop\"");
    let one = [persons(&[(Some(1), Some("a"))])];
    for (written, sql) in [
        ("order-items", "\"order-items\""),
        ("my table", "\"my table\""),
        ("2024_sales", "\"2024_sales\""),
        ("my shop.select", "\"my shop\".\"select\""),
        ("public.\"a.b\"", "\"a.b\""),
        ("x\"; DROP TABLE y; --", "\"x\"\"; DROP TABLE y; --\""),
    ] {
        for mode in [postgres::Mode::Append, postgres::Mode::Replace] {
            let mut options = postgres_rows::options(&database, mode);
            options.table = written.into();
            load(&mut postgres::Sink::new(options), &people(), &one).unwrap();
        }
        let count = format!("SELECT count(*) FROM {sql}");
        assert_eq!(rows(&database, &count), ["1"], "{written}");
    }
    let file = files::file();
    for name in ["order-items", "my table", "2024_sales", "a.b", "x\"; DROP"] {
        for mode in [sqlite::Mode::Append, sqlite::Mode::Replace] {
            let mut options = files::options(&file, mode);
            options.table = name.into();
            load(&mut sqlite::Sink::new(options), &people(), &one).unwrap();
        }
        let count = format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""));
        assert_eq!(files::rows(&file.path, &count), ["1"], "{name}");
    }
}

#[test]
fn more_columns_than_a_table_can_have_are_told_before_the_first_row() {
    let fields = |count: usize| {
        let field = |i| Field::new(format!("c{i}"), DataType::Boolean);
        Schema::new((0..count).map(field).collect())
    };
    let database = Postgres::shared().database("wide");
    let probe = |mode, count| {
        let options = postgres_rows::options(&database, mode);
        postgres::Sink::new(options).probe(&fields(count), Keeps::default())
    };
    let refused = probe(postgres::Mode::Append, 1601).unwrap_err().to_string();
    let said = "the run has 1601 columns, but a PostgreSQL table takes at most 1600 of them";
    assert!(refused.contains(said), "{refused}");
    probe(postgres::Mode::Append, 1600).unwrap();
    probe(postgres::Mode::Replace, 1600).unwrap_err();

    let file = files::file();
    let probe = |count| {
        let options = files::options(&file, sqlite::Mode::Append);
        sqlite::Sink::new(options).probe(&fields(count), Keeps::default())
    };
    let refused = probe(2001).unwrap_err().to_string();
    assert!(refused.contains("takes at most 2000 of them"), "{refused}");
    probe(2000).unwrap();
}

#[test]
fn sqlite_columns_of_applications_take_the_cells_that_fit() {
    let (cents, prices) = decimals(20, 2, &[1250, 100_000_000, 1, 123_456_789_012_345_678]);
    let cases: Vec<Case> = vec![
        (
            "VARCHAR(4)",
            TEXT,
            texts(&["Zoë🦀", "abcde", ""]),
            &["'Zoë🦀'", "''"],
            &["too-long"],
        ),
        ("JSON", TEXT, texts(&["{}", "12"]), &["'{}'"], &["type"]),
        (
            "DATETIME",
            DataType::Timestamp,
            Arc::new(TimestampMicrosecondArray::from(vec![1]).with_timezone("UTC")),
            &["'1970-01-01T00:00:00.000001Z'"],
            &[],
        ),
        (
            "DATE",
            DataType::Date,
            Arc::new(Date32Array::from(vec![1])),
            &["'1970-01-02'"],
            &[],
        ),
        (
            "INT",
            EIGHT,
            wholes(&[i64::MAX]),
            &["9223372036854775807"],
            &[],
        ),
        ("NUMERIC", EIGHT, wholes(&[-1]), &["-1"], &[]),
        (
            "DOUBLE",
            EIGHT,
            wholes(&[3, (1 << 53) + 1]),
            &["3.0"],
            &["range"],
        ),
        (
            "DECIMAL(6,2)",
            cents,
            prices.clone(),
            &["12.5", "0.01"],
            &["range", "range"],
        ),
        (
            "NUMERIC",
            cents,
            prices,
            &["12.5", "1000000", "0.01"],
            &["range"],
        ),
        (
            "BOOLEAN",
            DataType::Boolean,
            Arc::new(BooleanArray::from(vec![true, false])),
            &["1", "0"],
            &[],
        ),
    ];
    for mode in [sqlite::Mode::Append, sqlite::Mode::Replace] {
        for (sql, data_type, cells, stored, rules) in &cases {
            let case = format!("{data_type} into {sql}, {mode:?}");
            let file = files::file();
            files::rows(
                &file.path,
                &format!("CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, cell {sql})"),
            );
            let (schema, batch) = column(*data_type, cells.clone());
            let options = files::options(&file, mode);
            let (_, rejects) =
                load(&mut sqlite::Sink::new(options), &schema, &[batch]).expect(&case);
            let out = "SELECT cell FROM people ORDER BY id";
            assert_eq!(files::rows(&file.path, out), *stored, "{case}");
            let found: Vec<String> = reasons(&rejects).into_iter().map(|r| r.2).collect();
            assert_eq!(found, *rules, "{case}");
        }
    }
}

#[test]
fn sqlite_numbers_go_on_behind_those_that_were_loaded() {
    let file = files::file();
    files::rows(
        &file.path,
        "CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)",
    );
    let options = files::options(&file, sqlite::Mode::Append);
    let one = persons(&[(Some(41), Some("a"))]);
    load(&mut sqlite::Sink::new(options), &people(), &[one]).unwrap();
    let next = "DELETE FROM people; INSERT INTO people (name) VALUES ('b') RETURNING id";
    assert_eq!(files::rows(&file.path, next), ["42"]);
}

#[test]
fn an_empty_text_stays_one_beside_a_null() {
    let database = Postgres::shared().database("empty_text");
    let both = [persons(&[(Some(1), Some("")), (Some(2), None)])];
    let options = postgres_rows::options(&database, postgres::Mode::Append);
    load(&mut postgres::Sink::new(options), &people(), &both).unwrap();
    let out = "SELECT name IS NULL FROM people ORDER BY id";
    assert_eq!(rows(&database, out), ["f", "t"]);
    let file = files::file();
    let options = files::options(&file, sqlite::Mode::Append);
    load(&mut sqlite::Sink::new(options), &people(), &both).unwrap();
    let out = "SELECT name FROM people ORDER BY id";
    assert_eq!(files::rows(&file.path, out), ["''", "∅"]);
}
