//! An existing table: the one that a name leads to, and whether the role may write it.

use glovebox_core::SinkError;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row};

use super::name::Name;
use super::refusal::{Fault, fault};
use super::{Mode, Options};
use crate::database::{misfit, quote};

/// Where a name without a schema leads to: the schemas of search_path without that of the journal,
/// which would come first for a role of the same name.
const PATH: &str = "SELECT schema, place \
     FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) \
     WITH ORDINALITY path (schema, place) WHERE schema <> $2";

/// An existing table.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) oid: i64,
    pub(super) schema: String,
    usage: bool,
    kind: String,
    insert: bool,
    delete: bool,
    update: bool,
    select: bool,
    row_security: bool,
}

impl Found {
    /// What has nothing to do with columns: it is a table, and the role may write it.
    pub(super) fn permits(&self, options: &Options) -> Result<(), SinkError> {
        let mut differences = Vec::new();
        if !matches!(self.kind.as_str(), "r" | "p") || self.schema == "pg_catalog" {
            differences.push(
                "it is not an ordinary table but, for example, a view; use a \
                             table"
                    .into(),
            );
        }
        let role = quote(&options.login.user);
        if !self.usage {
            differences.push(format!(
                "the role may not use its schema; run: GRANT USAGE ON SCHEMA {} TO {role}",
                quote(&self.schema)
            ));
        }
        let mut lacking = Vec::new();
        if !self.insert {
            lacking.push("INSERT");
        }
        if !self.delete && options.mode == Mode::Replace {
            lacking.push("DELETE");
        }
        if options.mode == Mode::Upsert {
            // What ON CONFLICT DO UPDATE asks for.
            lacking.extend((!self.update).then_some("UPDATE"));
            lacking.extend((!self.select).then_some("SELECT"));
        }
        if !lacking.is_empty() {
            differences.push(format!(
                "the role lacks privileges; run: GRANT {} ON {} TO {role}",
                lacking.join(", "),
                self.name
            ));
        }
        if self.row_security {
            differences.push(format!(
                "row-level security applies to the role, but COPY does not support it; use the \
                table's owner, or run: ALTER ROLE {role} BYPASSRLS"
            ));
        }
        if differences.is_empty() {
            Ok(())
        } else {
            Err(misfit(options.place(), &differences))
        }
    }
}

/// The table, if there is one of that name.
pub(super) async fn find(
    connection: &mut PgConnection,
    name: &Name,
    options: &Options,
) -> Result<Option<Found>, Fault> {
    let found = sqlx::query(AssertSqlSafe(format!(
        "SELECT c.oid::int8, n.nspname::text, c.relkind::text, \
         pg_catalog.has_table_privilege(c.oid, 'INSERT'), \
         pg_catalog.has_table_privilege(c.oid, 'DELETE'), \
         pg_catalog.has_table_privilege(c.oid, 'UPDATE'), \
         pg_catalog.has_table_privilege(c.oid, 'SELECT'), \
         pg_catalog.row_security_active(c.oid), \
         pg_catalog.has_schema_privilege(n.oid, 'USAGE') \
         FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN ({PATH}) path ON path.schema = n.nspname \
         WHERE c.relname = $1 AND CASE WHEN $3::text IS NULL THEN path.place IS NOT NULL \
         ELSE n.nspname = $3 END ORDER BY path.place LIMIT 1"
    )))
    .bind(name.table())
    .bind(&options.journal)
    .bind(name.schema())
    .fetch_optional(connection)
    .await
    .and_then(|row| row.map(|row| found(name.quoted(), row)).transpose());
    found.map_err(|e| fault(e, &options.place()))
}

/// As [`find`]; where there is none, other runs wait with creating it until this transaction ends.
pub(super) async fn find_or_claim(
    connection: &mut PgConnection,
    name: &Name,
    options: &Options,
) -> Result<Option<Found>, Fault> {
    if let Some(found) = find(connection, name, options).await? {
        return Ok(Some(found));
    }
    let target_schema = resolve_schema(connection, name, options)
        .await?
        .unwrap_or_default();
    let lock = "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1, 1))";
    sqlx::query(lock)
        .bind(name.within(&target_schema))
        .execute(&mut *connection)
        .await
        .map_err(|e| fault(e, &options.place()))?;
    // Whoever had it may have created the table.
    find(connection, name, options).await
}

fn found(name: String, row: PgRow) -> sqlx::Result<Found> {
    Ok(Found {
        name,
        oid: row.try_get(0)?,
        schema: row.try_get(1)?,
        kind: row.try_get(2)?,
        insert: row.try_get(3)?,
        delete: row.try_get(4)?,
        update: row.try_get(5)?,
        select: row.try_get(6)?,
        row_security: row.try_get(7)?,
        usage: row.try_get(8)?,
    })
}

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
