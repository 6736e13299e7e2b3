//! The PostgreSQL source against a real server: every row once, of one snapshot, in the same chunks
//! however many connections read it.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::time::{Duration, Instant};

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use glovebox_connectors::postgres::{Login, Rows, Source, SourceOptions};
use glovebox_core::{Batch, Chunk, DataType, Decoded, Field, Schema, Secret, SourceError};
use glovebox_core::{Identity, Source as _};
use glovebox_tests::postgres::Postgres;

fn login(database: &str) -> Login {
    let server = Postgres::shared();
    Login {
        host: server.host().into(),
        port: server.port(),
        database: database.into(),
        user: server.user().into(),
        password: Secret::new(server.password().into()),
        ca: Some(server.ca_path()),
        connect_timeout: Duration::from_secs(15),
    }
}

fn table(database: &str, name: &str) -> SourceOptions {
    SourceOptions::new(login(database), Rows::Table(name.into()))
}

fn query(database: &str, sql: &str) -> SourceOptions {
    SourceOptions::new(login(database), Rows::Query(sql.into()))
}

fn schema(columns: &[(&str, DataType)]) -> Schema {
    let fields = columns.iter().map(|(name, t)| Field::new(*name, *t));
    Schema::new(fields.collect())
}

fn id() -> Schema {
    schema(&[("id", DataType::Int64)])
}

fn chunks(source: &Source) -> Result<Vec<Chunk>, SourceError> {
    let mut reader = source.chunks()?;
    let mut all = Vec::new();
    while let Some(chunk) = reader.next_chunk()? {
        all.push(chunk);
    }
    Ok(all)
}

fn decoded(source: &Source, chunk: Chunk) -> Decoded {
    source.decoder().unwrap().decode(chunk).unwrap()
}

/// All rows, with their numbers checked.
fn batches(source: &Source) -> Vec<Batch> {
    let mut next = 0;
    let mut all = Vec::new();
    for (index, chunk) in chunks(source).unwrap().into_iter().enumerate() {
        assert_eq!((chunk.index, chunk.first_row), (index as u64, next));
        next += chunk.rows + chunk.rejects.len() as u64;
        all.extend(decoded(source, chunk).batches);
    }
    all
}

fn ids(source: &Source) -> Vec<i64> {
    let of = |batch: &Batch| {
        batch
            .columns
            .column(0)
            .as_primitive::<Int64Type>()
            .values()
            .to_vec()
    };
    batches(source).iter().flat_map(of).collect()
}

fn refusal(options: SourceOptions, schema: Schema) -> String {
    let source = Source::new(options, schema);
    match source.chunks() {
        Ok(_) => panic!("it opens"),
        Err(error) => error.to_string(),
    }
}

/// Sessions of sources in that database.
fn sessions(database: &str) -> usize {
    let sql = format!(
        "SELECT 1 FROM pg_stat_activity WHERE datname = '{database}' \
         AND application_name = 'glovebox source'"
    );
    Postgres::shared().query("postgres", &sql).len()
}

