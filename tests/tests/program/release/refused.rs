//! Rows of a release that its target cannot store.

use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::postgres::Postgres;
use glovebox_tests::sqlite;

use super::{Sink, of, people};

/// Makes the target's table.
fn table(sink: &Sink, pipeline: &Pipeline, sql: &str) {
    match sink {
        Sink::Postgres(database) => drop(Postgres::shared().query(database, sql)),
        _ => {
            pipeline.write("out.db", "");
            sqlite::execute(&pipeline.path("out.db"), sql);
        }
    }
}

fn databases(name: &str) -> [Sink; 2] {
    [
        Sink::Sqlite,
        Sink::Postgres(Postgres::shared().database(name)),
    ]
}

#[test]
fn a_row_that_the_target_cannot_store_is_no_member_of_its_class() {
    for sink in databases("gate_unfit") {
        let one_without = of(3, 31, "Ulm") + "9,31,Ulm,\n";
        let pipeline = people(&sink, "0%", "", &one_without);
        table(
            &sink,
            &pipeline,
            "CREATE TABLE t (age TEXT, town TEXT, illness TEXT NOT NULL)",
        );
        let ran = pipeline.run().ends_with(0);
        assert!(ran.is_balanced());
        assert_eq!((ran.rows("stored"), ran.rows("rejected")), (3, 1));
        assert_eq!(ran.report["release"]["smallest-class"], 3);
        let reject: serde_json::Value =
            serde_json::from_str(&pipeline.read("rejects.jsonl")).unwrap();
        assert_eq!(
            (&reject["row"], &reject["violations"][0]["column"]),
            (&3.into(), &"illness".into())
        );
        // Whoever compares the releases would find the one who is there now: they wait for two others.
        let rows = of(4, 31, "Ulm");
        pipeline.write("people.csv", format!("id,age,town,illness\n{rows}"));
        let ran = pipeline.run_with(&["--again"]);
        let _ = ran
            .ends_with(4)
            .says("fewer than 3 rows would have to be suppressed");
        // And two alone are none.
        let pipeline = people(
            &sink,
            "0%",
            "\n  series: 2",
            &(of(2, 31, "Ulm") + "9,31,Ulm,\n"),
        );
        if sink.yaml().starts_with("sqlite") {
            table(
                &sink,
                &pipeline,
                "CREATE TABLE t (age TEXT, town TEXT, illness TEXT NOT NULL)",
            );
        }
        let _ = pipeline.run().ends_with(4).says("there are fewer than k");
    }
}

#[test]
fn a_day_that_no_file_of_text_can_show_is_no_member_of_its_class() {
    let server = Postgres::shared();
    let database = server.database("gate_days");
    let _ = server.query(
        &database,
        "CREATE TABLE people AS SELECT i::int8 AS id, 31::int8 AS age, 'Ulm' AS town, \
         CASE i WHEN 4 THEN '10000-01-01'::date ELSE '2000-01-01'::date END AS illness \
         FROM generate_series(1, 4) i",
    );
    for sink in [Sink::Csv, Sink::Jsonl] {
        let pipeline = people(&sink, "0%", "", "");
        let source = format!("postgres: {{ {}, table: people }}", server.place(&database));
        let manifest = pipeline
            .read("manifest.yaml")
            .replace("illness: { type: text }", "illness: { type: date }")
            .replace("csv: { path: people.csv }", &source);
        pipeline.write("manifest.yaml", manifest);
        let ran = pipeline.run().ends_with(0);
        assert_eq!((ran.rows("stored"), ran.rows("rejected")), (3, 1));
        assert_eq!(ran.report["release"]["smallest-class"], 3);
    }
}

#[test]
fn what_the_target_refuses_of_a_release_refuses_it_and_the_rule_is_told() {
    for sink in databases("gate_late") {
        let pipeline = people(&sink, "0%", "", &of(3, 31, "Ulm"));
        table(
            &sink,
            &pipeline,
            "CREATE TABLE t (age TEXT, town TEXT, illness TEXT UNIQUE)",
        );
        let _ = pipeline.run().ends_with(0);
        let before = sink.classes(&pipeline, &["age", "town"]);
        // Six with three illnesses: found only when all are there.
        let rows = of(6, 31, "Ulm");
        pipeline.write("people.csv", format!("id,age,town,illness\n{rows}"));
        for mode in [&[][..], &["--resume"]] {
            let ran = pipeline.run_with(mode).ends_with(1).says("`unique`");
            let ran = ran.says("nothing was released, and existing rows stay");
            assert!(!ran.stderr.contains("rows are stored"), "{}", ran.stderr);
            assert_eq!(sink.classes(&pipeline, &["age", "town"]), before);
        }
    }
    let sink = Sink::Postgres(Postgres::shared().database("gate_narrow"));
    let rows = of(2, 31, "Ulm") + &of(2, 32, "Ulm");
    let pipeline = people(&sink, "0%", "", &rows);
    // The values fit, what they become does not.
    table(
        &sink,
        &pipeline,
        "CREATE TABLE t (age varchar(2), town text, illness text)",
    );
    let ran = pipeline.run().ends_with(4).says("of `age`");
    assert_eq!(ran.rows("stored"), 0);
    assert!(sink.classes(&pipeline, &["age", "town"]).is_empty());
}
