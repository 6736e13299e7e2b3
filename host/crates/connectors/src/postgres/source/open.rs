//! How reading begins: a snapshot, the columns compared with the declared ones, and the statement.

use glovebox_core::{Schema, SourceError, TableName};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Column, Executor, Row, SqlSafeStr};

use super::refusal::{refused, refused_query};
use super::types::{Found, Kind, Kinds, Layout};
use super::{Options, Rows};
use crate::database::quote;
use crate::names::{Place, nearest, told};
use crate::postgres::output::written;
use crate::postgres::qualified::qualified;

/// What a query is prepared behind; a parenthesis and a line break follow.
const BEFORE_QUERY: &str = "SELECT 1 FROM ";

/// A source that is open, in a transaction that sees one snapshot.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    pub(super) layout: Layout,
    pub(super) reading: Reading,
    /// The snapshot's name for other sessions, where they are to see it.
    pub(super) snapshot: Option<String>,
    select: String,
    from: String,
}

/// In which pieces it is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reading {
    /// As one stream.
    Stream,
    /// By ranges of a table's blocks.
    Blocks { blocks: u64, block_bytes: u64 },
}

impl Opened {
    /// The statement that sends the rows, or those of them that `range` leaves.
    pub(super) fn copy(&self, range: &str) -> String {
        let Opened { select, from, .. } = self;
        format!("COPY (SELECT {select} FROM {from}{range}) TO STDOUT (FORMAT binary)")
    }
}

/// A table's size as the server last counted it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) bytes: u64,
    pub(super) rows: Option<u64>,
}

/// Begins the transaction, in the snapshot of another one where it is named.
///
/// All settings hold until its end and no longer, so they are right behind a pooler too. Text that
/// the server writes is a function of the row; notices, which may quote cells, are not sent; rows
/// come in the order of their blocks; and nobody is thrown out for being slow.
pub(super) async fn begin(
    connection: &mut PgConnection,
    options: &Options,
    snapshot: Option<&str>,
) -> Result<(), SourceError> {
    let wait = options.login.connect_timeout.as_millis();
    let wait = wait.clamp(1, i32::MAX as u128);
    let shared = match snapshot {
        Some(name) => format!("SET TRANSACTION SNAPSHOT '{}'; ", name.replace('\'', "''")),
        None => String::new(),
    };
    let parallel = match options.rows {
        // Workers would send rows in any order.
        Rows::Table(_) => "SET LOCAL max_parallel_workers_per_gather = 0; ",
        Rows::Query(_) => "",
    };
    let sql = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {shared}{parallel}\
         SET LOCAL client_min_messages = error; \
         SET LOCAL lock_timeout = {wait}; \
         SET LOCAL statement_timeout = 0; \
         SET LOCAL idle_in_transaction_session_timeout = 0; \
         SET LOCAL synchronize_seqscans = off; \
         SET LOCAL \"TimeZone\" = 'UTC'; \
         SET LOCAL \"DateStyle\" = 'ISO, YMD'; \
         SET LOCAL \"IntervalStyle\" = 'postgres'; \
         SET LOCAL extra_float_digits = 3; \
         SET LOCAL bytea_output = 'hex'; \
         SELECT pg_catalog.set_config(name, '0', true) FROM pg_catalog.pg_settings \
         WHERE name = 'transaction_timeout'"
    );
    let begun = sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await;
    begun.map(drop).map_err(|e| refused(e, &options.place()))
}

/// Opens the table or query.
pub(super) async fn open(
    connection: &mut PgConnection,
    options: &Options,
    schema: &Schema,
) -> Result<Opened, SourceError> {
    begin(connection, options, None).await?;
    match &options.rows {
        Rows::Table(table) => open_table(connection, options, schema, table).await,
        Rows::Query(query) => open_query(connection, options, schema, query).await,
    }
}

async fn open_table(
    connection: &mut PgConnection,
    options: &Options,
    schema: &Schema,
    name: &str,
) -> Result<Opened, SourceError> {
    let place = options.place();
    let refuse = |e| refused(e, &place);
    let table = find(connection, options, name).await?;
    table.permits(options)?;
    let columns = format!(
        "SELECT a.attname::text, a.atttypid::int8, {}, \
         pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT') \
         FROM pg_catalog.pg_attribute a \
         WHERE a.attrelid = $1::int8::oid AND a.attnum > 0 AND NOT a.attisdropped \
         ORDER BY a.attnum",
        qualified("a.atttypid", "a.atttypmod")
    );
    let rows = sqlx::query(AssertSqlSafe(columns))
        .bind(table.oid)
        .fetch_all(&mut *connection)
        .await
        .map_err(refuse)?;
    let mut found = Vec::with_capacity(rows.len());
    let mut closed = Vec::new();
    for row in rows {
        let (column, readable) = column(&row).map_err(refuse)?;
        if !readable && schema.position(&column.name).is_some() {
            closed.push(quote(&column.name));
        }
        found.push(column);
    }
    if !closed.is_empty() {
        let problem = format!(
            "the role may not read columns of it; run: GRANT SELECT ({}) ON {} TO {}",
            closed.join(", "),
            table.quoted,
            quote(&options.login.user)
        );
        return Err(SourceError::Shape { place, problem });
    }
    let (layout, select) = layout(connection, options, schema, &found).await?;
    // Keeps the columns as they are until the end: nobody can alter a table that is being read.
    let held = format!("SELECT FROM {} LIMIT 0", table.quoted);
    let held = sqlx::raw_sql(AssertSqlSafe(held)).execute(&mut *connection);
    held.await.map_err(refuse)?;
    if !table.in_blocks {
        return Ok(Opened {
            layout,
            reading: Reading::Stream,
            snapshot: None,
            select,
            from: table.quoted,
        });
    }
    let snapshot = match table.blocks > options.range_blocks {
        true => sqlx::query_scalar("SELECT pg_catalog.pg_export_snapshot()")
            .fetch_one(connection)
            .await
            .map(Some)
            .map_err(refuse)?,
        false => None,
    };
    Ok(Opened {
        layout,
        reading: Reading::Blocks {
            blocks: table.blocks,
            block_bytes: table.block_bytes,
        },
        snapshot,
        select,
        from: format!("ONLY {}", table.quoted),
    })
}

