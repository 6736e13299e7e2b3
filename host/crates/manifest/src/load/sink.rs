//! The sink: where the rows go, and what happens to existing ones.

use std::path::PathBuf;

use glovebox_core::{SecretName, TableName};
use serde_json::{Value, json};

use super::columns::MAX_NAME_LEN;
use super::file_sinks::{CsvSink, JsonlSink, ParquetSink};
use super::postgres::{IDENTITY_KEY, PostgresSink};
use crate::block::{Block, Reader, short};
use crate::declare::{self, At, Section, Take, Words, section, words};
use crate::diagnostic::Diagnostic;
use crate::kinds::{Bool, Names, OneOf, Output, Own, choice, nested, word};
use crate::model::{Sink, SinkTarget, Spanned};
use crate::schema::Schema;

section! {
    /// Where the rows go: exactly one of `sqlite`, `postgres`, `csv`, `jsonl` and `parquet`.
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
        /// The columns to store, in order.
        columns: Option<Vec<Spanned<String>>> => optional "all that the last step leaves", Names(1);
    }
    hints {
        "postgresql" => "write `postgres:`",
        "path" => "put it under the target: sqlite: { path: sales.db, table: sales }",
        "table" => "put it under the target: sqlite: { path: sales.db, table: sales }",
        "mode" => "put it under the target: sqlite: { path: sales.db, table: sales, mode: replace }",
        "json" => "write `jsonl:`, one object a line",
    }
    rules {
        "oneOf": [
            { "required": ["sqlite"] },
            { "required": ["postgres"] },
            { "required": ["csv"] },
            { "required": ["jsonl"] },
            { "required": ["parquet"] },
        ]
    }
    settle Sink: settle;
}

section! {
    /// A table in a SQLite file.
    pub struct SqliteSink("SqliteSink"): "the SQLite sink", "sqlite: { path: sales.db, table: sales }" {
        /// The database file; created if it is missing.
        path: Spanned<PathBuf> => needed, ROWS, "path: sales.db";
        /// Its [name](#names-of-tables); not `sqlite_…`; created if it is missing.
        table: Spanned<String> => needed, TABLE, "table: sales";
        /// [What happens to existing rows](#sink).
        mode: Mode => default "append", TABLE_MODE, "mode: replace";
        /// With `upsert`: the columns that identify a row.
        keys: Vec<Spanned<String>> => empty, Names(1);
        /// With `replace`: whether a run without a good row removes the existing rows.
        replace_with_nothing: bool => default "false", Bool;
        /// With `replace` and `upsert`: whether foreign keys, triggers and rules may change other
        /// tables.
        side_effects: bool => default "refuse", SIDE_EFFECTS;
        /// The key of the [digests of inputs](#sink).
        identity_key: Option<Spanned<SecretName>> => optional "one kept in the file", IDENTITY_KEY;
    }
    hints {
        "file" => "write `path:`",
        "columns" => "`columns:` belongs next to `sqlite:`, not inside it",
    }
    check sqlite_name[table];
    check upserts[mode, keys];
    check removals[mode];
}

words! {
    /// What happens to the rows that a target already holds.
    pub enum Mode {
        /// They stay.
        Append = "append",
        /// They are removed, at the moment when the new ones appear.
        Replace = "replace",
        /// Those with the keys of a new row are updated; the others stay.
        Upsert = "upsert",
    }
}

words! {
    /// Whether replacing rows may change other tables through foreign keys that cascade, triggers
    /// and rules.
    pub(super) enum SideEffects {
        /// A table with any of these is not replaced.
        Refuse = "refuse",
        /// They happen.
        Allow = "allow",
    }
}

words! {
    /// In which order rows are stored.
    pub(super) enum Order {
        /// Whatever is fastest.
        Any = "any",
        /// The source's.
        Source = "source",
    }
}

impl Take<SideEffects> for bool {
    fn take(word: Spanned<SideEffects>) -> bool {
        word.value == SideEffects::Allow
    }
}

impl Take<Order> for bool {
    fn take(word: Spanned<Order>) -> bool {
        word.value == Order::Source
    }
}

pub(super) const SIDE_EFFECTS: OneOf<SideEffects> = word::<SideEffects>().help(
    "write side-effects: refuse, or side-effects: allow to let foreign keys, triggers and rules of the table change others",
);

/// A file of rows.
pub(super) const ROWS: Output = Output {
    what: "rows",
    note: Some("standard output is for the run's report"),
};

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
        if !block.hinted(&["postgresql", "json", "path", "table"]) {
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
    ];
    let first = read.into_iter().find(|(name, _)| *name == key);
    first.and_then(|(_, target)| target)
}

fn sqlite_name(reader: &mut Reader<'_>, block: &Block<'_>, table: Option<&String>) {
    if let Some((node, _)) = block.get("table")
        && table.is_some_and(|t| t.to_ascii_lowercase().starts_with("sqlite_"))
    {
        reader.say(
            Diagnostic::error(
                node.span.clone(),
                "SQLite reserves names that start with `sqlite_`",
            )
            .help("choose another, like table: sales"),
        );
    }
}

