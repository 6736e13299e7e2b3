//! Tables on which something hangs that drops, doubles or exchanges rows, here or in other tables:
//! it is counted, and it is seen before the first row.

use std::sync::{Arc, Barrier};

use glovebox_connectors::postgres::{Lenient, Mode, Options, Sink};
use glovebox_core::{Keeps, Published, Sink as _, SinkError, Totals};
use glovebox_tests::postgres::Postgres;

use crate::data::{job, load, people, persons, write};
use crate::postgres_rows::{options, rows};

const ALL: &str = "SELECT id, name FROM people ORDER BY id, name";
const FUNCTION: &str = "CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS";

fn database(name: &str, setup: &str) -> String {
    let database = Postgres::shared().database(name);
    Postgres::shared().query(
        &database,
        &format!("CREATE TABLE people (id bigint PRIMARY KEY, name text); {setup}"),
    );
    database
}

fn into(database: &str, mode: Mode) -> Options {
    let mut options = options(database, mode);
    if mode == Mode::Upsert {
        options.keys = vec!["id".into()];
    }
    options
}

/// Three rows, of which a test's trigger may dislike the second.
fn load_three(options: Options) -> Result<(), SinkError> {
    let three = [
        (Some(1), Some("ann")),
        (Some(2), Some("canary-8c1d")),
        (Some(3), Some("cid")),
    ];
    load(&mut Sink::new(options), &people(), &[persons(&three)]).map(drop)
}

fn refusal(options: Options) -> String {
    let refused = load_three(options).unwrap_err();
    let text = refused.to_string();
    assert!(!format!("{text} {refused:?}").contains("canary"), "{text}");
    text
}

/// What was met by both looks before the first row.
fn obstacle(options: Options) -> String {
    let probed = Sink::new(options.clone())
        .probe(&people(), Keeps::default())
        .unwrap_err();
    let opened = Sink::new(options).open(&job(), &people()).unwrap_err();
    assert_eq!(probed.to_string(), opened.to_string());
    opened.to_string()
}

#[test]
fn rows_that_a_trigger_leaves_out_adds_or_takes_away_are_missed() {
    let cases = [
        (
            "left_out",
            "$$ BEGIN IF new.id = 2 THEN RETURN NULL; END IF; RETURN new; END $$",
            "BEFORE INSERT ON people FOR EACH ROW",
            "kept 2",
        ),
        (
            "doubled",
            "$$ BEGIN IF new.id < 100 THEN INSERT INTO people VALUES (new.id + 100, new.name); \
             END IF; RETURN new; END $$",
            "AFTER INSERT ON people FOR EACH ROW",
            "kept 6",
        ),
        (
            "removed",
            "$$ BEGIN DELETE FROM people WHERE id = 2; RETURN NULL; END $$",
            "AFTER INSERT ON people FOR EACH STATEMENT",
            "kept 3 and took 1 away",
        ),
    ];
    for (name, function, when, kept) in cases {
        // The last time put off to the commit.
        for late in [false, true] {
            let (kind, when) = match late {
                false => ("TRIGGER", when.to_owned()),
                true if when.starts_with("AFTER") => {
                    let row = when.replace("STATEMENT", "ROW");
                    let late = "DEFERRABLE INITIALLY DEFERRED FOR EACH";
                    ("CONSTRAINT TRIGGER", row.replace("FOR EACH", late))
                }
                true => continue,
            };
            let setup = format!(
                "{FUNCTION} {function}; CREATE {kind} watcher {when} EXECUTE FUNCTION act()"
            );
            let database = database(&format!("{name}_{late}"), &setup);
            let text = refusal(into(&database, Mode::Append));
            let expected = format!("3 rows were sent, but the table {kept}, by the database's own");
            assert!(text.contains(&expected), "{text}");
            assert!(text.contains("its trigger `watcher` ("), "{text}");
            assert_eq!(rows(&database, ALL), [""; 0]);
        }
    }
}

#[test]
fn a_trigger_that_only_changes_cells_or_keeps_a_log_is_no_obstacle() {
    let setup = format!(
        "CREATE TABLE log (id bigint); {FUNCTION} $$ BEGIN new.name := upper(new.name); \
         INSERT INTO log VALUES (new.id); RETURN new; END $$; CREATE TRIGGER log BEFORE INSERT ON \
         people FOR EACH ROW EXECUTE FUNCTION act()"
    );
    for (mode, name) in [
        (Mode::Append, "log_append"),
        (Mode::Replace, "log_replace"),
        (Mode::Upsert, "log_upsert"),
    ] {
        let database = database(name, &setup);
        load_three(into(&database, mode)).unwrap();
        assert_eq!(rows(&database, ALL), ["1|ANN", "2|CANARY-8C1D", "3|CID"]);
        assert_eq!(rows(&database, "SELECT count(*) FROM log"), ["3"]);
    }
}

