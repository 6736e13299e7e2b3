//! Rows that only the database can judge: each is rejected alone, with its number and rule, and all
//! others are stored.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use glovebox_connectors::{postgres, sqlite};
use glovebox_core::{Batch, Job, Origin, Reject, Revise, Schema, Sink, SinkError, Totals};
use glovebox_tests::postgres::Postgres;

use crate::data::{batch, chunk, job, people, reasons};
use crate::postgres_rows::rows;
use crate::{postgres_rows, sqlite as files};

/// Rows `first..` of the source with these ids, which begin at line `first + 2`.
fn numbered(first: u64, ids: &[i64]) -> Batch {
    let names = ids.iter().map(|id| Some(format!("n{id}")));
    let names: StringArray = names.collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(ids.to_vec())), Arc::new(names)];
    let columns = batch(&people(), columns).columns;
    Batch::new(
        columns,
        Origin::contiguous(first).with_lines(first + 2, None),
    )
}

/// 5,001 rows, of which row 3,000 has the key of row 17.
fn doubled() -> Batch {
    let mut ids: Vec<i64> = (0..5001).collect();
    ids[3000] = 17;
    numbered(0, &ids)
}

/// Loads with chunks that are numbered as the engine numbers them.
fn load(
    sink: &mut dyn Sink,
    schema: &Schema,
    batches: &[Batch],
) -> Result<(u64, Vec<Reject>), SinkError> {
    sink.open(&job(), schema)?;
    let mut stored = 0;
    for (index, batch) in batches.iter().enumerate() {
        let chunk = chunk(sink, index as u64, batch)?;
        stored += chunk.record.rows.stored;
        sink.write(chunk)?;
    }
    let mut rejects = Vec::new();
    loop {
        let refused = sink.commit(&Totals::default())?.refused;
        if refused.is_empty() {
            return Ok((stored - rejects.len() as u64, rejects));
        }
        rejects.extend(refused);
    }
}

fn told(rejects: &[Reject]) -> Vec<(u64, Option<u64>, String)> {
    let mut told: Vec<_> = rejects
        .iter()
        .map(|r| (r.row, r.line, r.violations[0].rule.to_string()))
        .collect();
    told.sort();
    told
}

fn postgres_options(database: &str, mode: postgres::Mode) -> postgres::Options {
    let mut options = postgres_rows::options(database, mode);
    if mode == postgres::Mode::Upsert {
        options.keys = vec!["id".into()];
    }
    options
}

#[test]
fn one_duplicate_in_5001_rows_is_rejected_and_the_others_are_stored() {
    let database = Postgres::shared().database("duplicate");
    let count = "SELECT count(*), count(DISTINCT id) FROM people";
    for mode in [postgres::Mode::Append, postgres::Mode::Replace] {
        Postgres::shared().query(
            &database,
            "DROP TABLE IF EXISTS people; \
             CREATE TABLE public.people (id integer PRIMARY KEY, name varchar(20))",
        );
        let options = postgres_options(&database, mode);
        let (stored, rejects) =
            load(&mut postgres::Sink::new(options), &people(), &[doubled()]).unwrap();
        assert_eq!(stored, 5000, "{mode:?}");
        assert_eq!(rows(&database, count), ["5000|5000"], "{mode:?}");
        assert_eq!(told(&rejects), [(3000, Some(3002), "unique".into())]);
        let message = &rejects[0].violations[0].message;
        assert!(message.contains("`people_pkey`"), "{message}");
    }
    for mode in [sqlite::Mode::Append, sqlite::Mode::Replace] {
        let file = files::file();
        files::rows(
            &file.path,
            "CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(20))",
        );
        let options = files::options(&file, mode);
        let (stored, rejects) =
            load(&mut sqlite::Sink::new(options), &people(), &[doubled()]).unwrap();
        assert_eq!(stored, 5000, "{mode:?}");
        let count = "SELECT count(*) FROM people";
        assert_eq!(files::rows(&file.path, count), ["5000"]);
        assert_eq!(told(&rejects), [(3000, Some(3002), "unique".into())]);
    }
}

