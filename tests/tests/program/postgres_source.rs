//! Pipelines out of a real PostgreSQL server: the classic job, database to masked database.

use glovebox_tests::pipeline::{Pipeline, Ran};
use glovebox_tests::postgres::Postgres;

const PASSWORD: &str = "GLOVEBOX_SECRET_DB_PASSWORD";

/// The keys of a server, for source and sink alike.
fn server(database: &str) -> String {
    let server = Postgres::shared();
    format!(
        "host: {}, port: {}, database: {database}, user: {}, password: {{ secret: db/password }}, \
         tls: {{ ca: \"{}\" }}",
        server.host(),
        server.port(),
        server.user(),
        server.ca_path().display()
    )
}

/// A pipeline from `from` of one database to a table of another.
fn pipeline(
    (source, from): (&str, &str),
    columns: &str,
    steps: &str,
    (target, into): (&str, &str),
) -> Pipeline {
    let manifest = format!(
        "name: classic
source: {{ postgres: {{ {}, {from} }} }}
columns:
{columns}credentials: [env]
{steps}sink:
  postgres: {{ {}, {into} }}
rejects: {{ path: rejects.jsonl }}
",
        server(source),
        server(target)
    );
    Pipeline::new(&manifest)
        .env(PASSWORD, Postgres::shared().password())
        .env("GLOVEBOX_SECRET_SALT", "salt")
}

fn query(database: &str, sql: &str) -> Vec<Vec<Option<String>>> {
    Postgres::shared().query(database, sql)
}

fn cell(database: &str, sql: &str) -> String {
    let mut rows = query(database, sql);
    rows.remove(0).remove(0).unwrap_or("∅".into())
}

/// A digest of all rows, in an order of their own.
fn digest(database: &str, table: &str) -> String {
    let sql =
        format!("SELECT count(*) || md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t");
    cell(database, &sql)
}

/// Types of its own, which have other numbers in another database.
const TYPES: &str = "\
CREATE TYPE public.mood AS ENUM ('sad', 'glad', 'so la la');
CREATE DOMAIN public.mail AS text CHECK (VALUE LIKE '%@%');
CREATE DOMAIN public.cents AS numeric(12,2);
CREATE TYPE public.point_of_time AS (at timestamptz, amount numeric, note text);
CREATE TYPE public.span AS RANGE (subtype = float8);
";

