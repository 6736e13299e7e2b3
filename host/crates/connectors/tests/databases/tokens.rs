//! Tokens that come with chunks: kept once, with their rows or not at all, whoever else brings them.

use std::sync::Barrier;
use std::thread;

use glovebox_connectors::postgres::{Mode, Sink};
use glovebox_core::{
    Job, Keeps, NewToken, RowCounts, Secret, Sink as _, Token, TokenBatch, TokenKey, Totals,
};
use glovebox_tests::postgres::Postgres;

use crate::data::{chunk, job, mark, people, persons};
use crate::postgres_rows::{options, rows};

/// How often two runs meet. A thousand times by hand: GLOVEBOX_MEETINGS=1000.
fn meetings() -> u64 {
    let wanted = std::env::var("GLOVEBOX_MEETINGS").ok();
    wanted.and_then(|n| n.parse().ok()).unwrap_or(20)
}

/// The tokens of these numbers, under a key of its own.
fn tokens(numbers: impl Iterator<Item = u64>, key: u8) -> TokenBatch {
    let new = |number: u64| {
        // Scattered, as digests are.
        let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        let mut token = Token([0; 16]);
        token.0[..8].copy_from_slice(&scattered);
        NewToken {
            token,
            sealed: vec![key; 24],
        }
    };
    TokenBatch {
        domain: "email".into(),
        version: 1,
        key: TokenKey {
            id: [key; 16],
            halves: [vec![1], vec![2]],
        },
        expires: None,
        uses: None,
        tokens: numbers.map(new).collect(),
    }
}

fn with_tokens() -> Job {
    Job {
        keeps: Keeps {
            tokens: true,
            ..Keeps::default()
        },
        ..job()
    }
}

fn totals(rows: u64) -> Totals {
    Totals {
        rows: RowCounts {
            read: rows,
            stored: rows,
            ..RowCounts::default()
        },
        input: mark(0),
    }
}

/// Two runs into two tables bring the same tokens at the same time, in opposite order: each token is kept
/// once, and no transaction waits for the other in a circle.
#[test]
fn runs_that_bring_the_same_tokens_do_not_deadlock() {
    let database = Postgres::shared().database("deadlock");
    let meetings = meetings();
    let start = Barrier::new(2);
    thread::scope(|scope| {
        for (table, key) in [("one", 1), ("two", 2)] {
            let (database, start) = (&database, &start);
            scope.spawn(move || {
                for meeting in 0..meetings {
                    let mut options = options(database, Mode::Append);
                    options.table = table.into();
                    let mut sink = Sink::new(options);
                    sink.open(&with_tokens(), &people()).unwrap();
                    let batch = persons(&[(Some(1), None)]);
                    let mut chunk = chunk(&sink, 0, &batch).unwrap();
                    let numbers = meeting * 1000..meeting * 1000 + 500;
                    let made = match key {
                        1 => tokens(numbers, key),
                        _ => tokens(numbers.rev(), key),
                    };
                    // A key of this meeting only.
                    chunk.tokens.push(TokenBatch {
                        key: TokenKey {
                            id: [meeting.to_be_bytes(), [key; 8]]
                                .concat()
                                .try_into()
                                .unwrap(),
                            ..made.key.clone()
                        },
                        ..made
                    });
                    start.wait();
                    sink.write(chunk).unwrap();
                    let _ = sink.commit(&totals(1)).unwrap();
                }
            });
        }
    });
    let told = rows(
        &database,
        "SELECT count(*), count(DISTINCT token), (SELECT count(*) FROM glovebox.token_key) \
         FROM glovebox.token",
    );
    let kept = meetings * 500;
    let [all, distinct, keys] = told[0].split('|').collect::<Vec<_>>()[..] else {
        panic!("{told:?}");
    };
    assert_eq!(
        (all, distinct),
        (kept.to_string().as_str(), kept.to_string().as_str())
    );
    // Keys under which nothing was kept are not, and there is one for each token.
    let keys: u64 = keys.parse().unwrap();
    assert!((meetings..=2 * meetings).contains(&keys), "{keys}");
    let closed = "SELECT count(*) FROM glovebox.token t LEFT JOIN glovebox.token_key k ON k.id = t.key WHERE k.id IS NULL";
    assert_eq!(rows(&database, closed), ["0"]);
    // A deadlock is tried again, and would not be noticed otherwise.
    let deadlocks = "SELECT pg_stat_clear_snapshot(), deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(rows(&database, deadlocks), ["|0"]);
}

