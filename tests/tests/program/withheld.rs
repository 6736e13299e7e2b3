//! A bad delivery and a good table: what is there stays, the sums say so, and so does the code.

use std::fs;

use glovebox_tests::pipeline::{Pipeline, Ran};
use glovebox_tests::postgres::Postgres;
use glovebox_tests::sqlite;

const GOOD: &str = "id,day\n1,2026-01-01\n2,2026-01-02\n";
/// The same days, in another form.
const BAD: &str = "id,day\n1,01/01/2026\n2,01/02/2026\n";
const HALF: &str = "id,day\n3,2026-01-03\n4,01/02/2026\n";
const EMPTY: &str = "id,day\n";

fn manifest(sink: &str, more: &str, steps: &str) -> String {
    format!(
        "name: delivery
source: {{ csv: {{ path: in.csv }} }}
columns:
  id: {{ type: int64 }}
  day: {{ type: date }}
credentials: [env]
{steps}
sink:
  {sink}
rejects: {{ path: rejects.jsonl{more} }}
"
    )
}

/// Sinks that exchange rows; `…` is where a sink's further words go.
fn sinks() -> Vec<String> {
    let server = Postgres::shared();
    let database = server.database("delivery");
    let postgres = |table: &str, mode: &str| {
        format!(
            "postgres: {{ {}, table: {table}, {mode}… }}",
            server.place(&database)
        )
    };
    vec![
        "csv: { path: out… }".into(),
        "jsonl: { path: out… }".into(),
        "parquet: { path: out… }".into(),
        "sqlite: { path: out, table: t, mode: replace… }".into(),
        "sqlite: { path: out, table: t, mode: upsert, keys: [id]… }".into(),
        postgres("r", "mode: replace"),
        postgres("u", "mode: upsert, keys: [id]"),
    ]
}

/// What the sink holds, so that two looks can be compared.
fn held(pipeline: &Pipeline, sink: &str) -> String {
    if sink.starts_with("postgres") {
        let table = if sink.contains("table: r") { "r" } else { "u" };
        let database = sink.split("database: ").nth(1).unwrap();
        let database = database.split(',').next().unwrap();
        let rows = Postgres::shared().query(
            database,
            &format!("SELECT id, day FROM {table} ORDER BY id"),
        );
        return format!("{rows:?}");
    }
    if sink.starts_with("sqlite") {
        let sql = "SELECT CAST(id AS TEXT), day FROM t ORDER BY id";
        return format!("{:?}", sqlite::query(&pipeline.path("out"), sql));
    }
    format!("{:?}", fs::read(pipeline.path("out")).unwrap())
}

struct Delivered {
    pipeline: Pipeline,
    sink: String,
    before: String,
}

/// A sink that holds a good delivery.
fn delivered(sink: &str, more: &str, words: &str, steps: &str) -> Delivered {
    let sink = sink.replace('…', words);
    let pipeline = Pipeline::new(&manifest(&sink, more, steps))
        .file("in.csv", GOOD)
        .env("GLOVEBOX_SECRET_PASSWORD", Postgres::shared().password());
    let ran = pipeline.run().ends_with(0);
    assert_eq!(ran.rows("stored"), 2, "{sink}");
    let before = held(&pipeline, &sink);
    Delivered {
        pipeline,
        sink,
        before,
    }
}

impl Delivered {
    fn deliver(&self, input: &str) -> Ran {
        self.pipeline.write("in.csv", input);
        let ran = self.pipeline.run();
        assert!(ran.is_balanced(), "{}: {:#}", self.sink, ran.report);
        ran
    }

    fn is_as_before(&self) -> bool {
        held(&self.pipeline, &self.sink) == self.before
    }
}

