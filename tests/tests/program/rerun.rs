//! Runs over the rows that an earlier run rejected: those, each once, and no others.

use std::fmt::Write as _;

use glovebox_tests::pipeline::{Pipeline, Ran};
use glovebox_tests::postgres::Postgres;
use glovebox_tests::sqlite;

const TABLE: &str = "sqlite: { path: out.db, table: things }";

/// Numbers its rows, and rejects names that are longer than that.
fn manifest(source: &str, most: u32, sink: &str) -> String {
    format!(
        "name: things
source: {{ csv: {{ path: {source} }} }}
columns: {{ id: {{ type: int64 }}, name: {{ type: text }} }}
credentials: [env]
steps:
  - {{ validate: length, reads: [name], with: {{ max: {most} }} }}
  - {{ transform: row-id, adds: {{ number: {{ type: int64 }} }} }}
sink: {{ {sink}, columns: [number, name] }}
rejects: {{ path: rejects.jsonl }}
"
    )
}

const ROWS: &str = "id,name\n1,ann\n2,canary-bob\nx,eve\n4,dan\n5,canary-ida\n6,joe\n";

/// Six rows, of which one has no number and two have names that are too long.
fn once() -> Pipeline {
    let pipeline = Pipeline::new(&manifest("in.csv", 5, TABLE)).file("in.csv", ROWS);
    let ran = pipeline.run().ends_with(0);
    assert_eq!((ran.rows("stored"), ran.rows("rejected")), (3, 3));
    pipeline.write("first.jsonl", pipeline.read("rejects.jsonl"));
    pipeline
}

/// The same, and then the rule is mended.
fn mended() -> Pipeline {
    let pipeline = once();
    pipeline.write("manifest.yaml", manifest("in.csv", 50, TABLE));
    pipeline
}

fn again(pipeline: &Pipeline, arguments: &[&str]) -> Ran {
    pipeline.run_with(&[&["--rejects-of", "first.jsonl"], arguments].concat())
}

fn stored(pipeline: &Pipeline) -> Vec<(String, String)> {
    let sql = "SELECT CAST(number AS TEXT), name FROM things ORDER BY number, rowid";
    let rows = sqlite::query(&pipeline.path("out.db"), sql);
    let text = |cell: &Option<String>| cell.clone().unwrap_or_default();
    rows.iter().map(|r| (text(&r[0]), text(&r[1]))).collect()
}

fn pairs(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = rows.iter().map(|(n, name)| ((*n).into(), (*name).into()));
    owned.collect()
}

const ALL: [(&str, &str); 5] = [
    ("0", "ann"),
    ("1", "canary-bob"),
    ("3", "dan"),
    ("4", "canary-ida"),
    ("5", "joe"),
];

#[test]
fn rejected_rows_are_run_alone_under_their_numbers() {
    let pipeline = mended();
    let ran = again(&pipeline, &[]).ends_with(0);
    assert!(ran.is_balanced());
    let counts = ["read", "stored", "rejected"].map(|fate| ran.rows(fate));
    assert_eq!(counts, [3, 2, 1]);
    assert_eq!(ran.report["rerun"]["passed-over"], 3);
    assert_eq!(ran.report["rerun"]["rejects-of"], "first.jsonl");
    assert!(ran.report["rerun"]["of-run"].is_string(), "{}", ran.report);
    let _ = ran.prints("the rejects of first.jsonl, and 3 other rows skipped");
    assert_eq!(stored(&pipeline), pairs(&ALL));
    // What was rejected once more is what is left to do.
    let left = pipeline.read("rejects.jsonl");
    assert!(
        left.starts_with("{\"row\":2,\"line\":4,") && left.lines().count() == 1,
        "{left}"
    );
    let _ = pipeline
        .run_with(&["--rejects-of", "rejects.jsonl"])
        .ends_with(0);
    assert_eq!(stored(&pipeline), pairs(&ALL));
}