#[test]
fn tokens_of_chunks_that_were_not_stored_are_not_kept() {
    let database = Postgres::shared().database("unstored");
    let mut sink = Sink::new(options(&database, Mode::Append));
    let first = with_tokens();
    sink.open(&first, &people()).unwrap();
    // Another process takes the run over before the chunk is stored.
    let mut other = Sink::new(options(&database, Mode::Append));
    other
        .open(
            &Job {
                resume: true,
                ..first
            },
            &people(),
        )
        .unwrap();
    let mut chunk = chunk(&sink, 0, &persons(&[(Some(1), None)])).unwrap();
    chunk.tokens.push(tokens(0..3, 1));
    let _ = sink.write(chunk);
    assert!(sink.commit(&totals(1)).is_err());
    assert_eq!(
        rows(&database, "SELECT count(*) FROM glovebox.token"),
        ["0"]
    );
}

#[test]
fn a_role_that_may_not_keep_tokens_is_told_before_the_first_row() {
    let server = Postgres::shared();
    let database = server.database("token_rights");
    let mut sink = Sink::new(options(&database, Mode::Append));
    sink.open(&with_tokens(), &people()).unwrap();
    let _ = sink.commit(&totals(0)).unwrap();
    server.query(
        &database,
        "CREATE ROLE keeper LOGIN PASSWORD 'keeper'; GRANT ALL ON people TO keeper; \
         GRANT ALL ON SCHEMA glovebox TO keeper; \
         GRANT ALL ON ALL TABLES IN SCHEMA glovebox TO keeper; \
         REVOKE ALL ON glovebox.token, glovebox.token_key FROM keeper",
    );
    let mut options = options(&database, Mode::Append);
    options.login.user = "keeper".into();
    options.login.password = Secret::new(b"keeper".to_vec());
    let keeps = with_tokens().keeps;
    let probe = |keeps| Sink::new(options.clone()).probe(&people(), keeps);
    probe(Keeps::default()).unwrap();
    let probed = probe(keeps).unwrap_err().to_string();
    let expected = "have the tables' owner run: GRANT SELECT, INSERT ON \"glovebox\".token, \
                    \"glovebox\".token_key TO keeper";
    assert!(probed.contains(expected), "{probed}");
    server.query(
        &database,
        "GRANT SELECT, INSERT ON glovebox.token, glovebox.token_key TO keeper",
    );
    probe(keeps).unwrap();
    // Nothing was made on the way.
    let sealed = Keeps {
        sealed: true,
        ..keeps
    };
    probe(sealed).unwrap();
    let there = "SELECT to_regclass('glovebox.sealed') IS NULL";
    assert_eq!(rows(&database, there), ["t"]);
}

/// So many that what is kept is read, instead of asked for: nothing that is new is taken for known.
#[test]
fn many_known_tokens_hide_no_new_one() {
    let database = Postgres::shared().database("many_tokens");
    let load = |table: &str, chunks: &[(u8, std::ops::Range<u64>)]| {
        let mut options = options(&database, Mode::Append);
        options.table = table.into();
        let mut sink = Sink::new(options);
        sink.open(&with_tokens(), &people()).unwrap();
        for (index, (key, numbers)) in (0..).zip(chunks) {
            let mut chunk = chunk(&sink, index, &persons(&[(Some(1), None)])).unwrap();
            chunk.tokens.push(tokens(numbers.clone(), *key));
            sink.write(chunk).unwrap();
        }
        let _ = sink.commit(&totals(chunks.len() as u64)).unwrap();
    };
    load("one", &[(1, 0..120_000)]);
    load(
        "two",
        &[
            (2, 0..110_000),
            (3, 60_000..150_000),
            (4, 140_000..180_000),
            (5, 0..180_000),
        ],
    );
    let kept = "SELECT count(*), count(DISTINCT token) FROM glovebox.token";
    assert_eq!(rows(&database, kept), ["180000|180000"]);
}
