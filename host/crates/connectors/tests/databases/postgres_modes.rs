//! Replacing and upserting: what is published, when, and what is not accepted.

use glovebox_connectors::postgres::{Mode, Options, Sink};
use glovebox_core::{DataType, Field, Keeps, Schema, Sink as _, Totals};
use glovebox_tests::postgres::Postgres;

use crate::data::{batch, chunk, job, load, people, persons, reasons, write};
use crate::postgres_rows::{options, rows};

fn upsert(database: &str, keys: &[&str]) -> Options {
    let mut options = options(database, Mode::Upsert);
    options.keys = keys.iter().map(|key| (*key).to_owned()).collect();
    options
}

const ALL: &str = "SELECT id, name FROM people ORDER BY id";

#[test]
fn an_upsert_changes_adds_and_keeps() {
    let database = Postgres::shared().database("upsert");
    Postgres::shared().query(
        &database,
        "CREATE TABLE people (id bigint UNIQUE, name text, other text DEFAULT 'kept');
         INSERT INTO people VALUES (1, 'old'), (3, 'old');
         INSERT INTO people VALUES (2, 'old', 'mine')",
    );
    let mut sink = Sink::new(upsert(&database, &["id"]));
    sink.open(&job(), &people()).unwrap();
    // The last row of a key in the source is the one that stays, whichever chunk is stored first.
    let mut late = persons(&[(Some(2), Some("last")), (None, Some("no key"))]);
    late.origin = glovebox_core::Origin::contiguous(200);
    let sent = chunk(&sink, 1, &late).unwrap();
    assert_eq!(
        reasons(&sent.rejects),
        [(201, "id".to_owned(), "not-null".to_owned())]
    );
    sink.write(sent).unwrap();
    let early = persons(&[
        (Some(2), Some("first")),
        (Some(2), Some("second")),
        (Some(9), None),
    ]);
    let sent = chunk(&sink, 0, &early).unwrap();
    sink.write(sent).unwrap();
    assert_eq!(rows(&database, ALL), ["1|old", "2|old", "3|old"]);
    sink.commit(&Totals::default()).unwrap();
    assert_eq!(rows(&database, ALL), ["1|old", "2|last", "3|old", "9|∅"]);
    assert_eq!(
        rows(&database, "SELECT other FROM people ORDER BY id"),
        ["kept", "mine", "kept", "kept"]
    );
}

#[test]
fn an_upsert_creates_its_table_with_the_key() {
    let database = Postgres::shared().database("upsert_new");
    let twice = persons(&[(Some(1), Some("a")), (Some(1), Some("b"))]);
    for _ in 0..2 {
        let sink = &mut Sink::new(upsert(&database, &["id", "name"]));
        load(sink, &people(), std::slice::from_ref(&twice)).unwrap();
    }
    assert_eq!(rows(&database, ALL), ["1|a", "1|b"]);
    let key = "SELECT pg_get_constraintdef(oid) FROM pg_constraint \
               WHERE conrelid = 'people'::regclass AND contype = 'p'";
    assert_eq!(rows(&database, key), ["PRIMARY KEY (id, name)"]);
}

#[test]
fn an_upsert_needs_a_unique_index_on_exactly_its_keys() {
    let database = Postgres::shared().database("upsert_index");
    Postgres::shared().query(
        &database,
        "CREATE TABLE people (id bigint, name text, UNIQUE (id, name));
         CREATE UNIQUE INDEX ON people (id) WHERE id > 0;
         CREATE UNIQUE INDEX ON people (abs(id));
         CREATE INDEX ON people (id)",
    );
    let complaint = |keys: &[&str]| {
        let options = upsert(&database, keys);
        let probed = Sink::new(options.clone())
            .probe(&people(), Keeps::default())
            .unwrap_err();
        let opened = Sink::new(options).open(&job(), &people()).unwrap_err();
        assert_eq!(probed.to_string(), opened.to_string());
        opened.to_string()
    };
    let text = complaint(&["id"]);
    let expected = "there is no unique index on exactly the keys; run: \
                    CREATE UNIQUE INDEX ON \"people\" (\"id\")\n";
    assert!(text.contains(expected), "{text}");
    assert!(complaint(&["zip"]).contains("key `zip` is not a column of the run"));
    assert!(complaint(&[]).contains("none is named"));
    assert!(complaint(&["id", "id"]).contains("listed twice"));
    Sink::new(upsert(&database, &["name", "id"]))
        .probe(&people(), Keeps::default())
        .unwrap();
    Postgres::shared().query(&database, "CREATE UNIQUE INDEX ON people (id)");
    Sink::new(upsert(&database, &["id"]))
        .probe(&people(), Keeps::default())
        .unwrap();
}

#[test]
fn a_column_may_bear_the_name_that_the_row_number_would() {
    let database = Postgres::shared().database("upsert_name");
    let schema = Schema::new(vec![Field::new("glovebox_row", DataType::Int64)]);
    let cells = arrow_array::Int64Array::from(vec![5, 5, 6]);
    let sent = batch(&schema, vec![std::sync::Arc::new(cells)]);
    let sink = &mut Sink::new(upsert(&database, &["glovebox_row"]));
    load(sink, &schema, &[sent]).unwrap();
    assert_eq!(
        rows(&database, "SELECT glovebox_row FROM people ORDER BY 1"),
        ["5", "6"]
    );
}

#[test]
fn a_replacement_fills_what_it_creates_and_keeps_what_it_finds() {
    let database = Postgres::shared().database("replace_new");
    Postgres::shared().query(
        &database,
        "DO $$ BEGIN CREATE ROLE looker; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
         ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO looker",
    );
    let mut sink = Sink::new(options(&database, Mode::Replace));
    sink.open(&job(), &people()).unwrap();
    write(&mut sink, &[persons(&[(Some(1), Some("a"))])]).unwrap();
    let missing = "SELECT to_regclass('people') IS NULL";
    assert_eq!(rows(&database, missing), ["t"]);
    sink.commit(&Totals::default()).unwrap();
    assert_eq!(rows(&database, ALL), ["1|a"]);
    let granted = "SELECT has_table_privilege('looker', 'people', 'SELECT')";
    assert_eq!(rows(&database, granted), ["t"]);

    Postgres::shared().query(
        &database,
        "ALTER TABLE people ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY",
    );
    let again = persons(&[(Some(2), Some("b"))]);
    load(
        &mut Sink::new(options(&database, Mode::Replace)),
        &people(),
        &[again],
    )
    .unwrap();
    assert_eq!(
        rows(&database, "SELECT id, name, number FROM people"),
        ["2|b|2"]
    );
}

#[test]
fn a_publication_whose_rows_are_refused_leaves_the_old_rows_until_it_is_tried_again() {
    let database = Postgres::shared().database("refused");
    Postgres::shared().query(
        &database,
        "CREATE TABLE people (id bigint CHECK (id > 0), name text);
         INSERT INTO people VALUES (7, 'old')",
    );
    let mut sink = Sink::new(options(&database, Mode::Replace));
    sink.open(&job(), &people()).unwrap();
    write(&mut sink, &[persons(&[(Some(0), Some("canary-31ff"))])]).unwrap();
    let refused = format!("{:?}", sink.commit(&Totals::default()).unwrap());
    assert!(refused.contains("23514"), "{refused}");
    assert!(!refused.contains("canary"));
    assert_eq!(rows(&database, ALL), ["7|old"]);
    // Nothing is left to take the place of the old rows.
    assert!(sink.commit(&Totals::default()).unwrap().kept);
    assert_eq!(rows(&database, ALL), ["7|old"]);
}