/// A table's name, as a manifest writes it and as it is to be written again.
fn table_name(reader: &mut Reader<'_>, table: Spanned<String>) -> Option<Spanned<TableName>> {
    let problem = match TableName::parse(&table.value) {
        Ok(name) => {
            let long = |part: &String| part.len() > MAX_NAME_LEN;
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

/// A table, or one in a schema; written again as it is to be quoted.
pub(super) const TABLE_OR_SCHEMA_TABLE: Own<String> = Own {
    read: |reader, at| {
        let table = reader.text(at.node, at.key, &at.example)?;
        let name = table_name(reader, table)?;
        Some(Spanned::new(name.value.to_string(), name.span))
    },
    words: "text",
    schema: table_schema,
};

/// A table's bare name, for SQLite, which has no schemas.
const TABLE: Own<String> =
    Own {
        read: |reader, at| {
            let table = reader.text(at.node, at.key, &at.example)?;
            let name = table_name(reader, table)?;
            if name.value.schema.is_none() {
                return Some(Spanned::new(name.value.table, name.span));
            }
            let written = name.value.to_string();
            reader.say(
            Diagnostic::error(
                name.span,
                format!("`{}` cannot be the name of a table", short(&written)),
            )
            .help("write the bare name, like table: sales; SQLite has no schemas, and a name with \
                  a dot needs double quotes: table: '\"eu.sales\"'"),
        );
            None
        },
        words: "text",
        schema: table_schema,
    };

fn table_schema(schema: &mut Schema) -> Value {
    schema.define("Table", |_| {
        json!({ "description": "A table's name.", "type": "string", "minLength": 1, "maxLength": 257 })
    })
}

/// Those modes that a target has.
pub(super) struct Modes {
    name: &'static str,
    of: &'static [Mode],
    help: &'static str,
}

pub(super) const TABLE_MODE: Modes = Modes {
    name: "TableMode",
    of: &[Mode::Append, Mode::Replace, Mode::Upsert],
    help: "write mode: append to keep the rows that are there, mode: replace to exchange them all, or mode: upsert to exchange those with the same `keys:`",
};

pub(super) const FILE_MODE: Modes = Modes {
    name: "FileMode",
    of: &[Mode::Append, Mode::Replace],
    help: "write mode: append to keep the existing rows, or mode: replace to replace them all",
};

pub(super) const PARQUET_MODE: Modes = Modes {
    name: "ParquetMode",
    of: &[Mode::Replace],
    help: "write mode: replace, or write each run's rows to a separate file: many readers treat a \
          folder of them as one table",
};

impl Modes {
    fn words(&self) -> Vec<(&'static str, Mode, &'static str)> {
        let all = Mode::ALL.iter().copied();
        all.filter(|(_, mode, _)| self.of.contains(mode)).collect()
    }
}

impl declare::Kind for Modes {
    type Value = Mode;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Mode>> {
        let text = reader.text(at.node, at.key, &at.example)?;
        let mode = Mode::ALL.iter().find(|(word, ..)| *word == text.value);
        let problem = match mode {
            Some((_, mode, _)) if self.of.contains(mode) => {
                return Some(Spanned::new(*mode, text.span));
            }
            Some((_, Mode::Upsert, _)) => "mode upsert needs a database: rows of a file cannot be \
                                          found by key"
                .to_owned(),
            Some(_) => "a Parquet file cannot be appended to".to_owned(),
            None => format!("unknown `mode`: `{}`", short(&text.value)),
        };
        reader.say(Diagnostic::error(text.span, problem).help(self.help));
        None
    }

    fn words(&self) -> String {
        let words = self.words();
        let words: Vec<String> = words.iter().map(|(w, ..)| format!("`{w}`")).collect();
        words.join(", ")
    }

    fn schema(&self, schema: &mut Schema) -> Value {
        schema.define(self.name, |_| choice(&self.words()))
    }
}

/// Complains of words by which rows may go, in modes that take none away.
pub(super) fn removals(reader: &mut Reader<'_>, block: &Block<'_>, mode: Option<&Mode>) {
    if let Some((_, span)) = block.get("replace-with-nothing")
        && mode != Some(&Mode::Replace)
    {
        reader.say(
            Diagnostic::error(span, "`replace-with-nothing` belongs to mode replace")
                .help("delete it: in the other modes a run without rows takes none away"),
        );
    }
    if let Some((_, span)) = block.get("side-effects")
        && mode == Some(&Mode::Append)
    {
        reader.say(
            Diagnostic::error(
                span,
                "`side-effects` belongs to the modes replace and upsert",
            )
            .help("delete it: mode append takes no rows away"),
        );
    }
}

/// Complains where `mode: upsert` and the columns by which it recognises a row do not go together.
pub(super) fn upserts(
    reader: &mut Reader<'_>,
    block: &Block<'_>,
    mode: Option<&Mode>,
    keys: Option<&Vec<Spanned<String>>>,
) {
    const EXAMPLE: &str = "keys: [customer_id]";
    match (block.get("keys"), mode) {
        (None, Some(Mode::Upsert)) => {
            reader.say(
                Diagnostic::error(
                    block.head.clone(),
                    "mode upsert needs keys to identify a row",
                )
                .help(format!("name the columns that identify a row: {EXAMPLE}")),
            );
        }
        (Some((node, _)), Some(Mode::Upsert)) if keys.is_none_or(Vec::is_empty) => {
            reader.say(
                Diagnostic::error(node.span.clone(), "mode upsert needs at least one key")
                    .help(format!("name the columns that identify a row: {EXAMPLE}")),
            );
        }
        (Some((_, span)), Some(Mode::Append | Mode::Replace)) => {
            reader.say(
                Diagnostic::error(span, "`keys` is only for mode upsert")
                    .help("delete it, or write mode: upsert"),
            );
        }
        _ => {}
    }
}
