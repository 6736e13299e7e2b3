//! The sink: which target the rows go to.

use super::delta::DeltaSink;
use super::file_sinks::{CsvSink, JsonlSink, ParquetSink};
use super::postgres::PostgresSink;
use super::sqlite::SqliteSink;
use crate::block::{Block, Reader};
use crate::declare::{Section, section};
use crate::diagnostic::Diagnostic;
use crate::kinds::{Names, nested};
use crate::model::sink::{Sink, SinkTarget};
use crate::span::Spanned;

section! {
    /// Where the rows go: exactly one of `sqlite`, `postgres`, `csv`, `jsonl`, `parquet` and `delta`.
    pub(crate) struct SinkKeys("Sink"): "the sink", "sink: { sqlite: { path: sales.db, table: sales } }" {
        /// [A table in a SQLite file](#sqlite).
        sqlite: Option<SqliteSink> => optional, nested::<SqliteSink>();
        /// [A table in a PostgreSQL database](#postgres), over verified TLS.
        postgres: Option<PostgresSink> => optional, nested::<PostgresSink>();
        /// [A CSV file](#csv).
        csv: Option<CsvSink> => optional, nested::<CsvSink>();
        /// [A file with one JSON object per line](#jsonl).
        jsonl: Option<JsonlSink> => optional, nested::<JsonlSink>();
        /// [A Parquet file](#parquet).
        parquet: Option<ParquetSink> => optional, nested::<ParquetSink>();
        /// [A Delta table](#delta).
        delta: Option<DeltaSink> => optional, nested::<DeltaSink>();
        /// The columns to store, in order.
        columns: Option<Vec<Spanned<String>>> => optional "all that the last step leaves", Names(1);
    }
    hints {
        "postgresql" => "write `postgres:`",
        "path" => "put it under the target: sqlite: { path: sales.db, table: sales }",
        "table" => "put it under the target: sqlite: { path: sales.db, table: sales }",
        "mode" => "put it under the target: sqlite: { path: sales.db, table: sales, mode: replace }",
        "json" => "write `jsonl:`, one object a line",
        "deltalake" => "write `delta:`",
    }
    rules {
        "oneOf": [
            { "required": ["sqlite"] },
            { "required": ["postgres"] },
            { "required": ["csv"] },
            { "required": ["jsonl"] },
            { "required": ["parquet"] },
            { "required": ["delta"] },
        ]
    }
    settle Sink: settle;
}

fn settle(keys: SinkKeys, reader: &mut Reader<'_>, block: &Block<'_>) -> Option<Sink> {
    if keys.columns.as_ref().is_some_and(Vec::is_empty)
        && let Some((_, span)) = block.get("columns")
    {
        reader.say(
            Diagnostic::error(span, "the sink takes no column")
                .help("name those to store, or delete `columns:` to store all of them"),
        );
    }
    let columns = keys.columns.clone();
    Some(Sink {
        target: target(keys, reader, block)?,
        columns,
        span: block.head.clone(),
    })
}

/// The one that was written first; another one is one too many.
fn target(keys: SinkKeys, reader: &mut Reader<'_>, block: &Block<'_>) -> Option<SinkTarget> {
    let mut targets: Vec<&'static str> = SinkKeys::fields().iter().map(|f| f.key).collect();
    targets.retain(|key| *key != "columns");
    let present = block.present(&targets);
    let Some(key) = present.first().copied() else {
        if !block.hinted(&["postgresql", "json", "deltalake", "path", "table"]) {
            reader.say(
                Diagnostic::error(block.head.clone(), "the sink has no target").help(format!(
                    "add one of: {}; like {}",
                    targets.join(", "),
                    SqliteSink::EXAMPLE
                )),
            );
        }
        return None;
    };
    if let Some(other) = present.get(1) {
        let place = |key| block.get(key).map_or(0..0, |(_, span)| span);
        reader.say(
            Diagnostic::error(
                place(other),
                format!("there can be only one sink: `{key}` or `{other}`"),
            )
            .label("a second target")
            .context(place(key), "the first one")
            .help("delete one; to fill both, run two manifests"),
        );
    }
    let SinkKeys {
        sqlite,
        postgres,
        csv,
        jsonl,
        parquet,
        delta,
        columns: _,
    } = keys;
    let read = [
        ("sqlite", sqlite.map(SinkTarget::Sqlite)),
        (
            "postgres",
            postgres.map(|s| SinkTarget::Postgres(Box::new(s))),
        ),
        ("csv", csv.map(SinkTarget::Csv)),
        ("jsonl", jsonl.map(SinkTarget::Jsonl)),
        ("parquet", parquet.map(SinkTarget::Parquet)),
        ("delta", delta.map(SinkTarget::Delta)),
    ];
    let first = read.into_iter().find(|(name, _)| *name == key);
    first.and_then(|(_, target)| target)
}