#[test]
fn a_partition_and_its_trigger_are_counted_too() {
    let database = Postgres::shared().database("partition_counted");
    Postgres::shared().query(
        &database,
        "CREATE TABLE people (id bigint, name text) PARTITION BY RANGE (id);
         CREATE TABLE low PARTITION OF people FOR VALUES FROM (0) TO (100);
         CREATE TABLE high PARTITION OF people FOR VALUES FROM (100) TO (1000)",
    );
    load_three(into(&database, Mode::Append)).unwrap();
    load_three(into(&database, Mode::Replace)).unwrap();
    assert_eq!(rows(&database, "SELECT count(*) FROM people"), ["3"]);
    Postgres::shared().query(
        &database,
        &format!(
            "{FUNCTION} $$ BEGIN INSERT INTO people VALUES (new.id + 100, new.name); RETURN new; \
             END $$; CREATE TRIGGER twice AFTER INSERT ON low FOR EACH ROW EXECUTE FUNCTION act()"
        ),
    );
    let text = refusal(into(&database, Mode::Append));
    assert!(text.contains("the table kept 6"), "{text}");
    assert!(
        text.contains("its trigger `twice` (AFTER INSERT)"),
        "{text}"
    );
    let text = refusal(into(&database, Mode::Replace));
    assert!(text.contains("the table kept 6"), "{text}");
    assert_eq!(rows(&database, "SELECT count(*) FROM people"), ["3"]);
}

#[test]
fn what_a_publication_leaves_in_the_table_is_counted() {
    let half = "$$ BEGIN IF new.id = 2 THEN RETURN NULL; END IF; RETURN new; END $$";
    let twice = "$$ BEGIN IF new.id < 100 THEN INSERT INTO people VALUES (new.id + 100, \
                 new.name); END IF; RETURN new; END $$";
    let trigger = |function: &str, when: &str| {
        format!(
            "{FUNCTION} {function}; CREATE TRIGGER watcher {when} ON people FOR EACH ROW EXECUTE \
             FUNCTION act()"
        )
    };
    let cases = [
        (
            Mode::Replace,
            trigger(half, "BEFORE INSERT"),
            "kept 2",
            "`watcher` (BEFORE INSERT)",
        ),
        (
            Mode::Replace,
            trigger(twice, "AFTER INSERT"),
            "kept 6",
            "`watcher` (AFTER INSERT)",
        ),
        (
            Mode::Replace,
            "CREATE RULE nothing AS ON INSERT TO people WHERE new.id = 2 DO INSTEAD NOTHING".into(),
            "kept 2",
            "its rule `nothing` (ON INSERT)",
        ),
        (
            Mode::Replace,
            "CREATE TABLE other (id bigint, name text); CREATE RULE elsewhere AS ON INSERT TO \
             people DO INSTEAD INSERT INTO other VALUES (new.id, new.name)"
                .into(),
            "kept 0",
            "its rule `elsewhere` (ON INSERT)",
        ),
        (
            Mode::Upsert,
            trigger(half, "BEFORE UPDATE"),
            "kept 2",
            "`watcher` (BEFORE UPDATE)",
        ),
        (
            Mode::Upsert,
            trigger(half, "BEFORE INSERT"),
            "kept 2",
            "`watcher` (BEFORE INSERT)",
        ),
        (
            Mode::Upsert,
            trigger(twice, "AFTER INSERT"),
            "kept 5",
            "`watcher` (AFTER INSERT)",
        ),
    ];
    for (i, (mode, setup, kept, suspect)) in cases.into_iter().enumerate() {
        let old = "INSERT INTO people VALUES (2, 'old')";
        let database = database(&format!("published_{i}"), &format!("{old}; {setup}"));
        let text = refusal(into(&database, mode));
        assert!(text.contains(kept), "{i}: {text}");
        assert!(text.contains(suspect), "{i}: {text}");
        assert_eq!(rows(&database, ALL), ["2|old"], "{i}");
    }
}

#[test]
fn of_rows_with_one_key_the_last_is_there_and_the_others_are_told() {
    let database = database("superseded", "INSERT INTO people VALUES (2, 'old')");
    let mut sink = Sink::new(into(&database, Mode::Upsert));
    sink.open(&job(), &people()).unwrap();
    let sent = [
        (Some(1), Some("a")),
        (Some(1), Some("b")),
        (Some(2), Some("c")),
        (Some(1), Some("d")),
    ];
    write(&mut sink, &[persons(&sent)]).unwrap();
    let published = sink.commit(&Totals::default()).unwrap();
    assert_eq!(
        published,
        Published {
            superseded: 2,
            ..Published::default()
        }
    );
    assert_eq!(rows(&database, ALL), ["1|d", "2|c"]);
}

