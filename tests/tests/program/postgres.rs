//! Pipelines into a real PostgreSQL server, over TLS, with the password from the environment.

use glovebox_tests::pipeline::{Pipeline, Ran};
use glovebox_tests::postgres::Postgres;

/// The reference pipeline's rows, as `expected.md` has them.
const CUSTOMERS: [[&str; 4]; 3] = [
    [
        "IDqw0ufI5mdmEhyz3XRkODwQPhsMHnbj3ei7kLYEIZc=",
        "Halal Laptop",
        "999.99",
        "2",
    ],
    [
        "_WZU5qAvYek7ckQMqoo1a949VT5o_UeVNVk8Sq-vNk0=",
        "Halal Mouse",
        "24.99",
        "10",
    ],
    [
        "OViAmfMozeS4Qac7UpQRKD4VwlI83NDteGWpAbO3KPQ=",
        "Halal Keyboard",
        "49.99",
        "5",
    ],
];

/// A sink block; `more` are further lines of it.
fn sink(server: &Postgres, database: &str, table: &str, mode: &str) -> String {
    format!(
        "sink:
  postgres:
    host: {}
    port: {}
    database: {database}
    user: {}
    password: {{ secret: db/loader }}
    tls: {{ ca: {} }}
    table: {table}
    mode: {mode}
",
        server.host(),
        server.port(),
        server.user(),
        server.ca_path().display()
    )
}

fn things(sink: &str) -> Pipeline {
    let manifest = format!(
        "name: things
source: {{ csv: {{ path: in.csv }} }}
columns:
  id:   {{ type: int64 }}
  name: {{ type: text }}
credentials: [env]
{sink}rejects: {{ path: rejects.jsonl }}
"
    );
    Pipeline::new(&manifest)
        .file("in.csv", "id,name\n1,ann\nx,bob\n3,\n")
        .env("GLOVEBOX_SECRET_DB_LOADER", Postgres::shared().password())
}

fn rows(database: &str, sql: &str) -> Vec<Vec<String>> {
    let rows = Postgres::shared().query(database, sql);
    let text = |cell: Option<String>| cell.unwrap_or("∅".into());
    rows.into_iter()
        .map(|row| row.into_iter().map(text).collect())
        .collect()
}

#[test]
fn the_sales_pipeline_stores_the_reference_rows() {
    let server = Postgres::shared();
    let database = server.database("sales");
    let sales = include_str!("../../../data/sales.yaml");
    let (head, tail) = sales.split_once("sink:\n").unwrap();
    let (_, tail) = tail.split_once("  columns:").unwrap();
    let head = head
        .replace("  - keyring ", "  # keyring ")
        .replace("  - files:", "  # files:");
    let sink = sink(server, &database, "sales", "replace");
    let pipeline = Pipeline::new(&format!("{head}{sink}  columns:{tail}"))
        .file("sales.csv", include_str!("../../../data/sales.csv"))
        .env("GLOVEBOX_SECRET_DB_LOADER", server.password())
        .env("GLOVEBOX_SECRET_SALES_CUSTOMER_SALT", "salt");
    for _ in 0..2 {
        let ran = pipeline.run().ends_with(0);
        assert!(ran.is_balanced());
        assert_eq!(ran.rows("stored"), 3);
        assert_eq!(
            rows(
                &database,
                "SELECT customer_id, product, price, quantity FROM sales"
            ),
            CUSTOMERS
        );
    }
}