async fn open_query(
    connection: &mut PgConnection,
    options: &Options,
    schema: &Schema,
    query: &str,
) -> Result<Opened, SourceError> {
    let place = options.place();
    // A comment at its end ends with its line.
    let from = format!("(\n{query}\n) AS glovebox");
    // Prepared, of several statements or half a one nothing is run.
    connection
        .prepare(AssertSqlSafe(format!("{BEFORE_QUERY}{from}")).into_sql_str())
        .await
        .map_err(|e| refused_query(e, &place, BEFORE_QUERY.len() + 2))?;
    // One row of nulls, for which the query is not run. Asked like this the driver does not look
    // types up, of which it knows fewer than the server.
    let nulls = format!("SELECT glovebox.* FROM (VALUES (1)) AS one LEFT JOIN {from} ON false");
    let row = sqlx::raw_sql(AssertSqlSafe(nulls))
        .fetch_one(&mut *connection)
        .await
        .map_err(|e| refused(e, &place))?;
    let mut found: Vec<Found> = Vec::with_capacity(row.columns().len());
    for column in row.columns() {
        let name = column.name().to_owned();
        if found.iter().any(|f| f.name == name) && schema.position(&name).is_some() {
            return Err(SourceError::Shape {
                place,
                problem: format!("it returns two columns `{name}`; rename one with AS"),
            });
        }
        found.push(Found {
            name,
            oid: column.type_info().oid().map_or(0, |oid| oid.0),
            sql: String::new(),
        });
    }
    let (layout, select) = layout(connection, options, schema, &found).await?;
    Ok(Opened {
        layout,
        reading: Reading::Stream,
        snapshot: None,
        select,
        from,
    })
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

/// The declared columns as they come, and the list of the SELECT.
async fn layout(
    connection: &mut PgConnection,
    options: &Options,
    schema: &Schema,
    found: &[Found],
) -> Result<(Layout, String), SourceError> {
    let declared: Vec<(usize, &Found)> = schema
        .fields
        .iter()
        .enumerate()
        .filter_map(|(i, f)| Some((i, found.iter().find(|c| c.name == *f.name)?)))
        .collect();
    let oids: Vec<u32> = declared.iter().map(|(_, c)| c.oid).collect();
    let kinds = kinds(connection, options, &oids).await?;
    let mut problems = Vec::new();
    let mut columns = Vec::with_capacity(declared.len());
    let mut select = Vec::with_capacity(declared.len());
    for (i, field) in schema.fields.iter().enumerate() {
        let Some((_, column)) = declared.iter().find(|(place, _)| *place == i) else {
            problems.push(missing(&field.name, schema, found));
            continue;
        };
        let named = Found {
            name: column.name.clone(),
            oid: column.oid,
            // A query's columns have no modifiers.
            sql: match (column.sql.is_empty(), kinds.0.get(&column.oid)) {
                (true, Some(kind)) => kind.sql.clone(),
                _ => column.sql.clone(),
            },
        };
        match kinds.incoming(&named, field) {
            Ok(incoming) => {
                let column = quote(&field.name);
                select.push(match incoming.written {
                    true => written(&column),
                    false => column,
                });
                columns.push(incoming);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        return Ok((Layout { columns }, select.join(", ")));
    }
    let list: String = problems.iter().map(|p| format!("\n  - {p}")).collect();
    Err(SourceError::Shape {
        place: options.place(),
        problem: format!("it does not have the declared columns:{list}"),
    })
}

fn missing(name: &str, schema: &Schema, found: &[Found]) -> String {
    let there: Vec<&str> = found.iter().map(|f| f.name.as_str()).collect();
    if let Some(near) = nearest(name, &there) {
        return format!("there is no column `{name}`; did you mean `{near}`?");
    }
    let declared: Vec<&str> = schema.fields.iter().map(|f| &*f.name).collect();
    format!(
        "there is no column `{name}`; it has {}",
        told(&declared, &there, Place::Schema)
    )
}

/// The types of these oids and those that they are made of.
async fn kinds(
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

/// An existing table or view.
struct Table {
    oid: i64,
    /// Its quoted name, with its schema.
    quoted: String,
    schema: String,
    usage: bool,
    select: bool,
    /// Whether it can be read by ranges of its blocks.
    in_blocks: bool,
    blocks: u64,
    block_bytes: u64,
    rows: Option<u64>,
}

impl Table {
    fn permits(&self, options: &Options) -> Result<(), SourceError> {
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
async fn find(
    connection: &mut PgConnection,
    options: &Options,
    name: &str,
) -> Result<Table, SourceError> {
    let place = options.place();
    let name = TableName::parse(name).map_err(|problem| SourceError::Shape {
        place: place.clone(),
        problem: problem.into(),
    })?;
    // Ranges of blocks are scanned as such from version 14 on; before, each would read all.
    let found = sqlx::query(
        "SELECT c.oid::int8, n.nspname::text, c.relname::text, \
         pg_catalog.has_schema_privilege(n.oid, 'USAGE'), \
         pg_catalog.has_any_column_privilege(c.oid, 'SELECT'), \
         c.relkind IN ('r', 'm') AND NOT c.relhassubclass AND m.amname = 'heap' \
         AND pg_catalog.current_setting('server_version_num')::int >= 140000, \
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