#[test]
fn other_tables_that_replacing_would_change_are_named_before_the_first_row() {
    for (action, effect) in [
        ("CASCADE", "delete rows there"),
        ("SET NULL", "empty cells there"),
        ("SET DEFAULT", "overwrite cells there"),
    ] {
        let database = database(
            &format!("refers_{}", action.replace(' ', "_").to_lowercase()),
            &format!(
                "INSERT INTO people VALUES (1, 'old');
                 CREATE TABLE visits (person bigint CONSTRAINT visitor REFERENCES people ON DELETE {action});
                 INSERT INTO visits VALUES (1)"
            ),
        );
        let text = obstacle(into(&database, Mode::Replace));
        let expected = format!(
            "replacing its rows would {effect}: table `visits` (foreign key `visitor`) references it with ON DELETE {action}"
        );
        assert!(text.contains(&expected), "{text}");
        assert_eq!(rows(&database, "SELECT person FROM visits"), ["1"]);
        assert_eq!(rows(&database, ALL), ["1|old"]);
        load_three(into(&database, Mode::Upsert)).unwrap();
        assert_eq!(rows(&database, "SELECT person FROM visits"), ["1"]);

        let mut allowed = into(&database, Mode::Replace);
        allowed.lenient.side_effects = true;
        load_three(allowed).unwrap();
        assert_eq!(rows(&database, "SELECT count(*) FROM people"), ["3"]);
    }
}

#[test]
fn a_key_that_holds_rows_back_is_named_where_it_would() {
    let database = database(
        "held_back",
        "INSERT INTO people VALUES (1, 'old');
         CREATE TABLE visits (person bigint CONSTRAINT visitor REFERENCES people)",
    );
    load_three(into(&database, Mode::Replace)).unwrap();
    Postgres::shared().query(&database, "INSERT INTO visits VALUES (1)");
    let text = obstacle(into(&database, Mode::Replace));
    let expected = "rows of table `visits` (foreign key `visitor`) reference the rows";
    assert!(text.contains(expected), "{text}");
    // Looked at in the end, the same ids are there again.
    Postgres::shared().query(
        &database,
        "ALTER TABLE visits ALTER CONSTRAINT visitor DEFERRABLE INITIALLY DEFERRED",
    );
    load_three(into(&database, Mode::Replace)).unwrap();
    Postgres::shared().query(
        &database,
        "INSERT INTO people VALUES (9, 'gone'); UPDATE visits SET person = 9",
    );
    let text = load_three(into(&database, Mode::Replace))
        .unwrap_err()
        .to_string();
    assert!(text.contains("referenced by another table"), "{text}");
    assert_eq!(rows(&database, "SELECT count(*) FROM people"), ["4"]);
}

#[test]
fn a_table_that_refers_to_itself_is_replaced() {
    let database = Postgres::shared().database("refers_to_itself");
    Postgres::shared().query(
        &database,
        "CREATE TABLE people (id bigint PRIMARY KEY, name text,
             boss bigint REFERENCES people ON DELETE CASCADE);
         INSERT INTO people VALUES (7, 'boss', NULL), (8, 'old', 7)",
    );
    load_three(into(&database, Mode::Replace)).unwrap();
    assert_eq!(rows(&database, "SELECT count(*) FROM people"), ["3"]);
}

#[test]
fn triggers_rules_and_children_that_a_deletion_reaches_are_named() {
    let cases = [
        (
            format!(
                "CREATE TABLE other (id bigint); {FUNCTION} $$ BEGIN DELETE FROM other; RETURN old; \
                 END $$; CREATE TRIGGER sweeper AFTER DELETE ON people FOR EACH ROW EXECUTE \
                 FUNCTION act()"
            ),
            "its DELETE trigger `sweeper`",
        ),
        (
            "CREATE TABLE other (id bigint); CREATE RULE sweep AS ON DELETE TO people DO ALSO \
             DELETE FROM other"
                .to_owned(),
            "its rule ON DELETE `sweep`",
        ),
        (
            "CREATE TABLE other () INHERITS (people)".to_owned(),
            "would empty the table that inherits from it: `other`",
        ),
    ];
    for (i, (setup, expected)) in cases.into_iter().enumerate() {
        let database = database(
            &format!("reached_{i}"),
            &format!("{setup}; INSERT INTO other (id) VALUES (5)"),
        );
        let text = obstacle(into(&database, Mode::Replace));
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("`side-effects: allow`"), "{text}");
        assert_eq!(rows(&database, "SELECT id FROM other"), ["5"]);
        load_three(into(&database, Mode::Append)).unwrap();
    }
}

