//! Files in and out: packed ones, many of them, Parquet there and back, and runs that one damaged
//! file stops.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::sqlite;

fn gzip(text: &str) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap()
}

fn manifest(source: &str, columns: &str, sink: &str) -> String {
    format!(
        "name: files
source: {{ {source} }}
columns: {{ {columns} }}
sink: {{ {sink} }}
rejects: {{ path: rejects.txt }}
"
    )
}

const TYPED: &str = "t: { type: text }, i: { type: int64 }, f: { type: float64 }, \
                     b: { type: boolean }, d: { type: \"decimal(38,3)\" }, x: { type: bytes }, \
                     day: { type: date }, at: { type: timestamp }";

const ROWS: &str = "t,i,f,b,d,x,day,at\n\
    \"a \"\"b\"\",\nc\",-9223372036854775808,0.1,true,-0.050,\\x00ff,2024-02-29,2024-02-29T23:59:59.000001Z\n\
    ,,,,,,,\n\
    last,9223372036854775807,-Infinity,false,12345678901234567890123456789012345.678,\\x,0001-01-01,9999-12-31T00:00:00Z\n";

#[test]
fn rows_go_through_parquet_and_come_back_the_same() {
    for compression in ["zstd", "snappy", "gzip", "lz4", "none"] {
        let there = format!("parquet: {{ path: out.parquet, compression: {compression} }}");
        let pipeline = Pipeline::new(&manifest("csv: { path: in.csv }", TYPED, &there))
            .file("in.csv", ROWS)
            .file(
                "back.yaml",
                manifest(
                    "parquet: { path: out.parquet }",
                    TYPED,
                    "csv: { path: back.csv }",
                ),
            );
        assert_eq!(pipeline.run().ends_with(0).rows("stored"), 3);
        let check = pipeline
            .call(&["check", "back.yaml", "--connect"])
            .ends_with(0);
        assert!(check.stdout.contains("Parquet from"), "{}", check.stdout);
        let preview = pipeline.call(&["preview", "back.yaml"]).ends_with(0);
        assert!(preview.stdout.contains("3 rows read"), "{}", preview.stdout);
        let _ = pipeline.call(&["run", "back.yaml"]).ends_with(0);
        assert_eq!(pipeline.read("back.csv"), ROWS, "{compression}");
    }
}

#[test]
fn standard_input_may_be_packed() {
    let columns = "n: { type: int64 }";
    let formats = [
        ("csv: { path: \"-\" }", "n\n1\n2\n"),
        ("jsonl: { path: \"-\" }", "{\"n\":1}\n{\"n\":2}"),
    ];
    for (source, text) in formats {
        let pipeline = Pipeline::new(&manifest(source, columns, "csv: { path: out.csv }"));
        for input in [text.as_bytes().to_vec(), gzip(text)] {
            let _ = pipeline
                .call_with_input(&["run", "manifest.yaml"], &input)
                .ends_with(0);
            assert_eq!(pipeline.read("out.csv"), "n\n1\n2\n");
            fs::remove_file(pipeline.path("out.csv")).unwrap();
        }
        let cut = gzip(text);
        let _ = pipeline
            .call_with_input(&["run", "manifest.yaml"], &cut[..cut.len() - 3])
            .ends_with(1)
            .says("cannot read standard input: the gzip stream is truncated");
        assert!(!pipeline.path("out.csv").exists());
    }
}

/// More than the 16 MiB that SQLite keeps before it writes.
const WIDE_ROWS: usize = 300;
/// More than is looked at for a header.
const FEW_ROWS: usize = 50_000;

fn wide(number: usize) -> String {
    format!("{number} {}", "wide ".repeat(20_000))
}

/// A file of many wide rows, and one of many small ones behind it, in each format.
fn inputs(format: &str) -> (Vec<u8>, Vec<u8>) {
    let line = |n: &str| match format {
        "jsonl" => format!("{{\"name\":\"{n}\"}}\n"),
        _ => format!("{n}\n"),
    };
    let head = if format == "jsonl" { "" } else { "name\n" };
    let wide: String = (0..WIDE_ROWS).map(|n| line(&wide(n))).collect();
    let few: String = (0..FEW_ROWS).map(|n| line(&format!("few {n}"))).collect();
    (
        gzip(&format!("{head}{wide}")),
        gzip(&format!("{head}{few}")),
    )
}