/// A column of each kind of type, with its ordinary and its odd cells.
const EVERY_TYPE: [(&str, &str, &[&str]); 44] = [
    ("bool_", "boolean", &["true", "false"]),
    ("int2_", "smallint", &["-32768", "7"]),
    ("int4_", "integer", &["-2147483648"]),
    ("int8_", "bigint", &["9223372036854775807"]),
    ("float4_", "real", &["'NaN'", "'-Infinity'", "0.1", "-0"]),
    (
        "float8_",
        "double precision",
        &["'NaN'", "'Infinity'", "5e-324", "0.1"],
    ),
    (
        "numeric_",
        "numeric",
        &[
            "'NaN'",
            "'Infinity'",
            "'-Infinity'",
            "1.10",
            "-0.00000000000000000000000000000000000000001234567890",
            "123456789012345678901234567890123456789012345678901234567890.5",
            "1e1000",
        ],
    ),
    ("money_like", "numeric(12,2)", &["9999999999.99", "-0.01"]),
    ("money_", "money", &["12.34"]),
    (
        "text_",
        "text",
        &["E'a\\tb\\n\\\\N\\'\"'", "''", "'Zoë 漢字 🦀'"],
    ),
    ("varchar_", "character varying(20)", &["'cut here'"]),
    ("bpchar_", "character(6)", &["'ab'"]),
    ("char_", "\"char\"", &["'x'"]),
    ("name_", "name", &["'a_name'"]),
    ("bytea_", "bytea", &["'\\x00ff00'", "''"]),
    (
        "date_",
        "date",
        &[
            "'infinity'",
            "'-infinity'",
            "'0044-03-15 BC'",
            "'5874897-12-31'",
        ],
    ),
    (
        "time_",
        "time without time zone",
        &["'24:00:00'", "'12:34:56.789012'"],
    ),
    ("timetz_", "time with time zone", &["'12:34:56+05:30'"]),
    (
        "timestamp_",
        "timestamp without time zone",
        &["'infinity'", "'4713-01-01 BC'"],
    ),
    (
        "timestamptz_",
        "timestamp with time zone",
        &[
            "'infinity'",
            "'-infinity'",
            "'294276-12-31 23:59:59.999999+00'",
        ],
    ),
    (
        "timestamp_3",
        "timestamp(3) with time zone",
        &["'2026-11-21 22:30:00.123'"],
    ),
    (
        "interval_",
        "interval",
        &["'1 year -2 mons 3 days -04:05:06.789'"],
    ),
    ("uuid_", "uuid", &["'0badcafe-0000-4000-8000-000000000001'"]),
    ("json_", "json", &["'{\"b\": 1,  \"a\": [null]}'"]),
    (
        "jsonb_",
        "jsonb",
        &["'{\"b\": 1, \"a\": [null, 1.10]}'", "'null'"],
    ),
    ("jsonpath_", "jsonpath", &["'$.a[*] ? (@ > 1)'"]),
    ("xml_", "xml", &["'<a>b</a>'"]),
    ("inet_", "inet", &["'192.168.0.1/24'", "'::1'"]),
    ("cidr_", "cidr", &["'10.0.0.0/8'"]),
    ("macaddr_", "macaddr", &["'08:00:2b:01:02:03'"]),
    ("bit_", "bit(5)", &["B'10101'"]),
    ("varbit_", "bit varying(9)", &["B'1'", "B''"]),
    ("point_", "point", &["'(1.5,-2)'"]),
    ("polygon_", "polygon", &["'((0,0),(1,1),(1,0))'"]),
    ("tsvector_", "tsvector", &["'a fat cat'"]),
    ("lsn_", "pg_lsn", &["'16/B374D848'"]),
    ("int4range_", "int4range", &["'[1,10)'", "'empty'", "'(,)'"]),
    (
        "multi_",
        "tstzmultirange",
        &["'{[2026-01-01 00:00+00,infinity)}'"],
    ),
    (
        "array_",
        "integer[]",
        &["'{1,NULL,3}'", "'{}'", "'[2:3][0:1]={{1,2},{3,4}}'"],
    ),
    ("texts_", "text[]", &["ARRAY['a,b', NULL, '\"']"]),
    ("mood_", "public.mood", &["'so la la'"]),
    ("moods_", "public.mood[]", &["'{glad,NULL,sad}'", "'{}'"]),
    ("mails_", "public.mail[]", &["'{a@b}'"]),
    ("cents_", "public.cents", &["1.5"]),
];

fn every_type(database: &str) {
    let mut columns = vec!["id integer PRIMARY KEY".to_owned()];
    columns.extend(EVERY_TYPE.iter().map(|(name, t, _)| format!("{name} {t}")));
    columns.push("mail_ public.mail".into());
    columns.push("composite_ public.point_of_time".into());
    columns.push("span_ public.span".into());
    let mut sql = format!("{TYPES}CREATE TABLE public.every ({});", columns.join(", "));
    // A row of nulls, and then one for each cell.
    sql += "INSERT INTO public.every (id) VALUES (0);";
    let mut id = 0;
    let more: [(&str, &str, &[&str]); 3] = [
        ("mail_", "", &["'a@b'"]),
        (
            "composite_",
            "",
            &[
                "ROW('2026-01-01 00:00+00', 1.10, NULL)",
                "ROW(NULL, NULL, '(,\"')",
            ],
        ),
        ("span_", "", &["'[0.5,NaN]'"]),
    ];
    for (name, _, cells) in EVERY_TYPE.iter().chain(&more) {
        for cell in *cells {
            id += 1;
            sql += &format!("INSERT INTO public.every (id, {name}) VALUES ({id}, {cell});");
        }
    }
    query(database, &sql);
}