const POSTGRES_RULES: &str = "
    DROP TABLE IF EXISTS people, friends; SET search_path = public; CREATE TABLE friends (id bigint PRIMARY KEY);
    INSERT INTO friends SELECT generate_series(0, 99);
    CREATE TABLE people (
        id bigint REFERENCES friends (id), name text,
        CHECK (id <> 10), EXCLUDE (name WITH =) WHERE (id > 90),
        UNIQUE (name) DEFERRABLE INITIALLY DEFERRED);
    CREATE OR REPLACE FUNCTION no_twenty() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.id = 20 THEN RAISE EXCEPTION 'cell %', NEW.name USING ERRCODE = 'ZIP42'; END IF;
        RETURN NEW; END $$;
    CREATE TRIGGER t BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION no_twenty()";

#[test]
fn checks_keys_triggers_and_deferred_constraints_name_their_rows() {
    let database = Postgres::shared().database("refused_rules");
    let mut ids: Vec<i64> = (0..100).collect();
    ids[30] = 5; // Its name is taken, as the deferred constraint says.
    ids[40] = 1000; // Nobody's friend.
    for mode in [postgres::Mode::Append, postgres::Mode::Replace] {
        Postgres::shared().query(&database, POSTGRES_RULES);
        let options = postgres_options(&database, mode);
        let sent = [numbered(0, &ids)];
        let (stored, rejects) = load(&mut postgres::Sink::new(options), &people(), &sent).unwrap();
        assert_eq!(
            told(&rejects),
            [
                (10, Some(12), "check".to_owned()),
                (20, Some(22), "trigger".to_owned()),
                (30, Some(32), "unique".to_owned()),
                (40, Some(42), "foreign-key".to_owned()),
            ],
            "{mode:?}"
        );
        assert_eq!(stored, 96);
        assert_eq!(rows(&database, "SELECT count(*) FROM people"), ["96"]);
        let said = format!("{rejects:?}");
        assert!(!said.contains("n20") && !said.contains("ZIP42"), "{said}");
    }
}

#[test]
fn triggers_may_write_what_is_whole_only_at_the_commit() {
    let database = Postgres::shared().database("refused_whole");
    for mode in [postgres::Mode::Append, postgres::Mode::Replace] {
        Postgres::shared().query(
            &database,
            "DROP TABLE IF EXISTS people, visits, visitors; SET search_path = public;
             CREATE TABLE visitors (id bigint PRIMARY KEY);
             CREATE TABLE visits (id bigint REFERENCES visitors (id) DEFERRABLE INITIALLY DEFERRED);
             CREATE TABLE people (id bigint UNIQUE DEFERRABLE INITIALLY DEFERRED, name text);
             CREATE OR REPLACE FUNCTION visit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO visits VALUES (NEW.id);
                 INSERT INTO visitors VALUES (NEW.id) ON CONFLICT DO NOTHING;
                 RETURN NULL; END $$;
             CREATE TRIGGER visit AFTER INSERT ON people FOR EACH ROW EXECUTE FUNCTION visit()",
        );
        let options = postgres_options(&database, mode);
        let sent = [numbered(0, &[1, 2, 1, 3])];
        let (stored, rejects) = load(&mut postgres::Sink::new(options), &people(), &sent).unwrap();
        assert_eq!(told(&rejects), [(2, Some(4), "unique".to_owned())]);
        assert_eq!(stored, 3, "{mode:?}");
        assert_eq!(rows(&database, "SELECT count(*) FROM visits"), ["3"]);
    }
}

