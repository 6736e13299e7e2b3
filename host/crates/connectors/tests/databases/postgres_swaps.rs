//! A table that another one takes the place of: it is the same but for its rows, its readers see the old or the new ones,
//! and where anything hangs on it, it stays.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use glovebox_connectors::postgres::{Mode, Sink, verified};
use glovebox_core::{Keeps, Sink as _, Totals};
use glovebox_tests::postgres::{Postgres, machine};
use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions, Connection};

use crate::data::{job, load, people, persons, reasons, write};
use crate::postgres_rows::{options, rows};
use crate::postgres_runs::{send, whole};

/// All that `pg_dump` says of the database but for rows and the journal.
fn schema(database: &str) -> String {
    let mut dump = std::process::Command::new(machine::binaries().unwrap().join("pg_dump"));
    Postgres::shared().set_environment(&mut dump, database);
    let dump = dump
        .args(["--schema-only", "--exclude-schema=glovebox"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        dump.status.success(),
        "{}",
        String::from_utf8_lossy(&dump.stderr)
    );
    let text = String::from_utf8(dump.stdout).unwrap();
    // A random word of newer versions, by which psql is kept from commands in a dump.
    let lines = text.lines().filter(|line| !line.starts_with('\\'));
    lines.collect::<Vec<_>>().join("\n")
}

fn number(database: &str) -> String {
    rows(database, "SELECT 'people'::regclass::oid").remove(0)
}

fn note(database: &str) -> String {
    let mut sink = Sink::new(options(database, Mode::Replace));
    let notes = sink.probe(&people(), Keeps::default()).unwrap();
    notes.join("\n").replace('`', "")
}

fn replace(database: &str, sent: &[(Option<i64>, Option<&str>)]) {
    let mut sink = Sink::new(options(database, Mode::Replace));
    load(&mut sink, &people(), &[persons(sent)]).unwrap();
}

fn nothing_is_left(database: &str) {
    let left = "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                WHERE nspname = 'glovebox' AND (relname LIKE 'stage%' OR relname LIKE 'wait%')";
    assert_eq!(rows(database, left), [""; 0]);
}

/// A table with all that another one can be given, too.
const FULL: &str = "
    DO $$ BEGIN CREATE ROLE swap_looker; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
    DO $$ BEGIN CREATE ROLE swap_other; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
    ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO swap_other;
    CREATE DOMAIN short AS text CHECK (length(VALUE) < 100);
    CREATE TABLE people (gone int, id bigint NOT NULL, name short COLLATE \"C\", number serial,
        twice bigint GENERATED ALWAYS AS (id * 2) STORED, \"Größe \"\"x\"\"\" int DEFAULT 7 CHECK (\"Größe \"\"x\"\"\" > 0),
        made timestamptz NOT NULL DEFAULT now(), spot int4range,
        CONSTRAINT \"a name; of its own\" CHECK (id > -5), PRIMARY KEY (id) WITH (fillfactor = 80),
        UNIQUE (number) DEFERRABLE INITIALLY DEFERRED, EXCLUDE USING gist (spot WITH &&))
        WITH (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_enabled = false);
    ALTER TABLE people DROP COLUMN gone;
    CREATE INDEX ON people (name text_pattern_ops DESC NULLS LAST) INCLUDE (made) WITH (fillfactor = 60);
    CREATE INDEX ON people (name text_pattern_ops DESC NULLS LAST) INCLUDE (made) WITH (fillfactor = 60);
    CREATE UNIQUE INDEX \"by USING two\" ON people (lower(name), id) WHERE id > 10;
    CREATE INDEX by_hash ON people USING hash (id);
    ALTER TABLE people ALTER name SET STATISTICS 33, ALTER name SET (n_distinct = -0.5), ALTER name SET STORAGE EXTERNAL;
    COMMENT ON TABLE people IS 'a table''s';
    COMMENT ON COLUMN people.name IS 'a column''s';
    COMMENT ON INDEX by_hash IS 'an index''';
    COMMENT ON CONSTRAINT people_pkey ON people IS 'a key''s';
    COMMENT ON CONSTRAINT \"a name; of its own\" ON people IS 'a check''s';
    REVOKE SELECT ON people FROM swap_other;
    REVOKE TRUNCATE ON people FROM CURRENT_USER;
    GRANT SELECT, INSERT ON people TO swap_looker WITH GRANT OPTION;
    GRANT UPDATE (name) ON people TO swap_other; GRANT REFERENCES ON people TO PUBLIC;
    INSERT INTO people (id, name) VALUES (1, 'old'), (2, 'old')";

#[test]
fn a_table_that_was_swapped_is_the_same_but_for_its_rows() {
    let database = Postgres::shared().database("swap");
    Postgres::shared().query(&database, FULL);
    let (before, was) = (schema(&database), number(&database));
    assert_eq!(
        note(&database),
        "a table that is loaded beside it will take its place"
    );
    for (round, id) in [(3, 20), (4, 30)] {
        replace(&database, &[(Some(id), Some("new"))]);
        assert_eq!(schema(&database), before);
        let found =
            "SELECT id, name, number, twice, \"Größe \"\"x\"\"\", made IS NOT NULL FROM people";
        assert_eq!(
            rows(&database, found),
            [format!("{id}|new|{round}|{}|7|t", id * 2)]
        );
        nothing_is_left(&database);
    }
    assert_ne!(number(&database), was, "its rows were moved");
    // What a planner goes by is there.
    let known = "SELECT count(*) > 0 FROM pg_stats WHERE tablename = 'people'";
    assert_eq!(rows(&database, known), ["t"]);
    // The sequence goes with the column, as before.
    Postgres::shared().query(&database, "DROP TABLE people");
    let sequences = "SELECT count(*) FROM pg_class WHERE relkind = 'S' AND relname LIKE 'people%'";
    assert_eq!(rows(&database, sequences), ["0"]);
}

#[test]
fn rows_that_the_table_would_refuse_are_refused_by_the_one_beside_it() {
    let database = Postgres::shared().database("swap_refused");
    Postgres::shared().query(
        &database,
        "CREATE TABLE people (id bigint CHECK (id > 0), name text, CONSTRAINT once UNIQUE (name));
         INSERT INTO people VALUES (7, 'old')",
    );
    let was = number(&database);
    let mut sink = Sink::new(options(&database, Mode::Replace));
    sink.open(&job(), &people()).unwrap();
    let sent = [
        (Some(1), Some("canary-a")),
        (Some(-1), Some("canary-b")),
        (Some(2), Some("canary-a")),
        (Some(3), Some("c")),
    ];
    write(&mut sink, &[persons(&sent)]).unwrap();
    let refused = sink.commit(&Totals::default()).unwrap().refused;
    let told = format!("{refused:?}");
    let due = [(101, "people_id_check", "check"), (102, "once", "unique")];
    for (reject, (row, constraint, rule)) in refused.iter().zip(due) {
        assert_eq!(reject.row, row, "{told}");
        let violation = format!("{:?}", reject.violations);
        assert!(
            violation.contains(constraint) && violation.contains(rule),
            "{told}"
        );
        assert!(violation.contains("table `people`"), "{told}");
    }
    assert_eq!(refused.len(), 2, "{told}");
    assert_eq!(reasons(&refused).len(), 2);
    assert!(!told.contains("canary"), "{told}");
    assert_eq!(rows(&database, "SELECT id FROM people"), ["7"]);
    sink.commit(&Totals::default()).unwrap();
    assert_eq!(
        rows(&database, "SELECT id FROM people ORDER BY 1"),
        ["1", "3"]
    );
    assert_ne!(number(&database), was);
    nothing_is_left(&database);
}

/// What hangs on a table, how it is made, and the words that say so.
const HANGING: [(&str, &str); 16] = [
    (
        "CREATE VIEW looks AS SELECT id FROM people",
        "what depends on it: looks",
    ),
    (
        "CREATE MATERIALIZED VIEW kept AS SELECT id FROM people",
        "what depends on it: kept",
    ),
    (
        "CREATE TABLE pets (owner bigint REFERENCES people DEFERRABLE INITIALLY DEFERRED)",
        "foreign key pets_owner_fkey",
    ),
    (
        "CREATE TABLE towns (name text PRIMARY KEY); INSERT INTO towns VALUES ('new'), ('old'); \
         ALTER TABLE people ADD FOREIGN KEY (name) REFERENCES towns",
        "foreign key people_name_fkey",
    ),
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
         CREATE TRIGGER looks_on AFTER INSERT ON people FOR EACH ROW EXECUTE FUNCTION f()",
        "its trigger looks_on",
    ),
    (
        "CREATE RULE also AS ON UPDATE TO people DO ALSO NOTIFY x",
        "its rule also",
    ),
    (
        "CREATE PUBLICATION told FOR TABLE people",
        "a publication: told",
    ),
    (
        "CREATE PUBLICATION all_told FOR TABLES IN SCHEMA public",
        "a publication: all_told",
    ),
    (
        "CREATE TABLE parent (id bigint, name text); ALTER TABLE parent ALTER id SET NOT NULL; \
      ALTER TABLE people INHERIT parent",
        "inheritance: people",
    ),
    (
        "ALTER TABLE people ENABLE ROW LEVEL SECURITY",
        "row-level security",
    ),
    (
        "CREATE FUNCTION g() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM people; END",
        "function g()",
    ),
    (
        "CREATE FUNCTION h(people) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "function h(people)",
    ),
    ("CREATE TABLE holds (it people)", "column it of table holds"),
    (
        "ALTER TABLE people ADD number bigint GENERATED ALWAYS AS IDENTITY",
        "its identity column number",
    ),
    (
        "CREATE STATISTICS together ON id, name FROM people",
        "its extended statistics together",
    ),
    (
        "ALTER TABLE people REPLICA IDENTITY FULL",
        "its replica identity",
    ),
];

