//! What the server's catalogue says of a table, its columns and their types.

use glovebox_core::{SourceError, TableName};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row};

use super::Options;
use super::refusal::refused;
use super::types::{Found, Kind, Kinds};
use crate::database::quote;
use crate::postgres::qualified::qualified;

/// A table's size as the server last counted it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) bytes: u64,
    pub(super) rows: Option<u64>,
}

/// An existing table or view.
pub(super) struct Table {
    pub(super) oid: i64,
    /// Its quoted name, with its schema.
    pub(super) quoted: String,
    schema: String,
    usage: bool,
    select: bool,
    /// Whether it can be read by ranges of its blocks.
    pub(super) in_blocks: bool,
    pub(super) blocks: u64,
    pub(super) block_bytes: u64,
    rows: Option<u64>,
}

impl Table {
    pub(super) fn permits(&self, options: &Options) -> Result<(), SourceError> {
        let role = quote(&options.login.user);
        let grant = if !self.usage {
            format!("USAGE ON SCHEMA {}", quote(&self.schema))
        } else if !self.select {
            format!("SELECT ON {}", self.quoted)
        } else {
            return Ok(());
        };
        Err(SourceError::Shape {
            place: options.place(),
            problem: format!("the role may not read it; run: GRANT {grant} TO {role}"),
        })
    }
}

/// The table of that name, as search_path leads to it.
pub(super) async fn find(
    connection: &mut PgConnection,
    options: &Options,
    name: &str,
) -> Result<Table, SourceError> {
    let place = options.place();
    let name = TableName::parse(name).map_err(|problem| SourceError::Shape {
        place: place.clone(),
        problem: problem.into(),
    })?;
    // Ranges of blocks are scanned as such from version 14 on; before, each would read all. No grant
    // on columns includes `ctid`, by which they are cut.
    let found = sqlx::query(
        "SELECT c.oid::int8, n.nspname::text, c.relname::text, \
         pg_catalog.has_schema_privilege(n.oid, 'USAGE'), \
         pg_catalog.has_any_column_privilege(c.oid, 'SELECT'), \
         c.relkind IN ('r', 'm') AND NOT c.relhassubclass AND m.amname = 'heap' \
         AND pg_catalog.current_setting('server_version_num')::int >= 140000 \
         AND pg_catalog.has_table_privilege(c.oid, 'SELECT'), \
         CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_relation_size(c.oid) END, \
         pg_catalog.current_setting('block_size')::int8, c.reltuples::float8 \
         FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam \
         LEFT JOIN pg_catalog.unnest(pg_catalog.current_schemas(false)) \
         WITH ORDINALITY path (schema, place) ON path.schema = n.nspname \
         WHERE c.relname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
         AND CASE WHEN $2::text IS NULL THEN path.place IS NOT NULL ELSE n.nspname = $2 END \
         ORDER BY path.place LIMIT 1",
    )
    .bind(&name.table)
    .bind(&name.schema)
    .fetch_optional(connection)
    .await
    .and_then(|row| row.map(|row| found(&row)).transpose())
    .map_err(|e| refused(e, &place))?;
    found.ok_or_else(|| SourceError::Shape {
        place,
        problem: match name.schema {
            Some(_) => {
                "there is no such table or view; names must match exactly, including case".into()
            }
            None => "there is no such table or view on the role's search_path; give its schema, \
                    too; names must match exactly, including case"
                .into(),
        },
    })
}

fn found(row: &PgRow) -> sqlx::Result<Table> {
    let schema: String = row.try_get(1)?;
    let table: String = row.try_get(2)?;
    let in_blocks: Option<bool> = row.try_get(5)?;
    let bytes: Option<i64> = row.try_get(6)?;
    let block: i64 = row.try_get(7)?;
    let block_bytes = u64::try_from(block).unwrap_or(0).max(1);
    let bytes = bytes.and_then(|b| u64::try_from(b).ok()).unwrap_or(0);
    let rows: f64 = row.try_get(8)?;
    Ok(Table {
        oid: row.try_get(0)?,
        quoted: format!("{}.{}", quote(&schema), quote(&table)),
        schema,
        usage: row.try_get(3)?,
        select: row.try_get(4)?,
        in_blocks: in_blocks.unwrap_or(false),
        blocks: bytes / block_bytes,
        block_bytes,
        // Below 0 nobody has counted yet.
        rows: (rows >= 0.0).then_some(rows as u64),
    })
}

