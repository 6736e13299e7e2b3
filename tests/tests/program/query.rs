//! `glovebox query`: what it prints, what it does not show, and how it fails.

use std::path::{Path, PathBuf};
use std::process::Command;

use glovebox_tests::pipeline::{Pipeline, Ran, program};

const MANIFEST: &str = "name: orders
source: { csv: { path: in.csv } }
columns:
  id: { type: int64 }
  name: { type: text, personal: true }
  email: { type: text, personal: true }
  country: { type: text }
  price: { type: \"decimal(10,2)\" }
steps:
  - { mask: redact, masks: [email] }
sink: { csv: { path: out.csv }, columns: [id, email, country, price] }
";

fn orders() -> Pipeline {
    let rows = "id,name,email,country,price\n\
        1,canary-7c1d,canary-7c1d@example.org,DE,2.50\n\
        2,Bob,b@example.org,FR,1.00\n\
        3,Cid,c@example.org,DE,-1.00\n\
        x,Dan,d@example.org,DE,7.00\n\
        5,Eve,e@example.org,\"a, \"\"b\"\"\",\n";
    Pipeline::new(MANIFEST).file("in.csv", rows)
}

fn query(pipeline: &Pipeline, sql: &str, more: &[&str]) -> Ran {
    pipeline.call(&[&["query", "manifest.yaml", sql], more].concat())
}

#[test]
fn a_result_is_a_table_csv_or_json_lines() {
    let pipeline = orders();
    let grouped = "SELECT country, count(*) AS n, sum(price) AS total FROM rows WHERE price IS NOT NULL GROUP BY country ORDER BY country";
    let table = query(&pipeline, grouped, &[]).ends_with(0);
    let expected = "country  n  total\n───────  ─  ─────\nDE       2  1.50\nFR       1  1.00\n";
    assert_eq!(table.stdout, expected);
    assert!(
        table
            .stderr
            .contains("5 rows read, 0 filtered and 1 rejected before the query"),
        "{}",
        table.stderr
    );

    let all = "SELECT id, country, price FROM rows ORDER BY id DESC LIMIT 2";
    let csv = query(&pipeline, all, &["--format", "csv"])
        .ends_with(0)
        .stdout;
    assert_eq!(csv, "id,country,price\n5,\"a, \"\"b\"\"\",\n3,DE,-1.00\n");
    let jsonl = query(&pipeline, all, &["--format", "jsonl"])
        .ends_with(0)
        .stdout;
    let expected = "{\"id\":5,\"country\":\"a, \\\"b\\\"\",\"price\":null}\n{\"id\":3,\"country\":\"DE\",\"price\":\"-1.00\"}\n";
    assert_eq!(jsonl, expected);
    assert!(!pipeline.path("out.csv").exists());
}

#[test]
fn a_long_table_is_cut_and_says_so() {
    let told = query(
        &orders(),
        "SELECT id FROM rows ORDER BY id",
        &["--rows", "2"],
    )
    .ends_with(0)
    .stdout;
    assert_eq!(
        told,
        "id\n──\n1\n2\n… and 2 more rows; --rows prints more, --format csv all\n"
    );
}

#[test]
fn what_is_personal_is_masked_or_not_there() {
    let pipeline = orders();
    let all = query(&pipeline, "SELECT * FROM rows", &["--format", "csv"]).ends_with(0);
    assert!(
        all.stdout
            .starts_with("id,email,country,price\n1,[redacted],DE,2.50\n"),
        "{}",
        all.stdout
    );
    let refused = query(&pipeline, "SELECT name FROM rows", &[]).ends_with(2);
    assert!(
        refused
            .stderr
            .contains("`name` is personal, and no step has masked it"),
        "{}",
        refused.stderr
    );
    let shown = query(
        &pipeline,
        "SELECT name FROM rows WHERE id = 2",
        &["--show-cells"],
    )
    .ends_with(0);
    assert_eq!(shown.stdout, "name\n────\nBob\n");
}

#[test]
fn what_a_release_generalises_is_not_there_in_full() {
    let gate = "release: { k: 2, quasi-identifiers: { country: { prefix: [1] } } }\nsink: {";
    let pipeline = orders();
    pipeline.write("manifest.yaml", MANIFEST.replace("sink: {", gate));
    let refused = query(&pipeline, "SELECT country FROM rows", &[]).ends_with(2);
    let _ = refused.says("`country` is generalised by the release, once all rows are known");
    let all = query(&pipeline, "SELECT * FROM rows", &["--format", "csv"]).ends_with(0);
    assert!(all.stdout.starts_with("id,email,price\n"), "{}", all.stdout);
}

#[test]
fn a_mistake_is_shown_in_the_query() {
    let told = query(&orders(), "SELECT id,\n  contry FROM rows", &[])
        .ends_with(2)
        .stderr;
    let expected = "error: there is no column `contry` here\n  |   contry FROM rows\n  |   ^^^^^^\n  = help: did you mean `country`?\n";
    assert_eq!(told, expected);
}

#[test]
fn no_cell_is_in_what_is_said_of_a_row_that_fails() {
    let told = query(
        &orders(),
        "SELECT CAST(country AS BIGINT) AS c FROM rows",
        &[],
    )
    .ends_with(1);
    assert_eq!(
        told.stderr,
        "error: the query converts a cell that has no such form; write TRY_CAST for null instead\n"
    );
    let told = query(
        &orders(),
        "SELECT CAST(name AS BIGINT) AS c FROM rows",
        &["--show-cells"],
    )
    .ends_with(1);
    assert!(!told.stderr.contains("canary"), "{}", told.stderr);
}

#[test]
fn a_source_that_is_away_is_said() {
    let pipeline = Pipeline::new(MANIFEST);
    let told = query(&pipeline, "SELECT count(*) AS n FROM rows", &[])
        .ends_with(1)
        .stderr;
    assert!(told.contains("in.csv"), "{told}");
}

#[test]
fn a_chart_is_drawn() {
    let pipeline = orders();
    let bars =
        "SELECT country, count(*) AS n FROM rows GROUP BY country ORDER BY n DESC, country LIMIT 2";
    let drawn = query(&pipeline, bars, &["--chart", "bar"])
        .ends_with(0)
        .stdout;
    let lines: Vec<&str> = drawn.lines().collect();
    assert_eq!(lines[2], format!("DE       2  {}", "█".repeat(40)));
    assert_eq!(lines[3], format!("FR       1  {}", "█".repeat(20)));
    let prices = "SELECT price FROM rows ORDER BY id";
    let line = query(&pipeline, prices, &["--chart", "line"])
        .ends_with(0)
        .stdout;
    assert!(line.contains("2.5000 │█"), "{line}");
    assert!(line.contains("1 rows are not drawn"), "{line}");
    let histogram = query(&pipeline, prices, &["--chart", "histogram"])
        .ends_with(0)
        .stdout;
    assert_eq!(histogram.lines().count(), 23, "{histogram}");
    let refused = query(&pipeline, "SELECT country FROM rows", &["--chart", "bar"])
        .ends_with(2)
        .stderr;
    assert!(
        refused.contains("the last column, `country`, is text"),
        "{refused}"
    );
}

#[test]
fn duckdb_answers_the_same() {
    let folder = Pipeline::empty();
    let folder = folder.folder().to_str().unwrap();
    asked_of_others(
        "duckdb_agrees.py",
        &[folder, "20261127", "200"],
        "200 queries, 0 different",
    );
}

#[test]
fn pandas_answers_the_same() {
    let folder = Pipeline::empty();
    let folder = folder.folder().to_str().unwrap();
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/sql.md");
    let manual = manual.to_str().unwrap();
    asked_of_others("cookbook.py", &[folder, manual], "22 lines, 0 different");
}

#[test]
fn pandas_fills_the_same() {
    let folder = Pipeline::empty();
    let folder = folder.folder().to_str().unwrap();
    let told = "96 compared, 0 different";
    asked_of_others("missing.py", &[folder, "20261127", "8"], told);
}

/// By Python with DuckDB and pandas, if `cargo xtask tools` has installed it.
fn asked_of_others(script: &str, arguments: &[&str], expected: &str) {
    let Some(python) = python() else {
        eprintln!("DuckDB and pandas are not installed: `cargo xtask tools`");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("sql")
        .join(script);
    let ran = Command::new(python)
        .arg(script)
        .arg(program())
        .args(arguments)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stdout);
    let failed = String::from_utf8_lossy(&ran.stderr);
    assert!(told.trim_end().ends_with(expected), "{told}{failed}");
}

fn python() -> Option<PathBuf> {
    let target = program();
    let tool = target.parent()?.parent()?.join("tools/sql");
    let installed = tool.join("installed").is_file();
    installed.then(|| tool.join("bin/python"))
}