#[test]
fn a_table_on_which_something_hangs_stays_and_is_filled() {
    for (made, told) in HANGING {
        let database = Postgres::shared().database("swap_not");
        let sql = format!(
            "CREATE TABLE people (id bigint PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'old'); {made}"
        );
        Postgres::shared().query(&database, &sql);
        let (before, was) = (schema(&database), number(&database));
        let note = note(&database);
        assert!(
            note.starts_with("rows are loaded beside it and then moved into it"),
            "{made}: {note}"
        );
        assert!(note.contains(told), "{made}: {note}");
        replace(&database, &[(Some(2), Some("new"))]);
        assert_eq!(
            rows(&database, "SELECT id, name FROM people"),
            ["2|new"],
            "{made}"
        );
        assert_eq!(number(&database), was, "{made}");
        assert_eq!(schema(&database), before, "{made}");
        nothing_is_left(&database);
    }
}

#[test]
fn what_changes_while_rows_are_loaded_is_not_lost() {
    for change in [
        "CREATE VIEW looks AS SELECT id FROM people",
        "GRANT SELECT ON people TO PUBLIC",
        "ALTER TABLE people ALTER name SET DEFAULT 'x'",
        "CREATE UNIQUE INDEX ON people (name)",
        "CREATE INDEX ON people (name)",
        "ALTER TABLE people ADD COLUMN more int DEFAULT 3",
        "DROP TABLE people; CREATE TABLE public.people (id bigint, name text)",
    ] {
        let database = Postgres::shared().database("swap_changed");
        let sql =
            "CREATE TABLE people (id bigint, name text); INSERT INTO people VALUES (1, 'old')";
        Postgres::shared().query(&database, sql);
        let mut sink = Sink::new(options(&database, Mode::Replace));
        sink.open(&job(), &people()).unwrap();
        write(&mut sink, &[persons(&[(Some(2), Some("new"))])]).unwrap();
        Postgres::shared().query(&database, change);
        let before = schema(&database);
        sink.commit(&Totals::default()).unwrap();
        assert_eq!(schema(&database), before, "{change}");
        assert_eq!(
            rows(&database, "SELECT id, name FROM people"),
            ["2|new"],
            "{change}"
        );
        nothing_is_left(&database);
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(work)
}

async fn connect(database: &str) -> PgConnection {
    let login = options(database, Mode::Replace).login;
    verified(&login).unwrap().connect().await.unwrap()
}

async fn count(connection: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
}

/// Looks at the table again and again, in one way, until it is told to end: each time it has to have 300 rows.
fn look(database: &str, way: usize, ended: &AtomicBool, looks: &AtomicUsize) {
    const ALL: &str = "SELECT count(*) FROM people";
    block_on(async {
        let mut connection = connect(database).await;
        while !ended.load(Ordering::Relaxed) {
            let seen = match way {
                // Prepared once, by name.
                0 => vec![count(&mut connection, ALL).await],
                // Parsed each time.
                1 => vec![
                    sqlx::query_scalar(ALL)
                        .persistent(false)
                        .fetch_one(&mut connection)
                        .await
                        .unwrap(),
                ],
                // A transaction that looks twice, with a pause.
                2 | 3 => {
                    let begin = match way {
                        2 => "BEGIN",
                        _ => "BEGIN ISOLATION LEVEL REPEATABLE READ",
                    };
                    sqlx::raw_sql(begin).execute(&mut connection).await.unwrap();
                    if way == 3 {
                        // Its snapshot is taken before it asks for the table.
                        let _ = count(&mut connection, "SELECT 1::bigint").await;
                        tokio::time::sleep(Duration::from_millis(30)).await;
                    }
                    let first = count(&mut connection, ALL).await;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    let second = count(&mut connection, ALL).await;
                    sqlx::raw_sql("COMMIT")
                        .execute(&mut connection)
                        .await
                        .unwrap();
                    vec![first, second]
                }
                // A function's own plan.
                _ => vec![count(&mut connection, "SELECT number_of_people()").await],
            };
            assert!(seen.iter().all(|seen| *seen == 300), "way {way}: {seen:?}");
            looks.fetch_add(1, Ordering::Relaxed);
        }
        connection.close().await.unwrap();
    });
}

#[test]
fn readers_see_the_old_rows_or_the_new_ones_and_no_error() {
    let database = Postgres::shared().database("swap_read");
    Postgres::shared().query(
        &database,
        "CREATE TABLE people (id bigint PRIMARY KEY, name text); INSERT INTO people SELECT generate_series(0, 299);
         CREATE FUNCTION number_of_people() RETURNS bigint LANGUAGE plpgsql AS
             'BEGIN RETURN (SELECT count(*) FROM people); END'",
    );
    let (ended, looks) = (AtomicBool::new(false), [const { AtomicUsize::new(0) }; 5]);
    let mut swapped = 0;
    thread::scope(|scope| {
        for (way, looks) in looks.iter().enumerate() {
            let (database, ended) = (&database, &ended);
            scope.spawn(move || look(database, way, ended, looks));
        }
        for _ in 0..20 {
            let was = number(&database);
            let mut sink = Sink::new(options(&database, Mode::Replace));
            sink.open(&job(), &people()).unwrap();
            send(&mut sink, 0..3).unwrap();
            sink.commit(&Totals::default()).unwrap();
            swapped += usize::from(number(&database) != was);
        }
        ended.store(true, Ordering::Relaxed);
    });
    whole(&database, 3);
    assert!(swapped >= 10, "of 20 tables {swapped} were swapped");
    for looks in looks {
        assert!(looks.load(Ordering::Relaxed) >= 10, "too few looks");
    }
    nothing_is_left(&database);
}

/// A session with a transaction that stays open.
struct Held {
    runtime: tokio::runtime::Runtime,
    session: std::cell::RefCell<PgConnection>,
}

impl Held {
    fn new(database: &str, begin: &'static str, look: &'static str) -> Held {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        let session = runtime.block_on(async {
            let mut session = connect(database).await;
            sqlx::raw_sql(begin).execute(&mut session).await.unwrap();
            let _ = count(&mut session, look).await;
            session
        });
        Held {
            runtime,
            session: session.into(),
        }
    }

    fn count(&self, sql: &'static str) -> i64 {
        self.runtime
            .block_on(count(&mut self.session.borrow_mut(), sql))
    }

    fn end(self, sql: &'static str) {
        let Held { runtime, session } = self;
        runtime.block_on(async {
            let mut session = session.into_inner();
            sqlx::raw_sql(sql).execute(&mut session).await.unwrap();
            session.close().await.unwrap();
        });
    }
}

#[test]
fn a_reader_that_stays_is_not_waited_for_and_holds_nobody_up() {
    let database = Postgres::shared().database("swap_held");
    Postgres::shared().query(
        &database,
        "CREATE TABLE people (id bigint, name text); INSERT INTO people VALUES (1, 'old')",
    );
    let was = number(&database);
    let ended = AtomicBool::new(false);
    let slowest = thread::scope(|scope| {
        let held = Held::new(&database, "BEGIN", "SELECT count(*) FROM people");
        let look = scope.spawn(|| {
            block_on(async {
                let mut connection = connect(&database).await;
                let mut slowest = Duration::ZERO;
                while !ended.load(Ordering::Relaxed) {
                    let started = Instant::now();
                    let seen = count(&mut connection, "SELECT count(*) FROM people").await;
                    assert!(seen == 1 || seen == 2);
                    slowest = slowest.max(started.elapsed());
                }
                slowest
            })
        });
        replace(&database, &[(Some(2), None), (Some(3), None)]);
        ended.store(true, Ordering::Relaxed);
        held.end("COMMIT");
        look.join().unwrap()
    });
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    assert_eq!(
        rows(&database, "SELECT id FROM people ORDER BY 1"),
        ["2", "3"]
    );
    assert_eq!(number(&database), was);
    nothing_is_left(&database);
}

#[test]
fn a_transaction_that_is_older_than_the_rows_sees_what_was_there() {
    let database = Postgres::shared().database("swap_old");
    Postgres::shared().query(
        &database,
        "CREATE TABLE people (id bigint, name text); INSERT INTO people VALUES (1, 'old')",
    );
    let was = number(&database);
    // It looks at the database, and not yet at the table.
    let old = Held::new(
        &database,
        "BEGIN ISOLATION LEVEL REPEATABLE READ",
        "SELECT 1::bigint",
    );
    replace(&database, &[(Some(2), None), (Some(3), None)]);
    assert_eq!(old.count("SELECT count(*) FROM people"), 1);
    old.end("COMMIT");
    assert_eq!(number(&database), was);
    // Nobody looks any more.
    replace(&database, &[(Some(4), None)]);
    assert_ne!(number(&database), was);
    assert_eq!(rows(&database, "SELECT id FROM people"), ["4"]);
}