#[test]
fn the_same_rows_are_not_added_twice() {
    let pipeline = mended();
    let _ = again(&pipeline, &[]).ends_with(0);
    let twice = again(&pipeline, &[]).ends_with(2);
    let _ = twice.says("has already added the rows of this input (2 of them)");
    // It is over, so there is nothing to go on with, and its report and rejects come once more.
    let resumed = again(&pipeline, &["--resume"]).ends_with(0);
    assert_eq!(resumed.rows("stored"), 2);
    assert_eq!(stored(&pipeline), pairs(&ALL));
    // Nor are they by another plan, nor some of them.
    pipeline.write("manifest.yaml", manifest("in.csv", 60, TABLE));
    let _ = again(&pipeline, &[])
        .ends_with(2)
        .says("has added 2 rows of this input since")
        .says("name the rejects file of that run");
    let some = pipeline.read("first.jsonl");
    pipeline.write("some.jsonl", some.lines().last().unwrap());
    let part = pipeline
        .run_with(&["--rejects-of", "some.jsonl"])
        .ends_with(2);
    let _ = part.says("rows of some.jsonl may be among them");
    assert_eq!(stored(&pipeline), pairs(&ALL));
    let asked = again(&pipeline, &["--again"]).ends_with(0);
    assert_eq!((asked.rows("stored"), stored(&pipeline).len()), (2, 7));
}

/// A folder's daily files, each named by `--input`, have rows of the same numbers.
#[test]
fn a_file_that_was_run_as_it_is_was_not_corrected() {
    let pipeline = Pipeline::new(&manifest("none.csv", 5, TABLE))
        .file("day1.csv", "id,name\n1,ann\n2,bob\n3,canary-eve\n")
        .file("day2.csv", "id,name\n4,dan\n5,canary-ida\n6,joe\n");
    let day = |file: &str| pipeline.run_with(&["--input", file]);
    let rejected =
        |file: &str, list: &str| pipeline.run_with(&["--input", file, "--rejects-of", list]);
    let keep = |list: &str| pipeline.write(list, pipeline.read("rejects.jsonl"));
    let _ = day("day1.csv").ends_with(0);
    keep("list1.jsonl");
    let _ = day("day2.csv").ends_with(0);
    keep("list2.jsonl");
    pipeline.write("manifest.yaml", manifest("none.csv", 50, TABLE));
    // Row 1 of the first file was stored; the list is the second file's.
    let _ = rejected("day1.csv", "list2.jsonl")
        .ends_with(2)
        .says("names rows that no run of this input rejected");
    let _ = rejected("day2.csv", "list2.jsonl").ends_with(0);
    let _ = rejected("day1.csv", "list1.jsonl").ends_with(0);
    assert_eq!(stored(&pipeline).len(), 6);
    // A third file, whose row of that number is rejected too, does not make it another call.
    pipeline.write("manifest.yaml", manifest("none.csv", 5, TABLE));
    pipeline.write("day3.csv", "id,name\n7,ann\n8,bob\n9,canary-pat\n");
    let _ = day("day3.csv").ends_with(0);
    pipeline.write("manifest.yaml", manifest("none.csv", 50, TABLE));
    let _ = rejected("day1.csv", "list1.jsonl")
        .ends_with(2)
        .says("has already added the rows of this input (1 of them)");
    assert_eq!(stored(&pipeline).len(), 8);
}

#[test]
fn what_a_later_run_of_the_whole_input_has_stored_is_not_stored_again() {
    let pipeline = mended();
    // It stores the first rows twice, as it was asked to.
    let ran = pipeline.run_with(&["--again"]).ends_with(0);
    assert_eq!(ran.rows("stored"), 5);
    let _ = again(&pipeline, &[])
        .ends_with(2)
        .says("has added 5 rows of this input since");
    assert_eq!(stored(&pipeline).len(), 8);
}

#[test]
fn a_run_over_all_rows_and_one_over_rejects_do_not_get_in_each_others_way() {
    let pipeline = mended();
    let _ = again(&pipeline, &[]).ends_with(0);
    pipeline.write("manifest.yaml", manifest("in.csv", 5, TABLE));
    let _ = pipeline
        .run()
        .ends_with(2)
        .says("has already added the rows of this input (3 of them)");
}