#[test]
fn every_type_arrives_as_it_left() {
    let source = Postgres::shared().database("left");
    let target = Postgres::shared().database("arrived");
    every_type(&source);
    query(
        &target,
        // Other numbers for the same types.
        &format!(
            "CREATE TYPE public.first AS ENUM ('a'); CREATE TABLE public.second (a int); {TYPES}"
        ),
    );
    let names: Vec<&str> = EVERY_TYPE.iter().map(|(name, ..)| *name).collect();
    let columns: String = ["id"]
        .iter()
        .chain(&names)
        .chain(&["mail_", "composite_", "span_"])
        .map(|name| format!("  {name}: {{ type: opaque }}\n"))
        .collect();
    for into in [
        "table: public.every",
        "table: public.every, mode: replace",
        "table: public.every, mode: upsert, keys: [id]",
    ] {
        if into.ends_with("keys: [id]") {
            query(&target, "CREATE UNIQUE INDEX ON public.every (id)");
        }
        let classic = pipeline(
            (&source, "table: public.every"),
            &columns,
            "",
            (&target, into),
        );
        let checked = classic
            .call(&["check", "manifest.yaml", "--connect"])
            .ends_with(0);
        assert!(
            checked.stdout.contains("bool_ opaque"),
            "{}",
            checked.stdout
        );
        let ran = classic.run().ends_with(0);
        assert_eq!(ran.rows("rejected"), 0);
        // Columns of the created table are of the source's types.
        let types = "SELECT string_agg(format_type(atttypid, atttypmod), ', ' ORDER BY attnum) \
                     FROM pg_attribute WHERE attrelid = 'public.every'::regclass AND attnum > 0";
        assert_eq!(cell(&source, types), cell(&target, types));
        let rows = "SELECT t::text FROM public.every t ORDER BY id::text::int";
        for (left, arrived) in query(&source, rows).iter().zip(query(&target, rows)) {
            assert_eq!(*left, arrived, "{into}");
        }
        assert_eq!(
            digest(&source, "public.every"),
            digest(&target, "public.every")
        );
    }
    // A query knows neither modifiers nor domains, so a table with some would round or refuse.
    let from = "query: SELECT * FROM public.every ORDER BY id";
    let by_query = |into| pipeline((&source, from), &columns, "", (&target, into));
    let said = by_query("table: public.every")
        .run_with(&["--again"])
        .ends_with(1)
        .stderr;
    let differs =
        "column `money_like` is numeric(12,2), but opaque needs numeric, as in the source";
    assert!(said.contains(differs), "{said}");
    let _ = by_query("table: public.by_query").run().ends_with(0);
    assert_eq!(
        digest(&source, "public.every"),
        digest(&target, "public.by_query")
    );
}

#[test]
fn any_type_can_be_text_and_what_cannot_be_opaque_says_so() {
    let source = Postgres::shared().database("texts");
    let target = Postgres::shared().database("texts_into");
    every_type(&source);
    let names = EVERY_TYPE
        .iter()
        .map(|(name, ..)| format!("  {name}: {{ type: text }}\n"));
    let columns: String = names.collect();
    let classic = pipeline(
        (&source, "table: public.every"),
        &format!("  id: {{ type: int64 }}\n{columns}"),
        "",
        (&target, "table: public.every"),
    );
    let _ = classic.run().ends_with(0);
    for (name, sql_type, _) in EVERY_TYPE {
        // What the server says in its own words; blanks at the end are not cut.
        let sql = match sql_type {
            "character(6)" => format!("SELECT string_agg(rpad({name}, 6), '|') FROM public.every"),
            _ => format!(
                "SELECT string_agg(CASE WHEN {name} IS NOT NULL THEN format('%s', {name}) END, \
                 '|' ORDER BY id) FROM public.every"
            ),
        };
        let utc = format!(
            "SET \"TimeZone\" = 'UTC'; SET \"DateStyle\" = 'ISO, YMD'; SET lc_monetary = 'C'; {sql}"
        );
        assert_eq!(cell(&source, &utc), cell(&target, &utc), "{name}");
    }
    query(
        &source,
        "CREATE TABLE public.odd (a regclass, b public.point_of_time[], c public.mood); \
         CREATE TYPE public.deep AS (m public.mood); CREATE TABLE public.whole (r public.deep)",
    );
    for (table, columns, expected) in [
        (
            "odd",
            "  a: { type: opaque }\n",
            "a number with a meaning only in its own database",
        ),
        (
            "odd",
            "  b: { type: opaque }\n",
            "types that only its own database knows",
        ),
        (
            "whole",
            "  r: { type: opaque }\n",
            "types that only its own database knows",
        ),
        (
            "odd",
            "  c: { type: opaque }\n",
            "this database has no such type; create it here, too",
        ),
    ] {
        let from = format!("table: public.{table}");
        let into = (target.as_str(), "table: public.odd_into");
        let said = pipeline((&source, &from), columns, "", into)
            .run()
            .ends_with(1)
            .stderr;
        assert!(said.contains(expected), "{columns}: {said}");
    }
}