fn until(what: &str, there: impl Fn() -> bool) {
    let started = Instant::now();
    while !there() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn many(name: &str, rows: u32) -> String {
    let server = Postgres::shared();
    let database = server.database(name);
    server.query(
        &database,
        &format!(
            "CREATE TABLE public.rows AS SELECT i AS id, repeat('x', i % 300) AS name \
             FROM generate_series(1, {rows}) i"
        ),
    );
    database
}

#[test]
fn chunks_are_the_same_over_any_number_of_connections() {
    let database = many("parallel", 30_000);
    let read = |connections| {
        let mut options = table(&database, "rows");
        options.connections = NonZero::new(connections);
        options.range_blocks = 16;
        Source::new(
            options,
            schema(&[("id", DataType::Int64), ("name", DataType::Text)]),
        )
    };
    let serial = chunks(&read(1)).unwrap();
    assert!(serial.len() > 20, "{}", serial.len());
    for connections in [2, 5] {
        let parallel = chunks(&read(connections)).unwrap();
        let same = |(a, b): (&Chunk, &Chunk)| {
            (a.index, a.first_row, a.rows) == (b.index, b.first_row, b.rows) && a.bytes == b.bytes
        };
        assert_eq!(serial.len(), parallel.len());
        assert!(serial.iter().zip(&parallel).all(same));
    }
    assert_eq!(ids(&read(3)), (1..=30_000).collect::<Vec<i64>>());
    until("all sessions end", || sessions(&database) == 0);
}

#[test]
fn where_the_server_allows_fewer_connections_those_do_it() {
    let database = many("few", 20_000);
    let role = format!("few_{database}");
    Postgres::shared().query(
        &database,
        &format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'few' CONNECTION LIMIT 2; \
             GRANT SELECT ON public.rows TO {role}"
        ),
    );
    let mut options = table(&database, "rows");
    options.login.user = role;
    options.login.password = Secret::new(b"few".to_vec());
    options.range_blocks = 8;
    options.connections = NonZero::new(6);
    assert_eq!(
        ids(&Source::new(options, id())),
        (1..=20_000).collect::<Vec<i64>>()
    );
}

#[test]
fn what_others_write_meanwhile_is_not_seen() {
    let database = many("snapshot", 20_000);
    let mut options = table(&database, "rows");
    options.range_blocks = 8;
    options.connections = NonZero::new(3);
    let source = Source::new(options, id());
    let mut reader = source.chunks().unwrap();
    let server = Postgres::shared();
    let mut seen = BTreeSet::new();
    let mut turns = 0;
    while let Some(chunk) = reader.next_chunk().unwrap() {
        for batch in decoded(&source, chunk).batches {
            let cells = batch.columns.column(0).as_primitive::<Int64Type>();
            for id in cells.values() {
                assert!(seen.insert(*id), "{id} came twice");
            }
        }
        turns += 1;
        if turns % 10 == 1 {
            // Rows move to other blocks, go, and come.
            server.query(
                &database,
                "UPDATE public.rows SET id = id + 1000000 WHERE id % 7 = 0; \
                 DELETE FROM public.rows WHERE id % 11 = 0; \
                 INSERT INTO public.rows SELECT -i, 'new' FROM generate_series(1, 500) i",
            );
        }
    }
    assert!(turns > 20, "{turns}");
    assert_eq!(seen, (1..=20_000).collect());
}

#[test]
fn an_update_makes_another_chunk_and_leaves_the_others() {
    let database = many("updated", 20_000);
    let mut options = table(&database, "rows");
    options.range_blocks = 16;
    let source = Source::new(options, id());
    assert_eq!(source.identity(), Identity::Place);
    let before = chunks(&source).unwrap();
    let bytes = |c: &Chunk| c.bytes.clone();
    assert_eq!(
        before.iter().map(bytes).collect::<Vec<_>>(),
        chunks(&source)
            .unwrap()
            .iter()
            .map(bytes)
            .collect::<Vec<_>>()
    );
    Postgres::shared().query(
        &database,
        "UPDATE public.rows SET name = name || '!' WHERE id = 17",
    );
    let after = chunks(&source).unwrap();
    assert_ne!(before[0].bytes, after[0].bytes);
    assert_eq!(before[1].bytes, after[1].bytes);
    let mut all = ids(&source);
    all.sort_unstable();
    assert_eq!(all, (1..=20_000).collect::<Vec<i64>>());
}