#[test]
fn a_corrected_file_is_named_and_its_rows_are_taken_by_their_numbers() {
    let pipeline = once();
    let corrected = ROWS.replace("x,eve", "3,eve").replace("canary-ida", "ida");
    pipeline.write("in.csv", &corrected);
    let _ = again(&pipeline, &[])
        .ends_with(2)
        .says("the input is not the one from which run")
        .says("name it with `--input`");
    let ran = again(&pipeline, &["--input", "in.csv"]).ends_with(0);
    assert_eq!((ran.rows("read"), ran.rows("stored")), (3, 2));
    let now = [
        ("0", "ann"),
        ("2", "eve"),
        ("3", "dan"),
        ("4", "ida"),
        ("5", "joe"),
    ];
    assert_eq!(stored(&pipeline), pairs(&now));
    // The next correction has to go by what that run left.
    pipeline.write("in.csv", corrected.replace("canary-bob", "bob"));
    let _ = again(&pipeline, &["--input", "in.csv"])
        .ends_with(2)
        .says("has added 2 rows of this input since");
    let call = ["--rejects-of", "rejects.jsonl", "--input", "in.csv"];
    let _ = pipeline.run_with(&call).ends_with(0);
    assert_eq!(stored(&pipeline).len(), 6);
}

#[test]
fn rejects_of_the_same_numbers_in_another_input_are_other_rows() {
    let pipeline = mended();
    let rows = ROWS.replace("ann", "amy");
    pipeline.write("monday.csv", ROWS);
    pipeline.write("tuesday.csv", rows);
    let run = |call: &[&str]| pipeline.run_with(call);
    let of = |day: &str| manifest(&format!("{day}.csv"), 50, TABLE);
    pipeline.write("manifest.yaml", manifest("tuesday.csv", 5, TABLE));
    let _ = run(&[]).ends_with(0);
    pipeline.write("tuesday.jsonl", pipeline.read("rejects.jsonl"));
    for (day, list) in [("tuesday", "tuesday.jsonl"), ("monday", "first.jsonl")] {
        pipeline.write("manifest.yaml", of(day));
        let ran = run(&["--rejects-of", list]).ends_with(0);
        assert_eq!(ran.rows("stored"), 2, "{day}");
    }
    assert_eq!(stored(&pipeline).len(), 10);
}

#[test]
fn the_run_that_left_a_list_may_be_named_where_corrected_files_have_the_same_rows() {
    let pipeline = once();
    let first = |pipeline: &Pipeline| {
        let ran = pipeline.run().ends_with(0);
        pipeline.write("first.jsonl", pipeline.read("rejects.jsonl"));
        ran.report["run"].as_str().unwrap().to_owned()
    };
    let runs = ["tea", "oil"].map(|food| {
        pipeline.write("in.csv", ROWS.replace("ann", food));
        first(&pipeline)
    });
    let corrected = ROWS.replace("canary-", "").replace("x,", "3,");
    for run in runs.iter().rev() {
        pipeline.write("in.csv", corrected.replace("ann", run));
        let call = ["--input", "in.csv", "--of-run", run.as_str()];
        let ran = again(&pipeline, &call).ends_with(0);
        assert_eq!(
            (ran.rows("stored"), &ran.report["rerun"]["of-run"]),
            (3, &run.as_str().into())
        );
        // Corrected once more, it would be stored once more.
        pipeline.write("in.csv", corrected.replace("bob", run));
        let twice = again(&pipeline, &call).ends_with(2);
        let _ = twice.says("has added 3 rows of this input since");
    }
    assert_eq!(stored(&pipeline).len(), 9 + 6);
    let strange = again(
        &pipeline,
        &["--input", "in.csv", "--of-run", "x", "--again"],
    );
    let _ = strange.ends_with(0).says("has no run that rejected");
    let _ = pipeline
        .run_with(&["--of-run", "x"])
        .ends_with(2)
        .says("--rejects-of");
}