/// Customers with all that is personal, some of whom are refused.
fn customers(rows: u32) -> String {
    let database = Postgres::shared().database("customers");
    query(
        &database,
        &format!(
            "CREATE TABLE public.customers (id uuid, name text, mail text, card text, spent numeric(12,2), \
             tags jsonb, born date); \
             INSERT INTO public.customers SELECT md5(i::text)::uuid, 'name canary-' || i, \
             'canary' || i || '@example.org', lpad((i * 7919)::text, 16, '4'), \
             CASE WHEN i % 1000 = 0 THEN 'NaN' ELSE i / 100.0 END, \
             jsonb_build_object('i', i), date '1970-01-01' + i % 10000 \
             FROM generate_series(1, {rows}) i"
        ),
    );
    database
}

const COLUMNS: &str = "  id:    { type: opaque }
  name:  { type: text, personal: true }
  mail:  { type: text, personal: true }
  card:  { type: text, personal: true }
  spent: { type: \"decimal(12,2)\" }
  tags:  { type: opaque }
  born:  { type: date }
";
const STEPS: &str = "\
steps:
  - { validate: required, reads: [mail, spent] }
  - { mask: redact, masks: [name] }
  - { mask: partial, masks: [card], with: { keep-last: 4 } }
  - { mask: pseudonym, masks: [mail], with: { method: hmac-sha256 }, keys: { pseudonym: salt } }
";

fn classic(source: &str, target: &str, into: &str) -> Pipeline {
    pipeline(
        (source, "table: public.customers"),
        COLUMNS,
        STEPS,
        (target, into),
    )
}

/// Nothing that was personal is in what it said.
fn clean(ran: &Ran) {
    for text in [&ran.stdout, &ran.stderr, &ran.report.to_string()] {
        assert!(!text.contains("canary"), "{text}");
    }
}

#[test]
fn a_database_becomes_a_masked_one_and_rejects_have_their_numbers() {
    let source = customers(3000);
    let target = Postgres::shared().database("masked");
    let classic = classic(&source, &target, "table: public.customers");
    let preview = classic.call(&["preview", "manifest.yaml"]).ends_with(0);
    assert!(preview.stdout.contains("(opaque)"), "{}", preview.stdout);
    clean(&preview);
    let ran = classic.run().ends_with(0);
    clean(&ran);
    assert_eq!((ran.rows("stored"), ran.rows("rejected")), (2997, 3));
    let rejects = classic.read("rejects.jsonl");
    let rows: Vec<&str> = rejects
        .lines()
        .map(|l| l.split(',').next().unwrap())
        .collect();
    assert_eq!(rows, ["{\"row\":999", "{\"row\":1999", "{\"row\":2999"]);
    assert!(
        rejects.contains("`spent` does not fit decimal(12,2)"),
        "{rejects}"
    );
    let masked = "SELECT count(*) || '|' || count(DISTINCT mail) FROM public.customers \
                  WHERE name !~ 'canary' AND mail !~ 'canary' AND card ~ '^[^0-9]{12}[0-9]{4}$'";
    assert_eq!(cell(&target, masked), "2997|2997");
    let passed = "SELECT md5(string_agg(id::text || tags::text || born || spent, '|' ORDER BY id)) \
                  FROM public.customers WHERE spent <> 'NaN'";
    assert_eq!(cell(&source, passed), cell(&target, passed));
}

#[test]
fn a_table_is_not_added_twice_and_replace_brings_it_up_to_date() {
    let source = customers(200);
    let target = Postgres::shared().database("twice");
    let append = classic(&source, &target, "table: public.customers");
    assert_eq!(append.run().ends_with(0).rows("stored"), 200);
    // Nothing to do, and nothing lost.
    let resumed = append.run_with(&["--resume"]).ends_with(0);
    assert_eq!(resumed.rows("stored"), 200);
    query(
        &source,
        "UPDATE public.customers SET born = born + 1 WHERE spent < 0.5",
    );
    for arguments in [&[][..], &["--resume"][..]] {
        let refused = append.run_with(arguments).ends_with(2);
        let _ = refused.says("has already added this source's rows (200 of them)");
    }
    let count = || cell(&target, "SELECT count(*) FROM public.customers");
    assert_eq!(count(), "200");
    assert_eq!(
        append.run_with(&["--again"]).ends_with(0).rows("stored"),
        200
    );
    assert_eq!(count(), "400");
    let replace = classic(&source, &target, "table: public.customers, mode: replace");
    for _ in 0..2 {
        let _ = replace.run().ends_with(0);
        assert_eq!(count(), "200");
    }
}

#[test]
fn a_table_can_be_masked_in_its_place() {
    let database = customers(500);
    let into = "table: public.customers, mode: replace";
    let ran = classic(&database, &database, into).run().ends_with(0);
    assert_eq!(ran.rows("stored"), 500);
    let raw = "SELECT count(*) FROM public.customers WHERE mail ~ 'canary'";
    assert_eq!(cell(&database, raw), "0");
    assert_eq!(
        cell(&database, "SELECT count(*) FROM public.customers"),
        "500"
    );
}

/// Chunks that a run has stored and not finished with.
fn stored(target: &str) -> u32 {
    let there = cell(target, "SELECT to_regclass('glovebox.chunk') IS NOT NULL");
    if there != "t" {
        return 0;
    }
    let sql =
        "SELECT count(*) FROM glovebox.chunk JOIN glovebox.run USING (run) WHERE state = 'running'";
    cell(target, sql).parse().unwrap()
}

/// A database whose table takes its time, so that a run can be killed half-way.
fn slow_target(name: &str) -> String {
    let database = Postgres::shared().database(name);
    query(
        &database,
        "CREATE TABLE public.customers (id uuid, name text, mail text, card text, \
         spent numeric(12,2), tags jsonb, born date); \
         CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN IF hashtext(NEW.id::text) % 4000 = 0 THEN PERFORM pg_sleep(0.2); END IF; \
         RETURN NEW; END$$; \
         CREATE TRIGGER wait BEFORE INSERT ON public.customers \
         FOR EACH ROW EXECUTE FUNCTION public.wait()",
    );
    database
}

#[test]
fn a_killed_run_goes_on_and_stores_every_row_once() {
    let source = customers(120_000);
    for (mode, kills) in [("append", 2), ("replace", 1)] {
        let target = slow_target("killed");
        let unkilled = Postgres::shared().database("unkilled");
        let into = format!("table: public.customers, mode: {mode}");
        let _ = classic(&source, &unkilled, &into).run().ends_with(0);
        let pipeline = classic(&source, &target, &into);
        let mut before = 0;
        for _ in 0..kills {
            let mut running = pipeline.start(&["run", "manifest.yaml", "--resume"]);
            running.until("rows are stored", |_| stored(&target) > before);
            running.signal("KILL");
            assert_eq!(running.end().code, None);
            before = stored(&target);
        }
        assert!(before > 0);
        let ran = pipeline.run_with(&["--resume"]).ends_with(0);
        assert!(ran.report["resumed-rows"].as_u64().unwrap() > 0, "{mode}");
        assert!(ran.is_balanced());
        assert_eq!(ran.rows("rejected"), 120);
        assert_eq!(
            digest(&target, "public.customers"),
            digest(&unkilled, "public.customers")
        );
        assert_eq!(pipeline.read("rejects.jsonl").lines().count(), 120);
    }
}

#[test]
fn a_killed_run_does_not_go_on_with_other_rows() {
    let source = customers(120_000);
    let target = slow_target("changed");
    let pipeline = classic(&source, &target, "table: public.customers");
    let mut running = pipeline.start(&["run", "manifest.yaml"]);
    running.until("rows are stored", |_| stored(&target) > 0);
    running.signal("KILL");
    assert_eq!(running.end().code, None);
    // The first row lies in the first chunk, which is stored.
    query(
        &source,
        "UPDATE public.customers SET name = 'another' WHERE id = md5('1')::uuid",
    );
    let said = pipeline.run_with(&["--resume"]).ends_with(1).stderr;
    assert!(
        said.contains("rows of its source were changed, deleted, moved or reordered"),
        "{said}"
    );
    assert!(
        said.contains("`--again`") && said.contains("`mode: replace`"),
        "{said}"
    );
    assert!(!said.contains("continues with the rest"), "{said}");
    let again = pipeline.run_with(&["--again"]).ends_with(0);
    assert_eq!(again.rows("read"), 120_000);
}

#[test]
fn ctrl_c_ends_a_run_whose_query_never_ends() {
    let source = Postgres::shared().database("endless");
    let target = Postgres::shared().database("endless_into");
    let pipeline = pipeline(
        (
            &source,
            "query: \"SELECT generate_series(1, 1000000000000) AS id\"",
        ),
        "  id: { type: int64 }\n",
        "",
        (&target, "table: public.endless"),
    );
    let mut running = pipeline.start(&["run", "manifest.yaml"]);
    running.until("rows are stored", |_| stored(&target) > 0);
    running.signal("INT");
    let ran = running.end();
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("`glovebox run --resume` continues"),
        "{}",
        ran.stderr
    );
}