/// How large a table is, about.
pub(super) async fn size(
    connection: &mut PgConnection,
    name: &str,
    options: &Options,
) -> Result<Option<Size>, SourceError> {
    let table = find(connection, options, name).await?;
    Ok(table.in_blocks.then_some(Size {
        bytes: table.blocks * table.block_bytes,
        rows: table.rows,
    }))
}

/// A table's columns in their order, and whether the role may read each.
pub(super) async fn columns(
    connection: &mut PgConnection,
    options: &Options,
    table: &Table,
) -> Result<Vec<(Found, bool)>, SourceError> {
    let sql = format!(
        "SELECT a.attname::text, a.atttypid::int8, {}, \
         pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT') \
         FROM pg_catalog.pg_attribute a \
         WHERE a.attrelid = $1::int8::oid AND a.attnum > 0 AND NOT a.attisdropped \
         ORDER BY a.attnum",
        qualified("a.atttypid", "a.atttypmod")
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(table.oid)
        .fetch_all(connection)
        .await
        .and_then(|rows| rows.iter().map(column).collect())
        .map_err(|e| refused(e, &options.place()))
}

fn column(row: &PgRow) -> sqlx::Result<(Found, bool)> {
    let oid: i64 = row.try_get(1)?;
    let found = Found {
        name: row.try_get(0)?,
        oid: u32::try_from(oid).unwrap_or(0),
        sql: row.try_get(2)?,
    };
    Ok((found, row.try_get(3)?))
}

/// The types of these oids and those that they are made of.
pub(super) async fn kinds(
    connection: &mut PgConnection,
    options: &Options,
    oids: &[u32],
) -> Result<Kinds, SourceError> {
    let sql = format!(
        "SELECT t.oid::int8, t.typtype::text, \
         CASE WHEN t.typcategory = 'A' AND t.typlen = -1 THEN t.typelem::int8 ELSE 0 END, \
         t.typbasetype::int8, COALESCE(r.rngsubtype::int8, 0), \
         ARRAY(SELECT a.atttypid::int8 FROM pg_catalog.pg_attribute a \
               WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 \
               AND NOT a.attisdropped), \
         t.typsend::oid <> 0::oid, {}, \
         CASE WHEN t.typtype = 'd' THEN {} END, CASE WHEN t.typtype = 'd' THEN {} END \
         FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid \
         WHERE t.oid::int8 = ANY ($1)",
        // Not NULL: `character` without a length would be one of length 1.
        qualified("t.oid", "-1"),
        qualified("t.typbasetype", "t.typtypmod"),
        qualified("t.typbasetype", "-1"),
    );
    let place = options.place();
    let mut kinds = Kinds::default();
    loop {
        let missing: Vec<i64> = kinds.missing(oids).into_iter().map(i64::from).collect();
        if missing.is_empty() {
            return Ok(kinds);
        }
        let rows = sqlx::query(AssertSqlSafe(sql.as_str()))
            .bind(&missing)
            .fetch_all(&mut *connection)
            .await
            .map_err(|e| refused(e, &place))?;
        if rows.is_empty() {
            return Ok(kinds);
        }
        for row in rows {
            let (oid, kind) = kind(&row).map_err(|e| refused(e, &place))?;
            kinds.0.insert(oid, kind);
        }
    }
}

fn kind(row: &PgRow) -> sqlx::Result<(u32, Kind)> {
    let number = |i: usize| -> sqlx::Result<u32> {
        let oid: i64 = row.try_get(i)?;
        Ok(u32::try_from(oid).unwrap_or(0))
    };
    let letter: String = row.try_get(1)?;
    let attributes: Vec<i64> = row.try_get(5)?;
    let with: Option<String> = row.try_get(8)?;
    let without: Option<String> = row.try_get(9)?;
    let kind = Kind {
        kind: letter.chars().next().unwrap_or('?'),
        element: number(2)?,
        base: number(3)?,
        range_of: number(4)?,
        attributes: attributes
            .into_iter()
            .map(|oid| u32::try_from(oid).unwrap_or(0))
            .collect(),
        sends: row.try_get(6)?,
        sql: row.try_get(7)?,
        base_sql: with.zip(without).map(|(with, without)| [with, without]),
    };
    Ok((number(0)?, kind))
}
