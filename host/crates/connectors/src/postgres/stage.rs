//! The staging table into which rows of `replace` and `upsert` are loaded.

use sqlx::postgres::PgConnection;

use super::Options;
use super::copy::Column;
use super::refusal::{Fault, fault};
use super::session::statement;
use crate::database::quote;

/// A staging table.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    /// Its quoted name, with its schema.
    pub(super) table: String,
    /// The columns that say where a row stood, where that is needed: for an upsert, of whose rows
    /// with one key the last one counts, and where the target may refuse rows when they are moved.
    pub(super) marks: Option<Marks>,
    /// Whether it is like the target, to take its place.
    pub(super) is_twin: bool,
}

/// The quoted names of columns that say where a row stood in the source.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    /// Its number.
    pub(super) row: String,
    /// Its line, if it has one.
    pub(super) line: String,
    /// Its file, where there are several.
    pub(super) file: String,
}

impl Marks {
    /// Names that no column of the run bears.
    pub(super) fn beside(columns: &[Column]) -> Self {
        let unused = |name: &str| {
            let mut name = name.to_owned();
            while columns.iter().any(|column| *column.name == *name) {
                name.push('_');
            }
            quote(&name)
        };
        Marks {
            row: unused("glovebox_row"),
            line: unused("glovebox_line"),
            file: unused("glovebox_file"),
        }
    }

    /// As they stand behind the run's own columns.
    pub(super) fn list(&self) -> [&str; 3] {
        [&self.row, &self.line, &self.file]
    }
}

impl Stage {
    /// That of a run, as it was made; none if it is not there.
    pub(super) async fn find(
        connection: &mut PgConnection,
        table: String,
        columns: &[Column],
        options: &Options,
    ) -> Result<Option<Self>, Fault> {
        let marks = Marks::beside(columns);
        let numbered = numbered(connection, &table, &marks, options).await?;
        Ok(numbered.map(|numbered| Stage {
            table,
            marks: numbered.then_some(marks),
            // It is for the process that ends the run to know.
            is_twin: false,
        }))
    }

    /// Makes it, unless an earlier process of the run did. It is logged: what the journal calls stored
    /// has to survive a crash of the server.
    pub(super) async fn ready(
        &mut self,
        connection: &mut PgConnection,
        columns: &[Column],
        options: &Options,
    ) -> Result<(), Fault> {
        let place = options.place();
        let parts: Vec<String> = columns
            .iter()
            .map(|column| format!("{} {}", quote(&column.name), column.sql_type))
            .collect();
        let marks = self.marks.clone().unwrap_or_else(|| Marks::beside(columns));
        let Marks { row, line, file } = &marks;
        let numbered = numbered(connection, &self.table, &marks, options).await?;
        let sql = match (numbered, &self.marks) {
            (None, None) => format!("CREATE TABLE {} ({})", self.table, parts.join(", ")),
            (None, Some(_)) => format!(
                "CREATE TABLE {} ({}, {row} bigint, {line} bigint, {file} text)",
                self.table,
                parts.join(", ")
            ),
            // Rows of an earlier process do not say where they stood.
            (Some(false), _) => {
                self.marks = None;
                return Ok(());
            }
            (Some(true), _) => {
                self.marks = Some(marks.clone());
                format!(
                    "ALTER TABLE {0} ADD COLUMN IF NOT EXISTS {line} bigint, \
                     ADD COLUMN IF NOT EXISTS {file} text",
                    self.table
                )
            }
        };
        statement(connection, &sql, &place).await
    }
}

/// Whether the rows of a staging table say where they stood; none if it is not there.
async fn numbered(
    connection: &mut PgConnection,
    table: &str,
    marks: &Marks,
    options: &Options,
) -> Result<Option<bool>, Fault> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid \
         AND pg_catalog.quote_ident(a.attname) = pg_catalog.quote_ident($2) \
         AND NOT a.attisdropped) \
         FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1)",
    )
    .bind(table)
    .bind(marks.row.trim_matches('"'))
    .fetch_optional(connection)
    .await
    .map_err(|e| fault(e, &options.place()))
}

/// Whether a table may refuse rows that the types of its columns take.
pub(super) async fn may_refuse(
    connection: &mut PgConnection,
    oid: i64,
    options: &Options,
) -> Result<bool, Fault> {
    sqlx::query_scalar(
        "SELECT c.relkind = 'p' OR c.relispartition \
         OR EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid \
                    AND k.contype IN ('c', 'f', 'p', 't', 'u', 'x')) \
         OR EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid \
                    AND (i.indisunique OR i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)) \
         OR EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid \
                    AND NOT g.tgisinternal) \
         OR EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid \
                    AND a.attnum > 0 AND a.attgenerated <> '') \
         FROM pg_catalog.pg_class c WHERE c.oid = $1::int8::oid",
    )
    .bind(oid)
    .fetch_one(connection)
    .await
    .map_err(|e| fault(e, &options.place()))
}