#[test]
fn errors_of_the_source_say_what_to_do_and_no_secret() {
    let server = Postgres::shared();
    let source = customers(10);
    let target = server.database("errors");
    let good = classic(&source, &target, "table: public.customers");
    let manifest = good.read("manifest.yaml");
    let (head, tail) = manifest.split_once("columns:").unwrap();
    for (from, to, expected) in [
        (
            "host: localhost",
            "host: 127.0.0.2",
            "certificate is not for `127.0.0.2`",
        ),
        (
            "ca.pem",
            "wrong-ca.pem",
            "signed neither by an authority in `tls.ca`",
        ),
        (
            "table: public.customers",
            "table: public.customer",
            "no such table or view",
        ),
        (
            "database: customers",
            "database: nowhere",
            "there is no such database",
        ),
    ] {
        let bad = head.replace(from, to);
        assert_ne!(bad, head);
        let pipeline = Pipeline::new(&format!("{bad}columns:{tail}"))
            .env(PASSWORD, server.password())
            .env("GLOVEBOX_SECRET_SALT", "salt");
        let checked = pipeline
            .call(&["check", "manifest.yaml", "--connect"])
            .ends_with(1);
        let ran = pipeline.run().ends_with(1);
        assert_eq!(checked.stderr, ran.stderr);
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
        clean(&ran);
    }
    let wrong = Pipeline::new(&manifest)
        .env(PASSWORD, "wrong-7d2a")
        .env("GLOVEBOX_SECRET_SALT", "salt");
    let said = wrong.run().ends_with(1).stderr;
    assert!(
        said.contains("the password of `glovebox` is wrong"),
        "{said}"
    );
    assert!(!said.contains("wrong-7d2a"), "{said}");
    let missing = Pipeline::new(&manifest).env("GLOVEBOX_SECRET_SALT", "salt");
    let said = missing.run().ends_with(2).stderr;
    assert!(said.contains("GLOVEBOX_SECRET_DB_PASSWORD"), "{said}");
}

#[test]
fn rows_of_a_database_go_into_files_too() {
    let source = customers(50);
    let manifest = format!(
        "name: out
source: {{ postgres: {{ {}, query: \"SELECT id AS customer_id, born FROM public.customers ORDER BY born\" }} }}
columns:
  customer_id: {{ type: text }}
  born: {{ type: date }}
credentials: [env]
sink: {{ csv: {{ path: out.csv }} }}
",
        server(&source)
    );
    let pipeline = Pipeline::new(&manifest).env(PASSWORD, Postgres::shared().password());
    let _ = pipeline.run().ends_with(0);
    let out = pipeline.read("out.csv");
    assert_eq!(out.lines().count(), 51);
    assert!(
        out.contains("c4ca4238-a0b9-2382-0dcc-509a6f75849b,1970-01-02"),
        "{out}"
    );
}
