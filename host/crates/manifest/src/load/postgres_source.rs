//! The PostgreSQL source: which table or query, over how many connections.

use super::files::MAX_BYTES;
use super::postgres::Server;
use super::query::QUERY;
use super::table_name::TABLE_OR_SCHEMA_TABLE;
use crate::block::{Block, Reader};
use crate::declare::section;
use crate::diagnostic::Diagnostic;
use crate::kinds::{Size, Whole};
use crate::span::Spanned;

section! {
    /// A table or a query of a PostgreSQL database. TLS is always verified, chain and host name.
    pub(crate) struct PostgresSourceKeys("PostgresSource"): "the PostgreSQL source",
        "postgres: { host: db.internal, database: sales_db, user: reader, password: { secret: sales-db/reader }, table: sales }"
    {
        ..server: Server;
        /// `table` or `schema.table`, its [name](#names-of-tables); also a view, a partitioned or a
        /// foreign table. Either this or `query`.
        table: Option<Spanned<String>> => optional, TABLE_OR_SCHEMA_TABLE, "table: sales";
        /// One SQL query instead of a table; it cannot write.
        query: Option<Spanned<String>>
            => optional, QUERY, "query: SELECT product, price FROM sales ORDER BY id";
        /// The number of parallel connections that read.
        connections: Option<usize> => optional "chosen automatically", Whole(1..=64usize);
        /// A row whose binary form is larger is rejected.
        max_record: usize => default "8MiB", Size(1..=MAX_BYTES);
    }
    hints {
        "columns" => "`columns:` belongs next to `source:`, not inside it",
        "sql" => "write `query:`",
        "schema" => "write it before the table: table: schema.table",
        "where" => "write a query: query: SELECT product, price FROM sales WHERE sold > '2026-01-01'",
        "mode" => "delete it: the source is only read; `mode:` belongs to the sink",
    }
    rules {
        "oneOf": [{ "required": ["table"] }, { "required": ["query"] }]
    }
    check table_or_query[];
    settle PostgresSource: settle;
}

/// Rows of a PostgreSQL database. TLS is always verified, chain and host name.
#[derive(Debug, Clone, PartialEq)]
pub struct PostgresSource {
    /// The server, and who logs in.
    pub server: Server,
    /// What is read.
    pub rows: Spanned<PostgresRows>,
    /// Connections that read at the same time; none is as many as are good.
    pub connections: Option<usize>,
    /// Bytes that one row may have, in PostgreSQL's binary form.
    pub max_record: usize,
}

/// What is read of a PostgreSQL database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostgresRows {
    /// A table or view, or `schema.table`.
    Table(String),
    /// A query.
    Query(String),
}

fn table_or_query(reader: &mut Reader<'_>, block: &Block<'_>) {
    match (block.get("table"), block.get("query")) {
        (Some((_, table)), Some((_, query))) => reader.say(
            Diagnostic::error(query, "rows come either from a table or from a query")
                .label("a query too")
                .context(table, "a table")
                .help("delete one of them"),
        ),
        (None, None) if !block.hinted(&["sql", "where"]) => reader.say(
            Diagnostic::error(
                block.head.clone(),
                "the PostgreSQL source needs a table or a query",
            )
            .help("add: table: sales, or query: SELECT product, price FROM sales"),
        ),
        _ => {}
    }
}

fn settle(keys: PostgresSourceKeys, _: &mut Reader<'_>, _: &Block<'_>) -> Option<PostgresSource> {
    let rows = match (keys.table, keys.query) {
        (Some(table), _) => Spanned::new(PostgresRows::Table(table.value), table.span),
        (None, query) => {
            let query = query?;
            Spanned::new(PostgresRows::Query(query.value), query.span)
        }
    };
    Some(PostgresSource {
        server: keys.server,
        rows,
        connections: keys.connections,
        max_record: keys.max_record,
    })
}