#[test]
fn views_partitions_children_and_queries_are_read_whole() {
    let server = Postgres::shared();
    let database = server.database("kinds");
    server.query(
        &database,
        "CREATE TABLE public.part (id int, name text) PARTITION BY RANGE (id); \
         CREATE TABLE public.part_1 PARTITION OF public.part FOR VALUES FROM (0) TO (50); \
         CREATE TABLE public.part_2 PARTITION OF public.part FOR VALUES FROM (50) TO (200); \
         INSERT INTO public.part SELECT i FROM generate_series(1, 100) i; \
         CREATE VIEW public.seen AS SELECT id FROM public.part; \
         CREATE MATERIALIZED VIEW public.kept AS SELECT id FROM public.part; \
         CREATE TABLE public.parent (id int); CREATE TABLE public.child () INHERITS (public.parent); \
         INSERT INTO public.parent SELECT generate_series(1, 40); \
         INSERT INTO public.child SELECT generate_series(41, 100); \
         CREATE TABLE public.\"Odd name\" (id int); \
         INSERT INTO public.\"Odd name\" SELECT generate_series(1, 100); \
         CREATE TABLE public.empty (id int); CREATE SCHEMA glovebox; \
         CREATE TABLE glovebox.run (id int)",
    );
    let all: Vec<i64> = (1..=100).collect();
    for name in ["part", "seen", "kept", "parent", "Odd name", "public.part"] {
        let source = Source::new(table(&database, name), id());
        let mut found = ids(&source);
        found.sort_unstable();
        assert_eq!(found, all, "{name}");
    }
    assert!(ids(&Source::new(table(&database, "empty"), id())).is_empty());
    for sql in [
        "SELECT * FROM public.part ORDER BY id -- with a comment",
        "WITH a AS (SELECT id FROM public.seen) SELECT id, 1 AS other FROM a ORDER BY id",
        "SELECT i::bigint AS id FROM generate_series(1, 100) i",
        "VALUES (1) UNION ALL SELECT 2",
    ] {
        let name = if sql.starts_with("VALUES") {
            "column1"
        } else {
            "id"
        };
        let source = Source::new(query(&database, sql), schema(&[(name, DataType::Int64)]));
        assert_eq!(source.identity(), Identity::Beginning);
        let expected = if name == "id" { &all[..] } else { &all[..2] };
        assert_eq!(ids(&source), expected, "{sql}");
    }
}

#[test]
fn every_type_of_the_contract_is_read_as_itself() {
    let server = Postgres::shared();
    let database = server.database("types");
    server.query(
        &database,
        "CREATE DOMAIN public.cents AS numeric(12,2); CREATE TYPE public.mood AS ENUM ('glad', 'sad'); \
         CREATE TABLE public.types (b boolean, s smallint, i integer, l bigint, r real, \
         f double precision, n public.cents, big numeric, t text, v varchar(20), c char(5), m public.mood, \
         j jsonb, u uuid, x bytea, d date, z timestamptz, p timestamp, a int[], ip inet, nets inet, range cidr, mac macaddr); \
         INSERT INTO public.types VALUES (true, -32768, 2147483647, -9223372036854775808, 0.5, \
         'NaN', -0.05, 12345678901234567890.123456789, E'a\\tb', 'Zoë', 'ab', 'sad', '{\"a\": [1]}', \
         '0badcafe-0000-4000-8000-000000000001', '\\x00ff', '0044-03-15 BC', \
         '2026-11-21 22:30:00.123456+02', '1969-12-31 23:59:59', '{1,NULL}', '192.0.2.7', '2001:db8::1/64', '10.0.0.0/8', \
         '08:00:2b:01:02:03'), \
         (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
          NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    );
    let decimal = |precision, scale| DataType::Decimal { precision, scale };
    let columns = [
        ("b", DataType::Boolean),
        ("s", DataType::Int64),
        ("i", DataType::Int64),
        ("l", DataType::Int64),
        ("r", DataType::Float64),
        ("f", DataType::Float64),
        ("n", decimal(12, 2)),
        ("big", decimal(38, 9)),
        ("t", DataType::Text),
        ("v", DataType::Text),
        ("c", DataType::Text),
        ("m", DataType::Text),
        ("j", DataType::Text),
        ("u", DataType::Text),
        ("x", DataType::Bytes),
        ("d", DataType::Date),
        ("z", DataType::Timestamp),
        ("p", DataType::Timestamp),
        ("a", DataType::Text),
        ("ip", DataType::Text),
        ("nets", DataType::Text),
        ("range", DataType::Text),
        ("mac", DataType::Text),
    ];
    let source = Source::new(table(&database, "types"), schema(&columns));
    let batch = &batches(&source)[0].columns;
    assert_eq!(batch.num_rows(), 2);
    assert!(batch.columns().iter().all(|c| c.is_null(1)));
    let at = |name: &str| batch.column_by_name(name).unwrap();
    assert!(at("b").as_boolean().value(0));
    let whole = ["s", "i", "l"].map(|c| at(c).as_primitive::<Int64Type>().value(0));
    assert_eq!(whole, [-32_768, 2_147_483_647, i64::MIN]);
    assert_eq!(at("r").as_primitive::<Float64Type>().value(0), 0.5);
    assert!(at("f").as_primitive::<Float64Type>().value(0).is_nan());
    let decimals = ["n", "big"].map(|c| at(c).as_primitive::<Decimal128Type>().value(0));
    assert_eq!(decimals, [-5, 12_345_678_901_234_567_890_123_456_789]);
    let texts = [
        "t", "v", "c", "m", "j", "u", "a", "ip", "nets", "range", "mac",
    ]
    .map(|c| at(c).as_string::<i32>().value(0));
    assert_eq!(
        texts,
        [
            "a\tb",
            "Zoë",
            "ab   ",
            "sad",
            "{\"a\": [1]}",
            "0badcafe-0000-4000-8000-000000000001",
            "{1,NULL}",
            // An address is shown without its `/32`.
            "192.0.2.7",
            "2001:db8::1/64",
            "10.0.0.0/8",
            "08:00:2b:01:02:03"
        ]
    );
    assert_eq!(at("x").as_binary::<i32>().value(0), [0, 255]);
    assert_eq!(at("d").as_primitive::<Date32Type>().value(0), -735_160);
    let times = ["z", "p"].map(|c| at(c).as_primitive::<TimestampMicrosecondType>().value(0));
    assert_eq!(times, [1_795_293_000_123_456, -1_000_000]);
}

