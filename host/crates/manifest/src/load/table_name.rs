//! The names of tables: which are accepted, and how they are written again.

use glovebox_core::TableName;
use serde_json::{Value, json};

use super::columns::MAX_NAME_LEN;
use crate::block::{Reader, short};
use crate::declare::Schema;
use crate::diagnostic::Diagnostic;
use crate::kinds::Own;
use crate::span::Spanned;

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
pub(super) const TABLE: Own<String> =
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