#[test]
fn a_part_that_was_rejected_again_is_not_stored_behind_the_back_of_the_whole() {
    let pipeline = once();
    let list = pipeline.read("first.jsonl");
    pipeline.write("some.jsonl", list.lines().next().unwrap());
    // By a rule that mends nothing, some of them are rejected again; then all are run.
    pipeline.write("manifest.yaml", manifest("in.csv", 6, TABLE));
    let some = ["--rejects-of", "some.jsonl"];
    assert_eq!(pipeline.run_with(&some).ends_with(0).rows("rejected"), 1);
    pipeline.write("manifest.yaml", manifest("in.csv", 50, TABLE));
    assert_eq!(again(&pipeline, &[]).ends_with(0).rows("stored"), 2);
    let _ = pipeline
        .run_with(&some)
        .ends_with(2)
        .says("has added 2 rows of this input since");
    assert_eq!(stored(&pipeline), pairs(&ALL));
}

#[test]
fn rows_that_were_not_rejected_are_not_stored_twice() {
    let pipeline = mended();
    let reject = "{\"row\":5,\"line\":7,\"violations\":[{\"step\":\"length\",\"rule\":\"length\",\"message\":\"m\"}]}\n";
    pipeline.write("first.jsonl", reject);
    let _ = again(&pipeline, &[])
        .ends_with(2)
        .says("names rows that no run of this input rejected");
    assert_eq!(stored(&pipeline).len(), 3);
    let asked = again(&pipeline, &["--again"]).ends_with(0);
    let _ = asked.says("note: the sink's journal has no run that rejected the rows of first.jsonl");
    assert_eq!(stored(&pipeline).len(), 4);
}

#[test]
fn what_cannot_be_known_is_said() {
    let pipeline = mended();
    pipeline.write(
        "manifest.yaml",
        manifest("in.csv", 50, "csv: { path: out.csv, mode: append }"),
    );
    let ran = again(&pipeline, &[]).ends_with(0);
    assert_eq!(ran.rows("stored"), 2);
    assert_eq!(
        pipeline.read("out.csv"),
        "number,name\n1,canary-bob\n4,canary-ida\n"
    );
    let _ = ran.says("it is unknown whether the input is still the same");
}

#[test]
fn what_cannot_be_run_again_is_refused_before_the_first_row() {
    let pipeline = mended();
    let refused = |text: &str| {
        let ran = again(&pipeline, &[]).ends_with(2).says(text);
        assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
        assert_eq!(stored(&pipeline).len(), 3);
    };
    for (sink, text) in [
        (
            "sqlite: { path: out.db, table: things, mode: replace }",
            "`mode: replace` removes the others; run the whole input, or write `mode: append` or \
            `upsert`",
        ),
        ("csv: { path: out.csv }", "the file is rewritten"),
        (
            "parquet: { path: out.parquet }",
            "a Parquet file is rewritten",
        ),
    ] {
        pipeline.write("manifest.yaml", manifest("in.csv", 50, sink));
        refused(text);
    }
    pipeline.write("manifest.yaml", manifest("\"-\"", 50, TABLE));
    refused("the source can be read only once");
    let database = "name: things
source: { postgres: { host: h, database: d, user: u, password: { secret: s }, table: t } }
columns: { id: { type: int64 }, name: { type: text } }
credentials: [env]
sink: { sqlite: { path: out.db, table: things } }
";
    pipeline.write("manifest.yaml", database);
    refused("the source is a database, where row numbers are not stable");

    pipeline.write("manifest.yaml", manifest("in.csv", 50, TABLE));
    let violations = "\"violations\":[{\"rule\":\"length\"}]";
    for (list, text) in [
        ("", "first.jsonl names no rows: nothing was rejected"),
        (
            "{\"canary\":1}\n",
            "line 1 of first.jsonl is not a reject as `glovebox run` writes it",
        ),
        (
            &format!("{{\"row\":6,{violations}}}\n"),
            "first.jsonl names row 6, but the input has 6 rows",
        ),
        (
            &format!("{{\"row\":1,\"file\":\"a.csv\",{violations}}}\n"),
            "first.jsonl has row 1 in a.csv, but now that row is in the only file of an input",
        ),
    ] {
        pipeline.write("first.jsonl", list);
        refused(text);
    }
    let none = pipeline
        .run_with(&["--rejects-of", "none.jsonl"])
        .ends_with(2);
    let _ = none.says("cannot read the rejects none.jsonl: No such file");
    let call = [
        "run",
        "manifest.yaml",
        "--rejects-of",
        "first.jsonl",
        "--report",
        "first.jsonl",
    ];
    let _ = pipeline
        .call(&call)
        .ends_with(2)
        .says("`--report` names the rejects file");
}

