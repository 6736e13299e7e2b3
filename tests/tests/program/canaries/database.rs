//! The same search where rows come from a database: cells that are masked, rejected, not declared or
//! in a failing query, and the password of the role that reads.

use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::postgres::Postgres;

use super::search::Left;
use super::{CELLS, NUMBER, PASSWORD, SALT, STORED};

#[test]
fn a_database_that_is_read_leaves_no_cell_behind() {
    let server = Postgres::shared();
    let (source, target) = (server.database("read_from"), server.database("read_into"));
    let role = format!("reader_{source}");
    let [unfit, masked, pseudonym, undeclared, failing, coded] = [
        CELLS[3], CELLS[12], CELLS[13], CELLS[11], CELLS[1], CELLS[2],
    ];
    server.query(
        &source,
        &format!(
            "CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'; \
             CREATE TABLE public.things (name text, who text, amount numeric, at timestamptz, \
             note text, extra text, passed jsonb); \
             INSERT INTO public.things VALUES \
             ('{masked}', '{pseudonym}', 1.25, now(), '{STORED}', '{undeclared}', '[1]'), \
             ('{masked}', '{pseudonym}', {NUMBER}, now(), '{unfit}', '{undeclared}', '[1]'), \
             ('{masked}', '{pseudonym}', 1.25, 'infinity', '{unfit}', '{undeclared}', '[1]'); \
             CREATE TABLE public.failing AS SELECT '{failing}' AS name; \
             CREATE FUNCTION public.coded() RETURNS text LANGUAGE plpgsql AS \
             $$BEGIN RAISE EXCEPTION '{coded}' USING DETAIL = '{coded}', HINT = '{coded}', \
             COLUMN = '{coded}', TABLE = '{coded}'; END$$; \
             CREATE FUNCTION public.noted() RETURNS text LANGUAGE plpgsql AS \
             $$BEGIN RAISE WARNING '{coded}'; RETURN 'x'; END$$; \
             GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
        ),
    );
    let block = |database: &str, user: &str, secret: &str| {
        format!(
            "host: {}, port: {}, database: {database}, user: {user}, password: {{ secret: {secret} }}, \
             tls: {{ ca: \"{}\" }}",
            server.host(),
            server.port(),
            server.ca_path().display()
        )
    };
    let from = block(&source, &role, "canary/password");
    let into = block(&target, server.user(), "loader");
    let columns = "columns:
  name: { type: text, personal: true }
  who: { type: text, personal: true }
  amount: { type: \"decimal(9,2)\" }
  at: { type: timestamp }
  note: { type: text }
  passed: { type: opaque }
steps:
  - { mask: redact, masks: [name] }
  - { mask: pseudonym, masks: [who], with: { method: hmac-sha256 }, keys: { pseudonym: canary/salt } }
";
    let manifest = format!(
        "name: database
source: {{ postgres: {{ {from}, table: public.things }} }}
{columns}credentials: [{{ files: secrets }}]
sink: {{ postgres: {{ {into}, table: public.things, mode: replace }} }}
rejects: {{ path: rejects.jsonl }}
"
    );
    let failing = |query: &str| {
        format!(
            "name: failing
source: {{ postgres: {{ {from}, query: \"{query}\" }} }}
columns: {{ name: {{ type: text }} }}
credentials: [{{ files: secrets }}]
sink: {{ csv: {{ path: out.csv }} }}
"
        )
    };
    let pipeline = Pipeline::new(&manifest)
        .file(
            "cast.yaml",
            failing("SELECT name::int::text AS name FROM public.failing"),
        )
        .file("raise.yaml", failing("SELECT public.coded() AS name"))
        .file("warn.yaml", failing("SELECT public.noted() AS name"))
        .file("secrets/canary/salt", SALT)
        .file("secrets/canary/password", PASSWORD)
        .file("secrets/loader", server.password())
        .file("tmp/.keep", "");
    let (cache, tmp) = (pipeline.path("cache"), pipeline.path("tmp"));
    let pipeline = pipeline.env("GLOVEBOX_CACHE", cache).env("TMPDIR", tmp);
    let mut left = Left::default();
    left.call(&pipeline, &["check", "manifest.yaml", "--connect"], 0);
    left.call(&pipeline, &["preview", "manifest.yaml"], 0);
    let report = ["run", "manifest.yaml", "--report", "report.json"];
    left.call(&pipeline, &report, 0);
    for manifest in ["cast.yaml", "raise.yaml"] {
        left.call(&pipeline, &["run", manifest], 1);
        left.call(&pipeline, &["preview", manifest], 1);
    }
    left.call(&pipeline, &["run", "warn.yaml"], 0);
    left.files(pipeline.folder());
    for table in [
        "public.things",
        "glovebox.run",
        "glovebox.chunk",
        "glovebox.reject",
    ] {
        let rows = server.query(&target, &format!("SELECT t::text FROM {table} t"));
        left.add(table.into(), format!("{rows:?}"));
    }
    left.hold_none_of(&[
        unfit, masked, pseudonym, undeclared, coded, CELLS[1], NUMBER, PASSWORD, SALT,
    ]);
    assert!(left.find(STORED).contains(&"public.things"));
    let rejects = pipeline.read("rejects.jsonl");
    assert_eq!(rejects.lines().count(), 2, "{rejects}");
}