fn prepared(format: &str) -> Pipeline {
    let sink = "sqlite: { path: out.db, table: things }";
    let columns = "name: { type: text }";
    let source = format!("{format}: {{ path: [\"a.*\", b.{format}] }}");
    let mut pipeline = Pipeline::new(&manifest(&source, columns, sink));
    let text = if format == "parquet" { "csv" } else { format };
    let (wide, few) = inputs(text);
    if format != "parquet" {
        return pipeline
            .file(&format!("a.{format}"), wide)
            .file(&format!("b.{format}"), few);
    }
    for (name, content) in [("a", wide), ("b", few)] {
        let sink = format!("parquet: {{ path: {name}.parquet }}");
        pipeline = pipeline.file(&format!("{name}.csv"), content).file(
            "make.yaml",
            manifest(&format!("csv: {{ path: {name}.csv }}"), columns, &sink),
        );
        let _ = pipeline.call(&["run", "make.yaml"]).ends_with(0);
        fs::remove_file(pipeline.path(&format!("{name}.csv"))).unwrap();
    }
    pipeline
}

/// Changes a byte without which nothing can be read: where a gzip header or a page begins.
fn damage(path: &Path) -> Vec<u8> {
    let good = fs::read(path).unwrap();
    let mut bad = good.clone();
    let at = if bad.starts_with(b"PAR1") {
        4
    } else {
        bad.len() / 2
    };
    bad[at] ^= 0xff;
    fs::write(path, bad).unwrap();
    good
}

#[test]
fn a_damaged_file_stops_a_run_which_goes_on_when_it_is_whole() {
    for format in ["csv", "jsonl", "parquet"] {
        let pipeline = prepared(format);
        let second = pipeline.path(&format!("b.{format}"));
        let good = damage(&second);
        let ran = pipeline.run_with(&["--workers", "1"]).ends_with(1);
        assert!(
            ran.stderr.contains(&format!("b.{format}")),
            "{}",
            ran.stderr
        );
        assert!(
            ran.stderr.contains("`glovebox run --resume`"),
            "{}",
            ran.stderr
        );
        assert!(!ran.stderr.contains("internal error"), "{}", ran.stderr);
        fs::write(&second, good).unwrap();
        let ran = pipeline.run_with(&["--resume"]).ends_with(0);
        assert_eq!(
            ran.rows("stored") as usize,
            WIDE_ROWS + FEW_ROWS,
            "{format}"
        );
        let query = "SELECT CAST(count(*) AS TEXT), CAST(count(DISTINCT name) AS TEXT) FROM things";
        let count = Some((WIDE_ROWS + FEW_ROWS).to_string());
        let found = sqlite::query(&pipeline.path("out.db"), query);
        assert_eq!(found, [[count.clone(), count]], "{format}");
        let _ = pipeline
            .run()
            .ends_with(2)
            .says("has already added the rows of this input");
    }
}

#[test]
fn the_journal_know_the_file_of_a_reject() {
    let sink = "sqlite: { path: out.db, table: things }";
    let source = "csv: { path: in }";
    let pipeline = Pipeline::new(&manifest(source, "n: { type: int64 }", sink))
        .file("in/a.csv", "n\n1\nx\n")
        .file("in/b \"2\".csv", "n\ny\n2\n");
    let _ = pipeline.run().ends_with(0);
    let rejects = pipeline.read("rejects.txt");
    assert!(
        rejects.contains("{\"row\":2,\"file\":\"in/b \\\"2\\\".csv\",\"line\":2,"),
        "{rejects}"
    );
    fs::remove_file(pipeline.path("rejects.txt")).unwrap();
    let _ = pipeline.run_with(&["--resume"]).ends_with(0);
    assert_eq!(pipeline.read("rejects.txt"), rejects);
}

#[test]
fn a_damaged_parquet_file_is_named_and_nothing_of_it_is_told() {
    let columns = "name: { type: text }";
    let pipeline = Pipeline::new(&manifest(
        "parquet: { path: in.parquet }",
        columns,
        "csv: { path: out.csv }",
    ))
    .file("in.csv", "name\nsecret\n")
    .file(
        "make.yaml",
        manifest(
            "csv: { path: in.csv }",
            columns,
            "parquet: { path: in.parquet, compression: none }",
        ),
    );
    let _ = pipeline.call(&["run", "make.yaml"]).ends_with(0);
    let good = fs::read(pipeline.path("in.parquet")).unwrap();
    let mut refused = 0;
    for at in 4..good.len() {
        for to in [0, 0x7f, 0xff] {
            let mut bad = good.clone();
            bad[at] = to;
            // A hundred calls of the program are enough; the crate's own test has thousands.
            if at % 13 != 0 {
                continue;
            }
            fs::write(pipeline.path("in.parquet"), &bad).unwrap();
            let ran = pipeline.call(&["run", "manifest.yaml"]);
            if ran.code == Some(0) {
                continue;
            }
            assert_eq!(ran.code, Some(1), "{at} {to}: {}", ran.stderr);
            assert!(
                ran.stderr.contains("in.parquet"),
                "{at} {to}: {}",
                ran.stderr
            );
            assert!(!ran.stderr.contains("secret"), "{at} {to}: {}", ran.stderr);
            assert!(!ran.stderr.contains("panic"), "{at} {to}: {}", ran.stderr);
            refused += 1;
        }
    }
    assert!(refused > 10, "{refused}");
}