#[test]
fn rows_that_do_not_fit_are_rejected_with_their_number() {
    let server = Postgres::shared();
    let database = server.database("unfit");
    server.query(
        &database,
        "CREATE TABLE public.unfit (id int, n numeric, z timestamptz, d date); \
         INSERT INTO public.unfit VALUES (0, 1.25, now(), now()), (1, 'NaN', now(), now()), \
         (2, 1.255, now(), now()), (3, 1e20, now(), now()), (4, 1, 'infinity', now()), \
         (5, 1, now(), '-infinity'), (6, NULL, NULL, NULL)",
    );
    let decimal = DataType::Decimal {
        precision: 10,
        scale: 2,
    };
    let columns = [
        ("id", DataType::Int64),
        ("n", decimal),
        ("z", DataType::Timestamp),
        ("d", DataType::Date),
    ];
    let source = Source::new(table(&database, "unfit"), schema(&columns));
    let chunk = chunks(&source).unwrap().remove(0);
    let decoded = decoded(&source, chunk);
    let rejects: Vec<_> = decoded
        .rejects
        .iter()
        .map(|r| (r.row, &*r.violations[0].rule, &*r.violations[0].message))
        .collect();
    let decimal = "`n` does not fit decimal(10,2)";
    assert_eq!(
        rejects,
        [
            (1, "type", decimal),
            (2, "type", decimal),
            (3, "type", decimal),
            (4, "type", "`z` does not fit timestamp"),
            (5, "type", "`d` does not fit date"),
        ]
    );
    let origin = &decoded.batches[0].origin;
    assert_eq!([origin.row(0), origin.row(1)], [0, 6]);
}