#[test]
fn rows_of_several_files_are_found_in_theirs() {
    let pipeline = Pipeline::new(&manifest("in", 5, TABLE))
        .file("in/b.csv", "id,name\n1,ann\n2,canary-bob\n")
        .file("in/c.csv", "name,id\neve,3\ncanary-ida,4\njoe,5\n");
    let _ = pipeline.run().ends_with(0);
    pipeline.write("first.jsonl", pipeline.read("rejects.jsonl"));
    pipeline.write("manifest.yaml", manifest("in", 50, TABLE));
    pipeline.write("in/a.csv", "id,name\n8,eva\n9,max\n");
    let _ = again(&pipeline, &[])
        .ends_with(2)
        .says("has row 1 in in/b.csv, but now that row is in in/a.csv: files were added");
    std::fs::remove_file(pipeline.path("in/a.csv")).unwrap();
    // Its own row is still in its place; the next file's is not.
    let b = pipeline.read("in/b.csv");
    pipeline.write("in/b.csv", format!("{b}8,eva\n9,max\n"));
    let _ = again(&pipeline, &["--input", "in"])
        .ends_with(2)
        .says("has row 3 in in/c.csv, but now that row is in in/b.csv");
    pipeline.write("in/b.csv", b);
    let ran = again(&pipeline, &[]).ends_with(0);
    assert_eq!(
        (ran.rows("stored"), &ran.report["rerun"]["passed-over"]),
        (2, &3.into())
    );
    let all = [
        ("0", "ann"),
        ("1", "canary-bob"),
        ("2", "eve"),
        ("3", "canary-ida"),
        ("4", "joe"),
    ];
    assert_eq!(stored(&pipeline), pairs(&all));
}

/// A dozen chunks of rejected rows, every third of all: masked slowly then, so that a run is
/// killed between its first chunk and its last however busy the machine is.
const MANY: usize = 120_000;
const FAST: &str = "hmac-sha256";
const SLOW: &str = "pbkdf2-sha256, iterations: 15000";

fn many(sink: &str, most: u32, method: &str) -> String {
    format!(
        "name: things
source: {{ csv: {{ path: in.csv }} }}
columns: {{ id: {{ type: int64 }}, name: {{ type: text, personal: true }} }}
credentials: [env]
steps:
  - {{ validate: length, reads: [name], with: {{ max: {most} }} }}
  - mask: pseudonym
    masks: [name]
    with: {{ method: {method} }}
    keys: {{ pseudonym: salt }}
sink: {{ {sink} }}
rejects: {{ path: rejects.jsonl }}
"
    )
}

fn killed_and_gone_on(sink: &str, password: &str, begun: impl Fn(&Pipeline) -> bool) -> Pipeline {
    let mut rows = String::from("id,name\n");
    for n in 0..MANY {
        let width = if n % 3 == 0 { 90 } else { 80 };
        let _ = writeln!(rows, "{n},{n:0>width$}");
    }
    let pipeline = Pipeline::new(&many(sink, 85, FAST))
        .file("in.csv", rows)
        .env("GLOVEBOX_SECRET_SALT", "a salt")
        .env("GLOVEBOX_SECRET_PASSWORD", password);
    let _ = pipeline.run().ends_with(0);
    pipeline.write("first.jsonl", pipeline.read("rejects.jsonl"));
    pipeline.write("manifest.yaml", many(sink, 95, SLOW));
    let call = ["run", "manifest.yaml", "--rejects-of", "first.jsonl"];
    let mut running = pipeline.start(&call);
    running.until("rows are stored", |_| begun(&pipeline));
    running.signal("KILL");
    assert_eq!(running.end().code, None);
    let _ = again(&pipeline, &[])
        .ends_with(2)
        .says("`--resume` continues it");
    let whole = pipeline.run_with(&["--resume"]).ends_with(2);
    let _ = whole.says("it works on other rows of its input");
    let ran = again(&pipeline, &["--resume"]).ends_with(0);
    assert_eq!(ran.rows("stored"), (MANY / 3) as u64);
    assert!(
        ran.report["resumed-rows"].as_u64() > Some(0),
        "{}",
        ran.report
    );
    pipeline
}