#[test]
fn every_type_arrives_as_itself() {
    let server = Postgres::shared();
    let database = server.database("typed");
    let manifest = format!(
        "name: typed
source: {{ csv: {{ path: in.csv, null: [\"NULL\"] }} }}
columns:
  b:   {{ type: boolean }}
  i:   {{ type: int64 }}
  f:   {{ type: float64 }}
  d:   {{ type: \"decimal(20,4)\" }}
  t:   {{ type: text }}
  x:   {{ type: bytes }}
  day: {{ type: date }}
  at:  {{ type: timestamp }}
credentials: [env]
{}rejects: {{ path: rejects.jsonl }}
",
        sink(server, &database, "typed", "append")
    );
    let pipeline = Pipeline::new(&manifest)
        .file(
            "in.csv",
            "b,i,f,d,t,x,day,at\n\
             true,-9223372036854775808,-0,-0.0001,\"a\nb\t\\N\",\\x00ff,0001-01-01,2026-11-21T22:30:00.123456+02:00\n\
             f,7,Infinity,1234567890123456.7891,,\\x,9999-12-31,1969-12-31T23:59:59Z\n\
             NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL\n\
             true,1,NaN,5,ok,\\x00,2000-02-30,2026-01-01T00:00:00Z\n",
        )
        .env("GLOVEBOX_SECRET_DB_LOADER", server.password());
    let ran = pipeline.run().ends_with(0);
    assert_eq!((ran.rows("stored"), ran.rows("rejected")), (3, 1));
    assert_eq!(
        rows(
            &database,
            "SELECT b, i, f, d, t, x, day, at AT TIME ZONE 'UTC' FROM typed ORDER BY i"
        ),
        [
            [
                "t",
                "-9223372036854775808",
                "-0",
                "-0.0001",
                "a\nb\t\\N",
                "\\x00ff",
                "0001-01-01",
                "2026-11-21 20:30:00.123456"
            ],
            [
                "f",
                "7",
                "Infinity",
                "1234567890123456.7891",
                "",
                "\\x",
                "9999-12-31",
                "1969-12-31 23:59:59"
            ],
            ["∅"; 8],
        ]
    );
    let types = "SELECT string_agg(format_type(atttypid, atttypmod), ', ' ORDER BY attnum) \
                 FROM pg_attribute WHERE attrelid = 'typed'::regclass AND attnum > 0";
    assert_eq!(
        rows(&database, types),
        [[
            "boolean, bigint, double precision, numeric(20,4), text, bytea, date, \
           timestamp with time zone"
        ]]
    );
}

#[test]
fn append_keeps_what_is_there_and_replace_does_not() {
    let server = Postgres::shared();
    let database = server.database("modes");
    let all = "SELECT id, name FROM things ORDER BY id, name";
    let append = things(&sink(server, &database, "things", "append"));
    for copies in [1, 2] {
        if copies == 2 {
            let refused = append.run().ends_with(2);
            let _ = refused.says("has already added the rows of this input (2 of them)");
        }
        assert_eq!(append.run_with(&["--again"]).ends_with(0).rows("stored"), 2);
        let mut expected = vec![["1", "ann"]; copies];
        expected.extend(vec![["3", "∅"]; copies]);
        assert_eq!(rows(&database, all), expected);
    }
    let replace =
        things(&sink(server, &database, "things", "replace")).file("in.csv", "name,id\nzoe,9\n");
    assert_eq!(replace.run().ends_with(0).rows("stored"), 1);
    assert_eq!(rows(&database, all), [["9", "zoe"]]);
}

/// A run and a check that connects; both fail, and neither leaves anything.
fn refused(pipeline: &Pipeline) -> Ran {
    let checked = pipeline
        .call(&["check", "manifest.yaml", "--connect"])
        .ends_with(1);
    let ran = pipeline.run().ends_with(1);
    assert_eq!(checked.stderr, ran.stderr);
    assert!(ran.report.is_null());
    assert_eq!(pipeline.names(), ["in.csv", "manifest.yaml"]);
    ran
}

#[test]
fn check_connects_and_changes_nothing() {
    let server = Postgres::shared();
    let database = server.database("checked");
    let pipeline = things(&sink(server, &database, "things", "append"));
    let checked = pipeline
        .call(&["check", "manifest.yaml", "--connect"])
        .ends_with(0);
    assert!(
        checked.stdout.contains("accepts the rows"),
        "{}",
        checked.stdout
    );
    assert!(checked.stdout.ends_with("manifest.yaml is valid\n"));
    assert_eq!(rows(&database, "SELECT to_regclass('things')"), [["∅"]]);
    assert_eq!(pipeline.names(), ["in.csv", "manifest.yaml"]);
}

#[test]
fn a_server_that_another_authority_vouches_for_is_refused() {
    let server = Postgres::shared();
    let database = server.database("ca");
    let right = sink(server, &database, "things", "append");
    let wrong = right.replace(
        &server.ca_path().display().to_string(),
        &server.wrong_ca_path().display().to_string(),
    );
    assert_ne!(right, wrong);
    let ran = refused(&things(&wrong));
    let said = ran.says("cannot connect to").stderr;
    assert!(said.contains("certificate"), "{said}");
    // The certificate does not bear this address.
    let elsewhere = right.replace("host: localhost", "host: 127.0.0.2");
    assert_ne!(right, elsewhere);
    let said = refused(&things(&elsewhere))
        .says("cannot connect to")
        .stderr;
    assert!(said.contains("certificate"), "{said}");
}

#[test]
fn a_wrong_password_is_refused_and_not_told() {
    let server = Postgres::shared();
    let database = server.database("password");
    let pipeline = things(&sink(server, &database, "things", "append"))
        .env("GLOVEBOX_SECRET_DB_LOADER", "wrong-4c1e");
    let said = refused(&pipeline).says("cannot connect to").stderr;
    assert!(said.contains("password"), "{said}");
    assert!(!said.contains("wrong-4c1e"), "{said}");
}

#[test]
fn a_missing_privilege_is_named() {
    let server = Postgres::shared();
    let database = server.database("rights");
    let role = format!("reader_{database}");
    server.query(
        &database,
        &format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'reader'; \
             CREATE TABLE things (id bigint, name text); \
             GRANT SELECT ON things TO {role}; CREATE SCHEMA glovebox AUTHORIZATION {role}"
        ),
    );
    let sink = sink(server, &database, "things", "append").replace(
        &format!("user: {}", server.user()),
        &format!("user: {role}"),
    );
    let pipeline = things(&sink).env("GLOVEBOX_SECRET_DB_LOADER", "reader");
    let said = refused(&pipeline).stderr;
    assert!(said.contains("INSERT") && said.contains("things"), "{said}");
    assert!(rows(&database, "SELECT * FROM things").is_empty());
}