#[test]
fn large_rows_make_more_chunks_and_one_too_large_is_rejected() {
    let server = Postgres::shared();
    let database = server.database("large");
    server.query(
        &database,
        "CREATE TABLE public.large AS SELECT i AS id, \
         (SELECT string_agg(md5((i * 100000 + j)::text), '') \
          FROM generate_series(1, CASE i WHEN 7 THEN 3000 ELSE 1000 END) j) AS name \
         FROM generate_series(1, 40) i",
    );
    let columns = [("id", DataType::Int64), ("name", DataType::Text)];
    for from in [
        table(&database, "large"),
        query(&database, "SELECT * FROM public.large ORDER BY id"),
    ] {
        let mut options = from;
        options.max_record = 64 << 10;
        options.chunk_bytes = 100 << 10;
        let source = Source::new(options, schema(&columns));
        let all = chunks(&source).unwrap();
        assert_eq!(all.iter().map(|c| c.rows).sum::<u64>(), 39);
        assert!(all.len() > 8, "{}", all.len());
        assert!(all.iter().all(|c| c.bytes.len() < 200 << 10));
        let rejects: Vec<_> = all.iter().flat_map(|c| &c.rejects).collect();
        assert_eq!((rejects.len(), rejects[0].row), (1, 6));
        assert_eq!(&*rejects[0].violations[0].rule, "too-long");
        let found = ids(&source);
        assert_eq!(found, (1..=40).filter(|i| *i != 7).collect::<Vec<i64>>());
    }
}

#[test]
fn what_is_not_as_declared_is_said_at_once_before_the_first_row() {
    let server = Postgres::shared();
    let database = server.database("shapes");
    server.query(
        &database,
        "CREATE TABLE public.shapes (id int, price numeric(12,2), span interval, tag regclass)",
    );
    let columns = [
        ("id", DataType::Text),
        ("price", DataType::Int64),
        ("span", DataType::Date),
        ("tag", DataType::Opaque),
        ("prise", DataType::Text),
    ];
    let said = refusal(table(&database, "shapes"), schema(&columns));
    assert_eq!(
        said,
        format!(
            "table `shapes` in PostgreSQL database `{database}` at localhost:{}: it does not have the \
             declared columns:\n  \
             - column `price` is numeric(12,2), not int64; write type: \"decimal(12,2)\"\n  \
             - column `span` is interval, not date; write type: text, or type: opaque, which no \
             plugin sees\n  \
             - column `tag` is regclass, which is a number with a meaning only in its own database, so it \
             cannot be opaque; write type: text\n  \
             - there is no column `prise`; did you mean `price`?",
            server.port()
        )
    );
    let said = refusal(table(&database, "shape"), id());
    assert!(said.contains("there is no such table or view"), "{said}");
    for (sql, expected) in [
        (
            "SELECT id,, id FROM public.shapes",
            "not valid SQL for this server (SQLSTATE 42601, at character 11)",
        ),
        ("SELECT id FROM shapes2", "a table that does not exist"),
        (
            "SELECT no FROM public.shapes",
            "a column that does not exist",
        ),
        ("SELECT 1 AS id; SELECT 2 AS id", "SQLSTATE 42601"),
        (
            "SELECT 1 AS id) TO STDOUT; COMMIT; COPY (SELECT 1",
            "SQLSTATE 42601",
        ),
        ("SELECT 1 AS id, 2 AS id", "two columns `id`"),
        ("DELETE FROM public.shapes RETURNING id", "SQLSTATE 42601"),
        ("SET search_path = public", "SQLSTATE 42601"),
    ] {
        let said = refusal(query(&database, sql), id());
        assert!(said.contains(expected), "{sql}: {said}");
        assert!(!said.contains("SELECT 1"), "{said}");
    }
}

