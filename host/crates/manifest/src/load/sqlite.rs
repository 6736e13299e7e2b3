//! The SQLite sink.

use std::path::PathBuf;

use glovebox_core::SecretName;

use super::file_sinks::ROWS;
use super::mode::{Mode, SIDE_EFFECTS, TABLE_MODE, removals, upserts};
use super::postgres::IDENTITY_KEY;
use super::table_name::TABLE;
use crate::block::{Block, Reader};
use crate::declare::section;
use crate::diagnostic::Diagnostic;
use crate::kinds::{Bool, Names};
use crate::span::Spanned;

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