#[test]
fn an_upsert_that_would_change_another_tables_keys_is_refused() {
    let database = database(
        "refers_update",
        "ALTER TABLE people ADD UNIQUE (name); INSERT INTO people VALUES (1, 'old');
         CREATE TABLE visits (who text CONSTRAINT visitor REFERENCES people (name) ON UPDATE SET NULL);
         INSERT INTO visits VALUES ('old')",
    );
    let text = obstacle(into(&database, Mode::Upsert));
    assert!(
        text.contains("table `visits` (foreign key `visitor`) references, with ON UPDATE SET NULL"),
        "{text}"
    );
    assert_eq!(rows(&database, "SELECT who FROM visits"), ["old"]);
}

#[test]
fn nothing_takes_the_place_of_rows_only_if_that_is_meant() {
    let database = database("nothing", "INSERT INTO people VALUES (1, 'old')");
    let end = |lenient: bool| {
        let mut options = into(&database, Mode::Replace);
        options.lenient = Lenient {
            replace_with_nothing: lenient,
            ..Lenient::default()
        };
        let mut sink = Sink::new(options);
        sink.open(&job(), &people()).unwrap();
        sink.commit(&Totals::default()).unwrap().kept
    };
    assert!(end(false));
    assert_eq!(rows(&database, ALL), ["1|old"]);
    let journal = "SELECT state, stored FROM glovebox.run ORDER BY started";
    assert_eq!(rows(&database, journal), ["abandoned|0"]);
    let staged = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'stage%'";
    assert_eq!(rows(&database, staged), ["0"]);
    assert!(!end(true));
    assert_eq!(rows(&database, ALL), [""; 0]);
    // There is nothing left to keep.
    assert!(!end(false));
}

#[test]
fn a_withheld_run_leaves_the_old_rows_and_is_given_up_in_the_journal() {
    for (mode, name) in [(Mode::Replace, "withheld_a"), (Mode::Upsert, "withheld_b")] {
        let database = database(name, "INSERT INTO people VALUES (1, 'old')");
        let mut sink = Sink::new(into(&database, mode));
        sink.open(&job(), &people()).unwrap();
        write(&mut sink, &[persons(&[(Some(1), Some("new"))])]).unwrap();
        sink.withhold(&Totals::default()).unwrap();
        drop(sink);
        assert_eq!(rows(&database, ALL), ["1|old"]);
        let journal = "SELECT state, stored FROM glovebox.run";
        assert_eq!(rows(&database, journal), ["abandoned|0"]);
        let staged = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'stage%'";
        assert_eq!(rows(&database, staged), ["0"]);
    }
}

#[test]
fn many_first_runs_at_one_moment_create_schema_journal_and_table_once() {
    const RUNS: usize = 6;
    for (mode, stored) in [
        (Mode::Append, 3 * RUNS),
        (Mode::Replace, 3),
        (Mode::Upsert, 3),
    ] {
        let database =
            Postgres::shared().database(&format!("first_{stored}_{mode:?}").to_lowercase());
        let barrier = Arc::new(Barrier::new(RUNS));
        let runs: Vec<_> = (0..RUNS)
            .map(|i| {
                let (barrier, mut options) = (Arc::clone(&barrier), into(&database, mode));
                options.connections = std::num::NonZero::new(1);
                std::thread::spawn(move || {
                    let mut sink = Sink::new(options);
                    // Pipelines of their own, or one would give the other's run up.
                    let mut job = job();
                    job.pipeline = format!("people-{i}");
                    barrier.wait();
                    sink.open(&job, &people())?;
                    let sent = [(Some(1), Some("a")), (Some(2), None), (Some(3), None)];
                    write(&mut sink, &[persons(&sent)])?;
                    sink.commit(&Totals::default()).map(drop)
                })
            })
            .collect();
        for run in runs {
            run.join().unwrap().unwrap();
        }
        assert_eq!(
            rows(&database, "SELECT count(*) FROM people"),
            [stored.to_string()]
        );
    }
}

#[test]
fn a_run_that_ends_without_a_row_leaves_the_table_to_another_that_has_begun() {
    let database = Postgres::shared().database("left_to_another");
    let begin = |pipeline: &str| {
        let mut sink = Sink::new(into(&database, Mode::Append));
        let mut job = job();
        job.pipeline = pipeline.into();
        sink.open(&job, &people()).unwrap();
        sink
    };
    let (mut first, mut second) = (begin("first"), begin("second"));
    first.abort();
    write(&mut second, &[persons(&[(Some(1), Some("a"))])]).unwrap();
    second.commit(&Totals::default()).unwrap();
    assert_eq!(rows(&database, ALL), ["1|a"]);
    // Nobody has it, and it is empty.
    Postgres::shared().query(&database, "DROP TABLE people");
    begin("third").abort();
    assert_eq!(
        rows(&database, "SELECT to_regclass('people') IS NULL"),
        ["t"]
    );
}