#[test]
fn a_query_that_writes_or_fails_on_a_row_ends_without_a_cell() {
    let server = Postgres::shared();
    let database = server.database("writes");
    server.query(
        &database,
        "CREATE TABLE public.t (id int, name text); INSERT INTO public.t VALUES (1, 'canary-5e1'); \
         CREATE FUNCTION public.add() RETURNS int LANGUAGE sql AS \
         'INSERT INTO public.t VALUES (2) RETURNING id'; \
         CREATE FUNCTION public.shout() RETURNS int LANGUAGE plpgsql AS \
         $$BEGIN RAISE EXCEPTION USING ERRCODE = '90210', MESSAGE = 'canary-5e1'; END$$",
    );
    for (sql, expected) in [
        ("SELECT public.add() AS id", "a source is read-only"),
        ("SELECT name::int AS id FROM public.t", "fails on a row"),
        ("SELECT public.shout() AS id", "SQLSTATE unknown"),
    ] {
        let source = Source::new(query(&database, sql), id());
        let said = match chunks(&source) {
            Ok(_) => panic!("{sql} is read"),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(said.contains(expected), "{sql}: {said}");
        assert!(
            !said.contains("canary") && !said.contains("90210"),
            "{said}"
        );
    }
    let kept = server.query(&database, "SELECT count(*) FROM public.t");
    assert_eq!(kept[0][0].as_deref(), Some("1"));
}

#[test]
fn privileges_that_are_missing_are_named() {
    let server = Postgres::shared();
    let database = server.database("rights");
    let role = format!("reader_{database}");
    server.query(
        &database,
        &format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'reader'; CREATE SCHEMA closed; \
             CREATE TABLE closed.t (id int); CREATE TABLE public.t (id int, name text); \
             CREATE TABLE public.u (id int, name text); \
             INSERT INTO public.u VALUES (7, 'x'); GRANT SELECT (id) ON public.u TO {role}"
        ),
    );
    let as_role = |name: &str| {
        let mut options = table(&database, name);
        options.login.user = role.clone();
        options.login.password = Secret::new(b"reader".to_vec());
        options
    };
    let both = schema(&[("id", DataType::Int64), ("name", DataType::Text)]);
    for (name, expected) in [
        ("closed.t", "GRANT USAGE ON SCHEMA \"closed\""),
        ("t", "GRANT SELECT ON \"public\".\"t\""),
        ("u", "GRANT SELECT (\"name\") ON \"public\".\"u\""),
    ] {
        let said = refusal(as_role(name), both.clone());
        assert!(said.contains(expected), "{name}: {said}");
    }
    assert_eq!(ids(&Source::new(as_role("u"), id())), [7]);
}

#[test]
fn a_connection_that_is_lost_ends_the_reading_and_says_how_to_go_on() {
    let database = many("lost", 60_000);
    let mut options = table(&database, "rows");
    options.range_blocks = 4;
    options.connections = NonZero::new(2);
    let source = Source::new(options, id());
    let mut reader = source.chunks().unwrap();
    assert!(reader.next_chunk().unwrap().is_some());
    let killed = Postgres::shared().query(
        "postgres",
        &format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = '{database}' AND application_name = 'glovebox source'"
        ),
    );
    assert!(!killed.is_empty());
    let error = loop {
        match reader.next_chunk() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it came to its end"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("--resume"), "{error}");
    // And stays ended.
    assert!(!matches!(reader.next_chunk(), Ok(Some(_))));
}

#[test]
fn a_reader_that_is_dropped_leaves_no_session_behind() {
    let database = many("dropped", 60_000);
    for connections in [1, 3] {
        let mut options = table(&database, "rows");
        options.range_blocks = 4;
        options.connections = NonZero::new(connections);
        let source = Source::new(options, id());
        let mut reader = source.chunks().unwrap();
        assert!(reader.next_chunk().unwrap().is_some());
        assert!(sessions(&database) >= 1);
        drop(reader);
        until("the sessions end", || sessions(&database) == 0);
    }
    let endless = "SELECT generate_series(1, 1000000000000) AS id";
    let source = Source::new(query(&database, endless), id());
    let mut reader = source.chunks().unwrap();
    assert!(reader.next_chunk().unwrap().is_some());
    drop(reader);
    until("the endless query ends", || sessions(&database) == 0);
}

#[test]
fn sizes_are_estimates_and_need_no_row() {
    let database = many("sizes", 10_000);
    let server = Postgres::shared();
    server.query(&database, "ANALYZE public.rows");
    let source = Source::new(table(&database, "rows"), id());
    assert_eq!(source.estimate_rows(), Some(10_000));
    assert!(source.size_bytes().is_some_and(|b| b > 1 << 20));
    let last = chunks(&source).unwrap().pop().unwrap();
    assert!(last.position >= source.size_bytes().unwrap());
    let source = Source::new(query(&database, "SELECT * FROM public.rows"), id());
    assert_eq!((source.size_bytes(), source.estimate_rows()), (None, None));
}