#[test]
fn a_killed_run_over_rejects_goes_on_in_sqlite() {
    let pipeline = killed_and_gone_on(TABLE, "", |pipeline| {
        let begun = "SELECT CAST(count(*) AS TEXT) FROM glovebox_chunk JOIN glovebox_run USING (run) \
                     WHERE state = 'running'";
        sqlite::query(&pipeline.path("out.db"), begun) != [[Some("0".to_owned())]]
    });
    let counts = "SELECT CAST(count(*) AS TEXT), CAST(count(DISTINCT id) AS TEXT) FROM things";
    let all = Some(MANY.to_string());
    assert_eq!(
        sqlite::query(&pipeline.path("out.db"), counts),
        [[all.clone(), all]]
    );
}

#[test]
fn a_killed_run_over_rejects_goes_on_in_postgres() {
    let server = Postgres::shared();
    let database = server.database("rerun");
    let sink = format!(
        "postgres: {{ {}, table: public.things }}",
        server.place(&database)
    );
    let pipeline = killed_and_gone_on(&sink, server.password(), |_| {
        let begun = "SELECT count(*) FROM glovebox.chunk JOIN glovebox.run USING (run) WHERE state = \
                     'running'";
        server.query(&database, begun) != [[Some("0".to_owned())]]
    });
    let counts = || {
        let counts = "SELECT count(*), count(DISTINCT id) FROM public.things";
        server.query(&database, counts)
    };
    let all = Some(MANY.to_string());
    assert_eq!(counts(), [[all.clone(), all.clone()]]);
    let _ = again(&pipeline, &[])
        .ends_with(2)
        .says("has already added the rows of this input");
    // With upsert nothing can be there twice, so nothing is refused.
    let upsert = sink.replace(
        "table: public.things",
        "table: public.things, mode: upsert, keys: [id]",
    );
    let _ = server.query(
        &database,
        "CREATE UNIQUE INDEX things_id ON public.things (id)",
    );
    pipeline.write("manifest.yaml", many(&upsert, 95, FAST));
    let _ = again(&pipeline, &[]).ends_with(0);
    assert_eq!(counts(), [[all.clone(), all]]);
}

#[test]
fn a_format_that_is_described_otherwise_is_asked_about() {
    // A record that is skipped whole is in no chunk, and one that is read is.
    let rows = format!("{ROWS}7,{}\n", "x".repeat(5 << 20));
    let of = |most, record| {
        let manifest = manifest("in.csv", most, TABLE);
        manifest.replace("in.csv", &format!("in.csv, max-record: {record}"))
    };
    let pipeline = Pipeline::new(&of(5, "2MiB")).file("in.csv", rows);
    let ran = pipeline.run().ends_with(0);
    assert_eq!(ran.rows("rejected"), 4);
    pipeline.write("first.jsonl", pipeline.read("rejects.jsonl"));
    pipeline.write("manifest.yaml", of(50, "8MiB"));
    let _ = again(&pipeline, &[])
        .ends_with(2)
        .says("or the manifest now describes its format differently");
    let ran = again(&pipeline, &["--again"]).ends_with(0);
    assert_eq!((ran.rows("read"), ran.rows("stored")), (4, 2));
    assert_eq!(stored(&pipeline), pairs(&ALL));
}
