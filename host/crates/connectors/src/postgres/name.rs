//! The table's name, and the schema that it resolves to.

use glovebox_core::{SinkError, TableName};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::Options;
use super::refusal::{Fault, fault};
use super::table::find;
use crate::database::{misfit, quote};

/// The longest name that PostgreSQL does not cut, in bytes.
pub(super) const MAX_NAME_LEN: usize = 63;

/// A table's name, with its schema where one was given.
pub(super) struct Name(TableName);

impl Name {
    pub(super) fn parse(options: &Options) -> Result<Self, SinkError> {
        let refuse = |problem: String| Err(misfit(options.place(), &[problem]));
        let name = match TableName::parse(&options.table) {
            Ok(name) => name,
            Err(problem) => return refuse(problem.into()),
        };
        if name.schema.as_deref() == Some(&options.journal) {
            let problem = "that schema holds the journal of runs; use a table in another schema";
            return refuse(problem.into());
        }
        let long = |part: &String| part.len() > MAX_NAME_LEN;
        if name.schema.iter().any(long) || long(&name.table) {
            return refuse(format!(
                "a name has at most {MAX_NAME_LEN} bytes in PostgreSQL"
            ));
        }
        Ok(Name(name))
    }

    pub(super) fn schema(&self) -> Option<&str> {
        self.0.schema.as_deref()
    }

    pub(super) fn table(&self) -> &str {
        &self.0.table
    }

    /// As it was written, as SQL has it.
    pub(super) fn quoted(&self) -> String {
        match self.schema() {
            Some(schema) => self.within(schema),
            None => quote(self.table()),
        }
    }

    /// Quoted, with the schema that it is in.
    pub(super) fn within(&self, schema: &str) -> String {
        format!("{}.{}", quote(schema), quote(self.table()))
    }
}

/// Where a name without a schema leads to: the schemas of search_path without that of the journal,
/// which would come first for a role of the same name.
pub(super) const PATH: &str = "SELECT schema, place \
     FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) \
     WITH ORDINALITY path (schema, place) WHERE schema <> $2";

/// The schema that a table is in, or would be created in; none if search_path leads nowhere.
pub(super) async fn resolve_schema(
    connection: &mut PgConnection,
    name: &Name,
    options: &Options,
) -> Result<Option<String>, Fault> {
    if let Some(schema) = name.schema() {
        return Ok(Some(schema.to_owned()));
    }
    if let Some(found) = find(connection, name, options).await? {
        return Ok(Some(found.schema));
    }
    sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT schema::text FROM ({PATH}) path WHERE $1 IS NOT NULL ORDER BY place LIMIT 1"
    )))
    .bind(name.table())
    .bind(&options.journal)
    .fetch_optional(connection)
    .await
    .map_err(|e| fault(e, &options.place()))
}
