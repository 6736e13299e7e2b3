//! Which pipelines can run rejected rows again; what the journal says is tried with the real program.

use std::path::Path;

use super::*;
use glovebox_manifest::load;

const LISTED: &str = r#"{"row":1,"violations":[{}]}"#;
const HELD: &str = r#"{"row":1,"violations":[{}],"cells":{}}"#;

fn verdict(source: &str, sink: &str) -> Result<(), RerunError> {
    verdict_on(LISTED, source, sink)
}

fn verdict_on(list: &str, source: &str, sink: &str) -> Result<(), RerunError> {
    let text = format!(
        "name: people\nsource: {{ {source} }}\ncolumns: {{ name: {{ type: text }} }}\nsink: {{ {sink} }}\n"
    );
    let manifest = load(Path::new("m.yaml"), &text);
    let manifest = manifest.unwrap_or_else(|problems| panic!("{problems:?}"));
    can_rerun(&manifest, &Selection::of_text(list, Path::new("list"))?)
}

const FILE: &str = "csv: { path: in.csv }";
const TABLE: &str = "sqlite: { path: p.db, table: p }";

#[test]
fn rows_can_be_run_again_where_the_others_stay() {
    for sink in [
        TABLE,
        "sqlite: { path: p.db, table: p, mode: upsert, keys: [name] }",
        "csv: { path: out.csv, mode: append }",
        "jsonl: { path: out.jsonl, mode: append }",
    ] {
        assert!(verdict(FILE, sink).is_ok(), "{sink}");
    }
    for sink in [
        "sqlite: { path: p.db, table: p, mode: replace }",
        "csv: { path: out.csv }",
        "jsonl: { path: out.jsonl }",
        "parquet: { path: out.parquet }",
    ] {
        let refused = verdict(FILE, sink);
        assert!(matches!(refused, Err(RerunError::Loses { .. })), "{sink}");
    }
}

#[test]
fn rows_can_be_run_again_where_they_are_found_by_their_number() {
    for source in [
        "jsonl: { path: in }",
        "parquet: { path: [a.parquet, b.parquet] }",
    ] {
        assert!(verdict(source, TABLE).is_ok(), "{source}");
    }
    let pipe = verdict("csv: { path: \"-\" }", TABLE);
    assert!(matches!(pipe, Err(RerunError::ReadOnce)));
    let database = "postgres: { host: h, database: d, user: u, password: { secret: s }, table: t }";
    assert!(matches!(
        verdict(database, TABLE),
        Err(RerunError::Database)
    ));
    // Rows that the list has itself need not be found.
    for source in [database, "csv: { path: \"-\" }"] {
        assert!(verdict_on(HELD, source, TABLE).is_ok(), "{source}");
    }
}
