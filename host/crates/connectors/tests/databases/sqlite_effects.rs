//! SQLite tables on which something hangs that drops, doubles or exchanges rows, here or in other
//! tables; and files that several runs have open.

use std::sync::{Arc, Barrier};

use glovebox_connectors::sqlite::{Lenient, Mode, Options, Sink};
use glovebox_core::{Keeps, Sink as _, SinkError, Totals};

use crate::data::{job, load, people, persons, write};
use crate::sqlite::{File, file, options, rows};

const ALL: &str = "SELECT id, name FROM people ORDER BY id, name";

fn into(file: &File, mode: Mode) -> Options {
    let mut options = options(file, mode);
    if mode == Mode::Upsert {
        options.keys = vec!["id".into()];
    }
    options
}

fn with(setup: &str) -> File {
    let file = file();
    rows(
        &file.path,
        &format!("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT); {setup}"),
    );
    file
}

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

fn obstacle(options: Options) -> String {
    let probed = Sink::new(options.clone())
        .probe(&people(), Keeps::default())
        .unwrap_err();
    let opened = Sink::new(options).open(&job(), &people()).unwrap_err();
    assert_eq!(probed.to_string(), opened.to_string());
    opened.to_string()
}

const LEAVES_OUT: &str = "CREATE TRIGGER watcher BEFORE INSERT ON people WHEN new.id = 2 \
                          BEGIN SELECT RAISE(IGNORE); END";
const DOUBLES: &str = "CREATE TRIGGER watcher AFTER INSERT ON people WHEN new.id < 100 BEGIN \
                       INSERT INTO people VALUES (new.id + 100, new.name); END";
const REMOVES: &str = "CREATE TRIGGER watcher AFTER INSERT ON people BEGIN DELETE FROM people \
                       WHERE id = 2; END";

#[test]
fn rows_that_a_trigger_leaves_out_adds_or_takes_away_are_missed_in_every_mode() {
    for mode in [Mode::Append, Mode::Replace, Mode::Upsert] {
        for (trigger, kept) in [(LEAVES_OUT, 2), (DOUBLES, 6), (REMOVES, 2)] {
            let file = with(&format!(
                "{trigger}; INSERT INTO people VALUES (500, 'old')"
            ));
            let text = refusal(into(&file, mode));
            let expected = format!("3 rows were sent, but the table kept {kept}, by SQLite's own");
            assert!(text.contains(&expected), "{mode:?}: {text}");
            assert!(text.contains("its trigger `watcher` (on INSERT)"), "{text}");
            assert_eq!(rows(&file.path, ALL), ["500|'old'"]);
        }
    }
}

#[test]
fn rows_that_a_conflict_clause_drops_or_exchanges_are_missed() {
    for (clause, kept) in [("IGNORE", "2"), ("REPLACE", "2")] {
        let file = file();
        rows(
            &file.path,
            &format!(
                "CREATE TABLE people (id INTEGER, name TEXT, UNIQUE (id) ON /* so */ conflict {clause});
                 INSERT INTO people VALUES (2, 'old')"
            ),
        );
        let text = refusal(options(&file, Mode::Append));
        let expected = format!("the table kept {kept}, by SQLite's own count");
        assert!(text.contains(&expected), "{text}");
        assert!(
            text.contains("an ON CONFLICT clause in its definition"),
            "{text}"
        );
        assert_eq!(rows(&file.path, ALL), ["2|'old'"]);
    }
}

#[test]
fn an_upsert_that_pushes_out_a_row_of_another_key_is_missed() {
    let file = file();
    rows(
        &file.path,
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT UNIQUE ON CONFLICT REPLACE);
         INSERT INTO people VALUES (9, 'ann')",
    );
    let text = refusal(into(&file, Mode::Upsert));
    assert!(text.contains("an ON CONFLICT clause"), "{text}");
    assert_eq!(rows(&file.path, ALL), ["9|'ann'"]);
}

