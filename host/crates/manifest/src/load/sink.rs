//! Reads the sink: one target, its table or file, and the columns that go there.
//!
//! Refuses names that a database would quote, cut or keep for itself.

use std::path::PathBuf;

use glovebox_core::TableName;

use super::columns::LONGEST_NAME;
use super::files::parquet_sink;
use super::lenient::{replace_with_nothing, side_effects};
use super::optional;
use super::postgres::{identity_key, postgres};
use crate::block::{Block, Reader, Shape, short};
use crate::diagnostic::Diagnostic;
use crate::model::{CsvSink, JsonlSink, Mode, Sink, SinkTarget, Span, Spanned, SqliteSink};
use crate::yaml::{Kind, Node};

pub(crate) const SINK: Shape = Shape {
    what: "the sink",
    keys: &["sqlite", "postgres", "csv", "jsonl", "parquet", "columns"],
    hints: &[
        ("postgresql", "write `postgres:`"),
        (
            "path",
            "put it under the target: sqlite: { path: sales.db, table: sales }",
        ),
        (
            "table",
            "put it under the target: sqlite: { path: sales.db, table: sales }",
        ),
        (
            "mode",
            "put it under the target: sqlite: { path: sales.db, table: sales, mode: replace }",
        ),
        ("json", "write `jsonl:`, one object a line"),
    ],
    example: "sink: { sqlite: { path: sales.db, table: sales } }",
};

pub(crate) const SQLITE: Shape = Shape {
    what: "the SQLite sink",
    keys: &[
        "path",
        "table",
        "mode",
        "keys",
        "replace-with-nothing",
        "side-effects",
        "identity-key",
    ],
    hints: &[
        ("file", "write `path:`"),
        ("columns", "`columns:` stands beside `sqlite:`, not in it"),
    ],
    example: "sqlite: { path: sales.db, table: sales }",
};

pub(crate) const CSV_SINK: Shape = Shape {
    what: "the CSV sink",
    keys: &[
        "path",
        "mode",
        "replace-with-nothing",
        "header",
        "delimiter",
        "escape-formulas",
    ],
    hints: &[
        ("file", "write `path:`"),
        ("columns", "`columns:` stands beside `csv:`, not in it"),
        ("separator", "write `delimiter:`"),
        (
            "quote",
            "delete it: the sink quotes with `\"` where it has to",
        ),
        ("null", "delete it: null is written as an empty field"),
    ],
    example: "csv: { path: clean.csv }",
};

pub(crate) const JSONL_SINK: Shape = Shape {
    what: "the JSON lines sink",
    keys: &["path", "mode", "replace-with-nothing"],
    hints: &[
        ("file", "write `path:`"),
        ("columns", "`columns:` stands beside `jsonl:`, not in it"),
    ],
    example: "jsonl: { path: clean.jsonl }",
};

const TARGETS: &[&str] = &["sqlite", "postgres", "csv", "jsonl", "parquet"];

/// The manifest's `sink:`.
pub(super) fn sink(reader: &mut Reader<'_>, node: &Node, head: Span) -> Option<Sink> {
    let block = reader.block(node, head.clone(), &SINK)?;
    let columns = block.get("columns").and_then(|(node, span)| {
        let names = reader.names(node, "columns")?;
        if names.is_empty() {
            reader.say(
                Diagnostic::error(span, "the sink takes no column")
                    .help("name those to store, or delete `columns:` to store all of them"),
            );
        }
        Some(names)
    });
    let target = target(reader, &block);
    Some(Sink {
        target: target?,
        columns,
        span: head,
    })
}