#[test]
fn sqlite_rules_name_their_rows_in_every_mode() {
    let mut ids: Vec<i64> = (0..100).collect();
    ids[30] = 5;
    ids[40] = 1000;
    for mode in [
        sqlite::Mode::Append,
        sqlite::Mode::Replace,
        sqlite::Mode::Upsert,
    ] {
        for resolution in ["ABORT", "FAIL"] {
            let file = files::file();
            files::rows(
                &file.path,
                &format!(
                    "CREATE TABLE friends (id INTEGER PRIMARY KEY);
                     INSERT INTO friends SELECT value FROM generate_series(0, 99);
                     CREATE TABLE people (id INT REFERENCES friends (id), name TEXT,
                         UNIQUE (id) ON CONFLICT {resolution}, CHECK (id <> 10));
                     CREATE TRIGGER t BEFORE INSERT ON people WHEN NEW.id = 20
                         BEGIN SELECT RAISE({resolution}, 'no'); END"
                )
                .replace(
                    "SELECT value FROM generate_series(0, 99)",
                    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99) \
                     SELECT i FROM n",
                ),
            );
            let mut options = files::options(&file, mode);
            let mut wanted = vec![
                (10, Some(12), "check".to_owned()),
                (20, Some(22), "trigger".to_owned()),
                (30, Some(32), "unique".to_owned()),
                (40, Some(42), "foreign-key".to_owned()),
            ];
            let mut left = 96;
            if mode == sqlite::Mode::Upsert {
                options.keys = vec!["id".into()];
                // The later of two rows with one key takes the earlier one's place.
                wanted.remove(2);
            }
            let sent = [numbered(0, &ids)];
            let (stored, rejects) =
                load(&mut sqlite::Sink::new(options), &people(), &sent).unwrap();
            assert_eq!(told(&rejects), wanted, "{mode:?} {resolution}");
            assert_eq!(stored, 100 - wanted.len() as u64);
            if mode == sqlite::Mode::Upsert {
                left = 96;
            }
            let count = files::rows(&file.path, "SELECT count(*) FROM people");
            assert_eq!(count, [format!("{left}")], "{mode:?} {resolution}");
        }
    }
}

#[test]
fn a_table_that_rolls_everything_back_ends_the_run_and_nothing_is_stored() {
    let file = files::file();
    files::rows(
        &file.path,
        "CREATE TABLE people (id INT UNIQUE ON CONFLICT ROLLBACK, name TEXT)",
    );
    let options = files::options(&file, sqlite::Mode::Append);
    let refused = load(&mut sqlite::Sink::new(options), &people(), &[doubled()]).unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("rolls back the whole transaction"), "{said}");
    let count = "SELECT count(*) FROM people";
    assert_eq!(files::rows(&file.path, count), ["0"]);
}

#[test]
fn rows_that_refer_to_later_rows_are_not_refused_for_another_ones_sake() {
    let database = Postgres::shared().database("self_reference");
    Postgres::shared().query(
        &database,
        "CREATE TABLE people (id bigint PRIMARY KEY, name text, \
         parent bigint GENERATED ALWAYS AS (nullif(id, 199) + 1) STORED REFERENCES people (id), \
         CHECK (id <> 50))",
    );
    let ids: Vec<i64> = (0..200).collect();
    let options = postgres_options(&database, postgres::Mode::Append);
    let (stored, rejects) = load(
        &mut postgres::Sink::new(options),
        &people(),
        &[numbered(0, &ids)],
    )
    .unwrap();
    // All before the one that breaks the check hang on it.
    assert_eq!(stored, 149);
    assert_eq!(rejects.len(), 51);
    assert_eq!(rows(&database, "SELECT min(id) FROM people"), ["51"]);
}

#[test]
fn a_table_that_refuses_everything_ends_the_run_with_a_sentence() {
    let database = Postgres::shared().database("refuses_all");
    Postgres::shared().query(
        &database,
        "CREATE TABLE people (id bigint, name text, CHECK (id < 0))",
    );
    let few: Vec<i64> = (0..500).collect();
    let options = postgres_options(&database, postgres::Mode::Append);
    let (stored, rejects) = load(
        &mut postgres::Sink::new(options),
        &people(),
        &[numbered(0, &few)],
    )
    .unwrap();
    assert_eq!((stored, rejects.len()), (0, 500));
}