#[test]
fn a_trigger_that_only_changes_cells_or_keeps_a_log_is_no_obstacle() {
    for mode in [Mode::Append, Mode::Replace, Mode::Upsert] {
        let file = with(
            "CREATE TABLE log (id); CREATE TRIGGER log AFTER INSERT ON people BEGIN \
             INSERT INTO log VALUES (new.id); UPDATE people SET name = upper(name) \
             WHERE id = new.id; END",
        );
        load_three(into(&file, mode)).unwrap();
        assert_eq!(
            rows(&file.path, ALL),
            ["1|'ANN'", "2|'CANARY-8C1D'", "3|'CID'"]
        );
        assert_eq!(rows(&file.path, "SELECT count(*) FROM log"), ["3"]);
    }
}

#[test]
fn of_rows_with_one_key_the_last_is_there_and_the_others_are_told() {
    let file = with("INSERT INTO people VALUES (2, 'old')");
    let mut sink = Sink::new(into(&file, Mode::Upsert));
    sink.open(&job(), &people()).unwrap();
    let sent = [
        (Some(1), Some("a")),
        (Some(1), Some("b")),
        (Some(2), Some("c")),
        (Some(1), Some("d")),
    ];
    write(&mut sink, &[persons(&sent)]).unwrap();
    assert_eq!(sink.commit(&Totals::default()).unwrap().superseded, 2);
    assert_eq!(rows(&file.path, ALL), ["1|'d'", "2|'c'"]);
}

#[test]
fn other_tables_that_replacing_would_change_are_named_before_the_first_row() {
    for (action, effect) in [
        ("CASCADE", "delete rows there"),
        ("SET NULL", "empty cells there"),
        ("SET DEFAULT", "overwrite cells there"),
    ] {
        let file = with(&format!(
            "INSERT INTO people VALUES (1, 'old');
             CREATE TABLE visits (person INTEGER REFERENCES People ON DELETE {action});
             INSERT INTO visits VALUES (1)"
        ));
        let text = obstacle(into(&file, Mode::Replace));
        let expected = format!(
            "replacing its rows would {effect}: table `visits` references it by a foreign key on (`person`) with ON DELETE {action}"
        );
        assert!(text.contains(&expected), "{text}");
        load_three(into(&file, Mode::Upsert)).unwrap();
        assert_eq!(rows(&file.path, "SELECT person FROM visits"), ["1"]);
        let mut allowed = into(&file, Mode::Replace);
        allowed.lenient.side_effects = true;
        load_three(allowed).unwrap();
    }
    let file = with(
        "INSERT INTO people VALUES (1, 'old'); CREATE TABLE visits (person REFERENCES people)",
    );
    load_three(into(&file, Mode::Replace)).unwrap();
    rows(&file.path, "INSERT INTO visits VALUES (1)");
    let text = obstacle(into(&file, Mode::Replace));
    assert!(
        text.contains("rows of table `visits` reference the rows"),
        "{text}"
    );
}

#[test]
fn a_trigger_that_a_deletion_sets_off_is_named_and_a_tables_own_reference_is_not() {
    let file = with(
        "CREATE TABLE other (id); INSERT INTO other VALUES (5); CREATE TRIGGER sweeper \
         BEFORE DELETE ON people BEGIN DELETE FROM other; END",
    );
    let text = obstacle(into(&file, Mode::Replace));
    assert!(text.contains("its DELETE trigger `sweeper`"), "{text}");
    load_three(into(&file, Mode::Append)).unwrap();
    assert_eq!(rows(&file.path, "SELECT id FROM other"), ["5"]);

    let own = crate::sqlite::file();
    rows(
        &own.path,
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT,
             boss INTEGER REFERENCES people ON DELETE CASCADE);
         INSERT INTO people VALUES (7, 'boss', NULL), (8, 'old', 7)",
    );
    load_three(into(&own, Mode::Replace)).unwrap();
    assert_eq!(rows(&own.path, "SELECT count(*) FROM people"), ["3"]);
}

#[test]
fn an_upsert_that_would_change_another_tables_keys_is_refused() {
    let file = with(
        "CREATE UNIQUE INDEX names ON people (name); INSERT INTO people VALUES (1, 'old');
         CREATE TABLE visits (who TEXT REFERENCES people (name) ON UPDATE SET NULL);
         INSERT INTO visits VALUES ('old')",
    );
    let text = obstacle(into(&file, Mode::Upsert));
    assert!(
        text.contains("table `visits` references, with ON UPDATE SET NULL"),
        "{text}"
    );
    assert_eq!(rows(&file.path, "SELECT who FROM visits"), ["'old'"]);
}