fn target(reader: &mut Reader<'_>, block: &Block<'_>) -> Option<SinkTarget> {
    let present = block.present(TARGETS);
    let Some(key) = present.first().copied() else {
        if !block.hinted(&["postgresql", "json", "path", "table"]) {
            reader.say(
                Diagnostic::error(
                    block.head.clone(),
                    "the sink does not say where the rows go",
                )
                .help(format!(
                    "add one of: {}; like {}",
                    TARGETS.join(", "),
                    SQLITE.example
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
                format!("rows go to one place: `{key}` or `{other}`"),
            )
            .label("a second target")
            .context(head.clone(), "the first one")
            .help("delete one; to fill both, run two manifests"),
        );
    }
    match key {
        "sqlite" => sqlite(reader, node, head).map(SinkTarget::Sqlite),
        "postgres" => postgres(reader, node, head).map(|sink| SinkTarget::Postgres(Box::new(sink))),
        "csv" => csv(reader, node, head).map(SinkTarget::Csv),
        "parquet" => parquet_sink(reader, node, head).map(SinkTarget::Parquet),
        _ => jsonl(reader, node, head).map(SinkTarget::Jsonl),
    }
}

fn sqlite(reader: &mut Reader<'_>, node: &Node, head: Span) -> Option<SqliteSink> {
    let block = reader.block(node, head, &SQLITE)?;
    let path = file(reader, &block, "path: sales.db");
    let table = table(reader, &block, false);
    if let Some(table) = &table
        && table.value.to_ascii_lowercase().starts_with("sqlite_")
    {
        reader.say(
            Diagnostic::error(
                table.span.clone(),
                "SQLite keeps names that start with `sqlite_` for itself",
            )
            .help("choose another, like table: sales"),
        );
    }
    let mode = mode(reader, &block, Mode::Append);
    let keys = keys(reader, &block, mode);
    let replace_with_nothing = replace_with_nothing(reader, &block, mode);
    let side_effects = side_effects(reader, &block, mode);
    Some(SqliteSink {
        path: path?,
        table: table?,
        mode,
        keys,
        identity_key: identity_key(reader, &block),
        replace_with_nothing,
        side_effects,
    })
}

fn csv(reader: &mut Reader<'_>, node: &Node, head: Span) -> Option<CsvSink> {
    let block = reader.block(node, head, &CSV_SINK)?;
    let path = file(reader, &block, "path: clean.csv");
    let mode = mode(reader, &block, Mode::Replace);
    let replace_with_nothing = replace_with_nothing(reader, &block, mode);
    let header = optional(&block, "header", |node| reader.boolean(node, "header"));
    let delimiter = optional(&block, "delimiter", |node| {
        reader.byte(node, "delimiter", "delimiter: \";\"")
    });
    let escape = optional(&block, "escape-formulas", |node| {
        reader.boolean(node, "escape-formulas")
    });
    if delimiter == Some(b'"')
        && let Some((node, _)) = block.get("delimiter")
    {
        reader.say(
            Diagnostic::error(
                node.span.clone(),
                "`delimiter` is the sign that goes around fields",
            )
            .help("write another, like delimiter: \";\""),
        );
    }
    Some(CsvSink {
        path: path?,
        mode,
        replace_with_nothing,
        header: header.is_none_or(|h| h.value),
        delimiter: delimiter.unwrap_or(b','),
        escape_formulas: escape.is_some_and(|e| e.value),
    })
}

fn jsonl(reader: &mut Reader<'_>, node: &Node, head: Span) -> Option<JsonlSink> {
    let block = reader.block(node, head, &JSONL_SINK)?;
    let path = file(reader, &block, "path: clean.jsonl");
    let mode = mode(reader, &block, Mode::Replace);
    let replace_with_nothing = replace_with_nothing(reader, &block, mode);
    Some(JsonlSink {
        path: path?,
        mode,
        replace_with_nothing,
    })
}

/// A file to write.
pub(super) fn file(
    reader: &mut Reader<'_>,
    block: &Block<'_>,
    example: &str,
) -> Option<Spanned<PathBuf>> {
    let (node, _) = reader.need(block, "path", example)?;
    if matches!(&node.kind, Kind::Text(text) if text == "-") {
        reader.say(
            Diagnostic::error(node.span.clone(), "rows cannot go to standard output")
                .help(format!("name a file: {example}"))
                .note("standard output is where the run's report goes"),
        );
        return None;
    }
    reader.path(node, "path", example)
}

/// A table's name, as a manifest writes it and as it is to be written again.
pub(super) fn table_name(
    reader: &mut Reader<'_>,
    table: Spanned<String>,
) -> Option<Spanned<TableName>> {
    let problem = match TableName::parse(&table.value) {
        Ok(name) => {
            let long = |part: &String| part.len() > LONGEST_NAME;
            if !name.schema.iter().any(long) && !long(&name.table) {
                return Some(Spanned::new(name, table.span));
            }
            "a name has at most 63 bytes"
        }
        Err(problem) => problem,
    };
    reader.say(
        Diagnostic::error(
            table.span,
            format!("`{}` cannot be the name of a table", short(&table.value)),
        )
        .help(problem),
    );
    None
}

/// The table of a block; in SQLite, which has no schemas, its bare name.
pub(super) fn table(
    reader: &mut Reader<'_>,
    block: &Block<'_>,
    schemas: bool,
) -> Option<Spanned<String>> {
    let (node, _) = reader.need(block, "table", "table: sales")?;
    let table = reader.text(node, "table", "table: sales")?;
    let name = table_name(reader, table)?;
    if schemas {
        return Some(Spanned::new(name.value.to_string(), name.span));
    }
    if name.value.schema.is_some() {
        reader.say(
            Diagnostic::error(
                name.span,
                format!(
                    "`{}` cannot be the name of a table",
                    short(&name.value.to_string())
                ),
            )
            .help("write the bare name, like table: sales; SQLite has no schemas, and a name with a dot stands in double quotes: table: '\"eu.sales\"'"),
        );
        return None;
    }
    Some(Spanned::new(name.value.table, name.span))
}

/// What becomes of the rows that are there.
pub(super) fn mode(reader: &mut Reader<'_>, block: &Block<'_>, default: Mode) -> Mode {
    let Some((node, _)) = block.get("mode") else {
        return default;
    };
    let Some(text) = reader.text(node, "mode", "mode: replace") else {
        return default;
    };
    let upserts = block.shape.keys.contains(&"keys");
    let help = match upserts {
        true => {
            "write mode: append to keep the rows that are there, mode: replace to exchange them all, or mode: upsert to exchange those with the same `keys:`"
        }
        false => {
            "write mode: append to keep the rows that are there, or mode: replace to exchange them all"
        }
    };
    match text.value.as_str() {
        "append" => Mode::Append,
        "replace" => Mode::Replace,
        "upsert" if upserts => Mode::Upsert,
        "upsert" => {
            reader.say(
                Diagnostic::error(text.span, "rows of a file have no keys to be found by")
                    .help(help),
            );
            default
        }
        _ => {
            reader.say(
                Diagnostic::error(text.span, format!("unknown mode `{}`", short(&text.value)))
                    .help(help),
            );
            default
        }
    }
}

/// The columns by which `mode: upsert` recognises a row.
pub(super) fn keys(reader: &mut Reader<'_>, block: &Block<'_>, mode: Mode) -> Vec<Spanned<String>> {
    const EXAMPLE: &str = "keys: [customer_id]";
    match (block.get("keys"), mode) {
        (None, Mode::Upsert) => {
            reader.say(
                Diagnostic::error(
                    block.head.clone(),
                    "mode upsert has no keys by which to recognise a row",
                )
                .help(format!("name the columns that identify one: {EXAMPLE}")),
            );
            Vec::new()
        }
        (None, _) => Vec::new(),
        (Some((node, _)), Mode::Upsert) => {
            let names = reader.names(node, "keys").unwrap_or_default();
            if names.is_empty() {
                reader.say(
                    Diagnostic::error(node.span.clone(), "mode upsert needs at least one key")
                        .help(format!("name the columns that identify a row: {EXAMPLE}")),
                );
            }
            names
        }
        (Some((_, span)), _) => {
            reader.say(
                Diagnostic::error(span, "`keys` belongs to mode upsert")
                    .help("delete it, or write mode: upsert"),
            );
            Vec::new()
        }
    }
}