#[test]
fn beyond_at_most_nothing_is_published_and_the_old_rows_stay() {
    for sink in sinks() {
        let delivery = delivered(&sink, ", at-most: 25%", "", "");
        let ran = delivery.deliver(HALF).ends_with(3);
        assert_eq!(ran.rows("stored"), 0, "{sink}");
        assert_eq!(ran.report["withheld-rows"], 1, "{sink}");
        assert_eq!(ran.report["outcome"], "too-many-rejects");
        let _ = ran.says("nothing is stored, and existing rows stay; 1 good rows are withheld");
        assert!(delivery.is_as_before(), "{sink}");
        assert_eq!(delivery.pipeline.read("rejects.jsonl").lines().count(), 1);
        // Nothing is left to be gone on with: it begins anew.
        let ran = delivery.pipeline.run_with(&["--resume"]).ends_with(3);
        assert!(ran.is_balanced());
        assert!(ran.report.get("resumed-rows").is_none(), "{sink}");
        assert!(delivery.is_as_before(), "{sink}");
        let ran = delivery
            .deliver("id,day\n1,2026-01-01\n2,2026-01-02\n")
            .ends_with(0);
        assert_eq!(ran.rows("stored"), 2);
        assert!(
            delivery.is_as_before() || sink.starts_with("parquet"),
            "{sink}"
        );
    }
}

#[test]
fn a_delivery_without_a_good_row_replaces_nothing() {
    for sink in sinks() {
        let upserts = sink.contains("upsert");
        let delivery = delivered(&sink, "", "", "");
        for input in [BAD, EMPTY] {
            let code = if upserts { 0 } else { 3 };
            let ran = delivery.deliver(input).ends_with(code);
            assert_eq!(ran.rows("stored"), 0, "{sink}");
            assert!(delivery.is_as_before(), "{sink}");
            if !upserts {
                assert_eq!(ran.report["outcome"], "no-rows");
                let _ = ran
                    .says("none is left to replace the existing ones")
                    .says("`replace-with-nothing: true`");
            }
        }
    }
}

#[test]
fn a_delivery_of_which_a_step_keeps_no_row_replaces_nothing() {
    let steps =
        "steps:\n  - { transform: keep, reads: [day], with: { column: day, at-most: 2026-12-31 } }";
    for sink in sinks().into_iter().filter(|sink| !sink.contains("upsert")) {
        let delivery = delivered(&sink, "", "", steps);
        let ran = delivery.deliver("id,day\n1,2027-01-01\n").ends_with(3);
        assert_eq!((ran.rows("filtered"), ran.rows("stored")), (1, 0));
        assert!(delivery.is_as_before(), "{sink}");
    }
}

#[test]
fn a_delivery_without_a_row_replaces_all_if_that_is_meant_and_where_nothing_is() {
    for sink in sinks().into_iter().filter(|sink| !sink.contains("upsert")) {
        let delivery = delivered(&sink, "", ", replace-with-nothing: true", "");
        let ran = delivery.deliver(EMPTY).ends_with(0);
        assert_eq!(ran.report["outcome"], "done");
        assert!(!delivery.is_as_before(), "{sink}");
        // What has no rows has none to lose.
        delivery
            .pipeline
            .write("manifest.yaml", manifest(&sink.replace('…', ""), "", ""));
        let _ = delivery.deliver(EMPTY).ends_with(0);
        let _ = delivery.deliver(BAD).ends_with(0);
    }
}

#[test]
fn rows_that_join_others_are_stored_beyond_at_most_too() {
    for sink in [
        "csv: { path: out, mode: append }",
        "sqlite: { path: out, table: t }",
    ] {
        let delivery = delivered(sink, ", at-most: 25%", "", "");
        let ran = delivery.deliver(HALF).ends_with(3);
        assert_eq!(ran.rows("stored"), 1);
        let _ = ran.says("the rest is stored");
        assert!(!delivery.is_as_before());
    }
}

#[test]
fn rows_of_one_key_are_told_apart_from_rows_of_the_table() {
    for sink in sinks().into_iter().filter(|sink| sink.contains("upsert")) {
        let delivery = delivered(&sink, "", "", "");
        let ran = delivery
            .deliver("id,day\n5,2026-01-01\n5,2026-01-02\n6,2026-01-03\n")
            .ends_with(0);
        assert_eq!(ran.rows("stored"), 3);
        assert_eq!(ran.report["superseded-rows"], 1);
        let there = held(&delivery.pipeline, &delivery.sink);
        assert_eq!(there.matches("2026-01").count(), 4, "{there}");
    }
}