#[test]
fn nothing_takes_the_place_of_rows_only_if_that_is_meant() {
    let file = with("INSERT INTO people VALUES (1, 'old')");
    let end = |lenient: bool| {
        let mut options = into(&file, Mode::Replace);
        options.lenient = Lenient {
            replace_with_nothing: lenient,
            ..Lenient::default()
        };
        let mut sink = Sink::new(options);
        sink.open(&job(), &people()).unwrap();
        sink.commit(&Totals::default()).unwrap().kept
    };
    assert!(end(false));
    assert_eq!(rows(&file.path, ALL), ["1|'old'"]);
    let journal = "SELECT state, stored FROM glovebox_run";
    assert_eq!(rows(&file.path, journal), ["'abandoned'|0"]);
    let staged = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'glovebox_stage%'";
    assert_eq!(rows(&file.path, staged), ["0"]);
    assert!(!end(true));
    assert_eq!(rows(&file.path, ALL), [""; 0]);
    assert!(!end(false));
}

#[test]
fn a_withheld_run_leaves_the_old_rows_and_is_given_up_in_the_journal() {
    for mode in [Mode::Replace, Mode::Upsert] {
        let file = with("INSERT INTO people VALUES (1, 'old')");
        let mut sink = Sink::new(into(&file, mode));
        sink.open(&job(), &people()).unwrap();
        write(&mut sink, &[persons(&[(Some(1), Some("new"))])]).unwrap();
        sink.withhold(&Totals::default()).unwrap();
        drop(sink);
        assert_eq!(rows(&file.path, ALL), ["1|'old'"]);
        let journal = "SELECT state, stored FROM glovebox_run";
        assert_eq!(rows(&file.path, journal), ["'abandoned'|0"]);
        let staged = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'glovebox_stage%'";
        assert_eq!(rows(&file.path, staged), ["0"]);
    }
}

#[test]
fn a_run_that_made_the_file_and_failed_leaves_what_others_have_put_there() {
    let file = file();
    let mut first = Sink::new(options(&file, Mode::Append));
    first.open(&job(), &people()).unwrap();
    let path = file.path.clone();
    // Another program opened the file when it was there, and waits for its turn.
    let (opened, is_open) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        opened.send(()).unwrap();
        let sql = "PRAGMA busy_timeout = 60000; CREATE TABLE theirs (id); \
                   INSERT INTO theirs VALUES (1), (2)";
        rows(&path, sql);
    });
    is_open.recv().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    first.abort();
    drop(first);
    other.join().unwrap();
    assert_eq!(rows(&file.path, "SELECT count(*) FROM theirs"), ["2"]);
}

#[test]
fn many_first_runs_at_one_moment_store_all_their_rows() {
    const RUNS: usize = 5;
    let file = file();
    let barrier = Arc::new(Barrier::new(RUNS));
    let runs: Vec<_> = (0..RUNS)
        .map(|i| {
            let (barrier, options) = (Arc::clone(&barrier), options(&file, Mode::Append));
            std::thread::spawn(move || {
                let mut sink = Sink::new(options);
                let mut job = job();
                job.pipeline = format!("people-{i}");
                barrier.wait();
                // Another run may hold the file for longer than is waited for.
                let mut opened = sink.open(&job, &people());
                for _ in 0..10 {
                    if opened.is_ok() {
                        break;
                    }
                    opened = sink.open(&job, &people());
                }
                opened?;
                if i == 0 {
                    sink.abort();
                    return Ok(0);
                }
                write(&mut sink, &[persons(&[(Some(1), None), (Some(2), None)])])?;
                sink.commit(&Totals::default())?;
                Ok::<_, SinkError>(2)
            })
        })
        .collect();
    let stored: usize = runs
        .into_iter()
        .map(|run| run.join().unwrap().unwrap())
        .sum();
    assert_eq!(
        rows(&file.path, "SELECT count(*) FROM people"),
        [stored.to_string()]
    );
}
