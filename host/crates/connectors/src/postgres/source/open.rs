//! How reading begins: a snapshot, the columns compared with the declared ones, and the statement.

use glovebox_core::{Schema, SourceError};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Column, Executor, Row, SqlSafeStr};

use super::catalogue::{columns, find, kinds};
use super::refusal::{refused, refused_query};
use super::types::{Found, Layout};
use super::{Options, Rows};
use crate::database::quote;
use crate::names::{Place, nearest, told};
use crate::postgres::output::written;

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
    let mut found = Vec::new();
    let mut closed = Vec::new();
    for (column, readable) in columns(connection, options, &table).await? {
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
