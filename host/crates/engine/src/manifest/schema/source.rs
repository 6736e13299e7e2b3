//! Where rows come from, as a manifest says it.
//!
//! Owns a twin of `load/source.rs` and its like; refuses to parse.

use schemars::JsonSchema;

use super::formats::Formats;
use super::words::{Password, Path, Sign, Size, Table, Time, Tls};

/// Where the rows come from: exactly one of these.
#[derive(JsonSchema)]
#[schemars(
    rename_all = "kebab-case",
    deny_unknown_fields,
    extend("oneOf" = [
        { "required": ["csv"] },
        { "required": ["jsonl"] },
        { "required": ["parquet"] },
        { "required": ["postgres"] },
    ])
)]
pub(super) struct Source {
    /// CSV files.
    csv: Option<CsvSource>,
    /// Files with a JSON object a line.
    jsonl: Option<JsonlSource>,
    /// Parquet files.
    parquet: Option<ParquetSource>,
    /// A table or query of a PostgreSQL database, over verified TLS.
    postgres: Option<PostgresSource>,
}

#[derive(JsonSchema)]
#[schemars(
    rename_all = "kebab-case",
    deny_unknown_fields,
    extend("oneOf" = [
        { "required": ["table"] },
        { "required": ["query"] },
    ])
)]
pub(super) struct PostgresSource {
    /// The server's name or address, which its certificate must bear.
    #[schemars(length(min = 1, max = 253))]
    host: String,
    /// Its port.
    #[schemars(range(min = 1, max = 65_535), extend("default" = 5432))]
    port: Option<u64>,
    /// The database.
    #[schemars(length(min = 1, max = 63))]
    database: String,
    /// The user.
    #[schemars(length(min = 1, max = 63))]
    user: String,
    /// The user's password.
    password: Password,
    /// How the server is verified. It always is.
    tls: Option<Tls>,
    /// The table, or `schema.table`; a view or a partitioned table too.
    table: Option<Table>,
    /// A query, in the server's SQL. It cannot write.
    #[schemars(length(min = 1, max = 65_536))]
    query: Option<String>,
    /// Connections that read at the same time; by default as many as are good.
    #[schemars(range(min = 1, max = 64))]
    connections: Option<u64>,
    /// How long connecting may take, 100ms to 1h.
    #[schemars(extend("default" = "10s"))]
    connect_timeout: Option<Time>,
    /// Bytes that one row may have, at most 256MiB.
    #[schemars(extend("default" = "8MiB"))]
    max_record: Option<Size>,
}

/// What is read: one path, or a list of them. A path is a file, a pattern of files (`in/*.csv`), or
/// a folder, relative to the manifest's folder; `-` alone is standard input.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum Paths {
    /// One.
    One(Path),
    /// Several, read in this order.
    Many(#[schemars(extend("minItems" = 1, "uniqueItems" = true))] Vec<Path>),
}

/// Files with a JSON object a line, in UTF-8, plain or packed by gzip or zstd.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct JsonlSource {
    /// The files.
    path: Paths,
    /// How the strings of all columns are spelled.
    formats: Option<Formats>,
    /// Bytes that one line may have, at most 256MiB.
    #[schemars(extend("default" = "8MiB"))]
    max_record: Option<Size>,
}

/// Parquet files.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ParquetSource {
    /// The files; not standard input.
    path: Paths,
}

/// CSV files, in UTF-8, plain or packed by gzip or zstd.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct CsvSource {
    /// The files.
    path: Paths,
    /// Whether the first record names the columns; if not, they are taken by position.
    #[schemars(extend("default" = true))]
    header: Option<bool>,
    /// The sign between fields.
    #[schemars(extend("default" = ","))]
    delimiter: Option<Sign>,
    /// The sign around fields.
    #[schemars(extend("default" = "\""))]
    quote: Option<Sign>,
    /// The cells that stand for null.
    #[schemars(extend("default" = [""]))]
    null: Option<Vec<String>>,
    /// How the text of all columns is spelled.
    formats: Option<Formats>,
    /// Bytes that one field may have, at most 256MiB.
    #[schemars(extend("default" = "1MiB"))]
    max_field: Option<Size>,
    /// Bytes that one record may have, at most 256MiB.
    #[schemars(extend("default" = "8MiB"))]
    max_record: Option<Size>,
}
