//! Reads the source: where the rows come from.
//!
//! Refuses two places at once.

use super::csv_source::{CSV_SOURCE, csv_source};
use super::files;
use super::postgres_source::postgres_source;
use crate::block::{Reader, Shape};
use crate::diagnostic::Diagnostic;
use crate::model::{Source, Span};
use crate::yaml::Node;

pub(crate) const SOURCE: Shape = Shape {
    what: "the source",
    keys: &["csv", "jsonl", "parquet", "postgres"],
    hints: &[
        ("path", "put it under the format: csv: { path: sales.csv }"),
        ("columns", "`columns:` stands beside `source:`, not in it"),
        ("postgresql", "write `postgres:`"),
        (
            "table",
            "put it under the format: postgres: { host: db.internal, …, table: sales }",
        ),
        (
            "json",
            "write `jsonl:`, for an object a line and for arrays",
        ),
        ("ndjson", "write `jsonl:`"),
    ],
    example: "source: { csv: { path: sales.csv } }",
};

/// The manifest's `source:`.
pub(super) fn source(reader: &mut Reader<'_>, node: &Node, head: Span) -> Option<Source> {
    let block = reader.block(node, head, &SOURCE)?;
    let present = block.present(SOURCE.keys);
    let Some(key) = present.first().copied() else {
        // What was said about strangers says this too.
        if !block.has_strangers() {
            reader.say(
                Diagnostic::error(
                    block.head,
                    "the source does not say where the rows come from",
                )
                .help(format!(
                    "add one of: {}; like {}",
                    SOURCE.keys.join(", "),
                    CSV_SOURCE.example
                )),
            );
        }
        return None;
    };
    let (node, head) = block.get(key)?;
    if let Some(other) = present.get(1) {
        let second = block.get(other).map_or(head.clone(), |(_, span)| span);
        reader.say(
            Diagnostic::error(
                second,
                format!("rows come from one place: `{key}` or `{other}`"),
            )
            .label("a second source")
            .context(head.clone(), "the first one")
            .help("delete one; several files of one format are a list under `path:`, and for both, run two manifests"),
        );
    }
    match key {
        "jsonl" => files::jsonl_source(reader, node, head).map(Source::Jsonl),
        "parquet" => files::parquet_source(reader, node, head).map(Source::Parquet),
        "postgres" => postgres_source(reader, node, head).map(|s| Source::Postgres(Box::new(s))),
        _ => csv_source(reader, node, head).map(Source::Csv),
    }
}