#[test]
fn rows_refused_while_they_were_staged_are_told_before_a_run_is_withheld() {
    let database = Postgres::shared().database("refused_withheld");
    Postgres::shared().query(
        &database,
        "CREATE DOMAIN odd AS bigint CHECK (VALUE % 2 = 1); \
         CREATE TABLE people (id odd, name text)",
    );
    let mut sink = postgres::Sink::new(postgres_options(&database, postgres::Mode::Replace));
    sink.open(&job(), &people()).unwrap();
    let sent = chunk(&sink, 0, &numbered(0, &[1, 2, 3])).unwrap();
    sink.write(sent).unwrap();
    let published = sink.withhold(&Totals::default()).unwrap();
    assert_eq!(told(&published.refused), [(1, Some(3), "check".to_owned())]);
    let state = "SELECT state FROM glovebox.run";
    assert_eq!(rows(&database, state), ["running"]);
    assert!(sink.withhold(&Totals::default()).unwrap().kept);
    assert_eq!(rows(&database, state), ["abandoned"]);
}

/// A summary that says how many rows were refused.
fn revised(summary: &str, refused: &[Reject]) -> String {
    format!("{summary} and {} refused", refused.len())
}

fn store(sink: &mut dyn Sink, job: &Job) -> Vec<Reject> {
    sink.open(job, &people()).unwrap();
    for (index, ids) in [[1, 2, 3], [4, 2, 5]].iter().enumerate() {
        let index = index as u64;
        let sent = numbered(index * 1000, ids);
        let chunk = chunk(sink, index, &sent).unwrap();
        sink.write(chunk).unwrap();
    }
    let refused = sink.commit(&Totals::default()).unwrap().refused;
    let published = sink.commit(&Totals::default()).unwrap();
    assert!(published.refused.is_empty() && !published.kept);
    refused
}

#[test]
fn journal_and_rejects_tell_of_refused_rows_in_the_same_transaction() {
    let database = Postgres::shared().database("refused_journal");
    let journal = "SELECT chunk, stored, rejected, summary FROM glovebox.chunk \
                 WHERE run = (SELECT run FROM glovebox.run ORDER BY started DESC LIMIT 1) \
                 ORDER BY chunk";
    let wanted = ["0|3|0|{\"chunk\":0}", "1|2|1|{\"chunk\":1} and 1 refused"];
    for mode in [postgres::Mode::Append, postgres::Mode::Replace] {
        Postgres::shared().query(
            &database,
            "DROP TABLE IF EXISTS people; CREATE TABLE public.people (id int UNIQUE, name text)",
        );
        let mut sink = postgres::Sink::new(postgres_options(&database, mode));
        let job = Job {
            revise: Revise(revised),
            ..job()
        };
        let refused = store(&mut sink, &job);
        assert_eq!(reasons(&refused), [(1001, String::new(), "unique".into())]);
        assert_eq!(rows(&database, journal), wanted, "{mode:?}");
        let mut kept = Vec::new();
        sink.rejects(&job.run, &mut |reject| kept.push((reject.row, reject.line)))
            .unwrap();
        assert_eq!(kept, [(1001, Some(1003))]);
    }
    for mode in [sqlite::Mode::Append, sqlite::Mode::Replace] {
        let file = files::file();
        files::rows(&file.path, "CREATE TABLE people (id INT UNIQUE, name TEXT)");
        let mut sink = sqlite::Sink::new(files::options(&file, mode));
        let job = Job {
            revise: Revise(revised),
            ..job()
        };
        let refused = store(&mut sink, &job);
        assert_eq!(reasons(&refused), [(1001, String::new(), "unique".into())]);
        let journal = "SELECT stored || '|' || rejected || '|' || summary FROM glovebox_chunk \
                     ORDER BY chunk";
        assert_eq!(
            files::rows(&file.path, journal),
            ["'3|0|{\"chunk\":0}'", "'2|1|{\"chunk\":1} and 1 refused'"],
            "{mode:?}"
        );
        let mut kept = Vec::new();
        sink.rejects(&job.run, &mut |reject| kept.push((reject.row, reject.line)))
            .unwrap();
        assert_eq!(kept, [(1001, Some(1003))]);
    }
}
