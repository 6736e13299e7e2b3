//! The `tables:` of a query over all rows: other sources that it joins.

use crate::block::{Block, Reader};
use crate::declare::{At, Kind, Schema, Value, section};
use crate::diagnostic::Diagnostic;
use crate::formats::settle as formats_of;
use crate::kinds::{MapOf, Named, nested};
use crate::load::columns::COLUMNS;
use crate::load::source::{Source, SourceKeys};
use crate::model::column::Column;
use crate::model::query::Table;
use crate::span::Spanned;

/// The name of the rows that reach the step.
const ROWS: &str = "rows";

section! {
    /// Another table that a query over all rows reads.
    pub(crate) struct TableKeys("JoinedTable"): "a table",
        "tables: { shops: { source: { csv: { path: shops.csv } }, columns: { shop: { type: text } } } }"
    {
        /// [Where its rows come from](#source); it is read as often as the query needs.
        source: Option<Source> => asked, nested::<SourceKeys>();
        /// [Its columns](#columns); a row that does not fit them ends the run.
        columns: Option<Vec<Column>> => asked, COLUMNS, "columns: { shop: { type: text }, region: { type: text } }";
    }
    hints {
        "csv" => "put it under `source:`",
        "postgres" => "put it under `source:`",
        "path" => "write `source: { csv: { path: … } }`",
    }
    settle Table: table;
}

fn table(keys: TableKeys, reader: &mut Reader<'_>, block: &Block<'_>) -> Option<Table> {
    let (mut source, columns) = (keys.source?, keys.columns?);
    formats_of(&mut source, &columns, &mut |problem| reader.say(problem));
    if source.reads_stdin() {
        let place = block
            .get("source")
            .map_or(block.head.clone(), |(_, span)| span);
        reader.say(
            Diagnostic::error(
                place,
                "a table cannot be standard input, which is read once",
            )
            .help("save the rows to a file, and name it"),
        );
        return None;
    }
    Some(Table { source, columns })
}

/// Tables by their names.
pub(super) struct Tables;

impl Kind for Tables {
    type Value = Named<Table>;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Self::Value>> {
        let tables = MapOf(nested::<TableKeys>()).read(reader, at)?;
        for (name, _) in &tables.value {
            let mut letters = name.value.chars();
            let plain = letters.next().is_some_and(|c| c.is_ascii_lowercase())
                && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                && name.value.len() <= 64;
            if !plain || name.value == ROWS {
                reader.say(
                    Diagnostic::error(name.span.clone(), "this cannot be the name of a table")
                        .help("use small letters, digits and `_`, beginning with a letter; `rows` are the rows that reach the step"),
                );
            }
        }
        Some(tables)
    }

    fn words(&self) -> String {
        "block of names, each with `source` and `columns`".to_owned()
    }

    fn schema(&self, schema: &mut Schema) -> Value {
        MapOf(nested::<TableKeys>()).schema(schema)
    }

    fn example(&self, _: &str) -> String {
        "tables: { shops: { source: { csv: { path: shops.csv } }, columns: { shop: { type: text } } } }".to_owned()
    }
}
