//! Reads the PostgreSQL source: which table or query, over how many connections.
//!
//! Refuses a table and a query at once, and a query of several statements.

use std::ops::RangeInclusive;

use super::optional;
use super::postgres::{connections, server};
use super::sink::table_name;
use crate::block::{Block, Reader, Shape};
use crate::diagnostic::Diagnostic;
use crate::model::{PostgresRows, PostgresSource, Span, Spanned};
use crate::yaml::Node;

pub(crate) const POSTGRES_SOURCE: Shape = Shape {
    what: "the PostgreSQL source",
    keys: &[
        "host",
        "port",
        "database",
        "user",
        "password",
        "tls",
        "table",
        "query",
        "connections",
        "connect-timeout",
        "max-record",
    ],
    hints: &[
        ("columns", "`columns:` stands beside `source:`, not in it"),
        ("sql", "write `query:`"),
        ("schema", "write it before the table: table: schema.table"),
        (
            "where",
            "write a query: query: SELECT product, price FROM sales WHERE sold > '2026-01-01'",
        ),
        (
            "mode",
            "delete it: the source is only read; `mode:` belongs to the sink",
        ),
        (
            "sslmode",
            "delete it: the server is always verified, chain and host name; its certificate goes into tls: { ca: FILE }",
        ),
        (
            "ssl",
            "delete it: TLS is always on; a private certificate goes into tls: { ca: FILE }",
        ),
        (
            "url",
            "write it in parts: host, port, database, user, password: { secret: NAME }",
        ),
        ("dbname", "write `database:`"),
        ("timeout", "write `connect-timeout:`"),
    ],
    example: "postgres: { host: db.internal, database: sales_db, user: reader, password: { secret: sales-db/reader }, table: sales }",
};

const MAX_RECORD: usize = 8 << 20;
const SIZE_BOUNDS: RangeInclusive<u64> = 1..=256 << 20;
/// A query longer than this is none.
const LONGEST_QUERY: usize = 64 << 10;

/// The source's `postgres:`.
pub(super) fn postgres_source(
    reader: &mut Reader<'_>,
    node: &Node,
    head: Span,
) -> Option<PostgresSource> {
    let block = reader.block(node, head, &POSTGRES_SOURCE)?;
    let server = server(reader, &block);
    let rows = rows(reader, &block);
    let connections = connections(reader, &block);
    let max_record = optional(&block, "max-record", |node| {
        reader.size(node, "max-record", SIZE_BOUNDS)
    });
    Some(PostgresSource {
        server: server?,
        rows: rows?,
        connections,
        max_record: max_record.unwrap_or(MAX_RECORD),
    })
}

fn rows(reader: &mut Reader<'_>, block: &Block<'_>) -> Option<Spanned<PostgresRows>> {
    match (block.get("table"), block.get("query")) {
        (Some((node, _)), None) => table(reader, node),
        (None, Some((node, _))) => query(reader, node),
        (Some((_, table)), Some((_, query))) => {
            reader.say(
                Diagnostic::error(query, "rows come from a table or from a query")
                    .label("a query too")
                    .context(table, "a table")
                    .help("delete one of them"),
            );
            None
        }
        (None, None) => {
            if !block.hinted(&["sql", "where"]) {
                reader.say(
                    Diagnostic::error(
                        block.head.clone(),
                        "the PostgreSQL source does not say what is read",
                    )
                    .help("add: table: sales, or query: SELECT product, price FROM sales"),
                );
            }
            None
        }
    }
}

/// Any name that PostgreSQL takes: names are always quoted.
fn table(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<PostgresRows>> {
    let table = reader.text(node, "table", "table: sales")?;
    let name = table_name(reader, table)?;
    let table = PostgresRows::Table(name.value.to_string());
    Some(Spanned::new(table, name.span))
}

fn query(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<PostgresRows>> {
    let example = "query: SELECT product, price FROM sales ORDER BY id";
    let text = reader.any_text(node, "query", example)?;
    // What ends a statement in psql is not part of it.
    let query = text.value.trim().trim_end_matches(';').trim_end();
    if query.is_empty() || query.len() > LONGEST_QUERY || query.contains('\0') {
        reader.say(
            Diagnostic::error(
                reader.first_line(&text.span),
                format!("`query` is no query of 1 to {LONGEST_QUERY} bytes"),
            )
            .help(format!("write: {example}")),
        );
        return None;
    }
    let query = query.to_owned();
    Some(Spanned::new(PostgresRows::Query(query), text.span))
}
