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
    /// Files of JSON objects: one a line, one array, or over several lines.
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

/// Files of JSON objects in UTF-8, one a line, one array, or over several lines; plain or packed by
/// gzip or zstd.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct JsonlSource {
    /// The files.
    path: Paths,
    /// How the strings of all columns are spelled.
    formats: Option<Formats>,
    /// Bytes that one object may have, at most 256MiB.
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

/// CSV files, plain or packed by gzip or zstd.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct CsvSource {
    /// The files.
    path: Paths,
    /// Their encoding, by a label of the WHATWG's Encoding Standard: `windows-1252`, `utf-16le`.
    #[schemars(length(min = 1), extend("default" = "utf-8"))]
    encoding: Option<String>,
    /// Lines before the header, or before the first record, that are passed over.
    #[schemars(range(min = 0, max = 1_000_000), extend("default" = 0))]
    skip: Option<u64>,
    /// Whether the first record names the columns; if not, they are taken by position.
    #[schemars(extend("default" = true))]
    header: Option<bool>,
    /// Records of the header; a column is called by all of them, with spaces between.
    #[schemars(range(min = 1, max = 16), extend("default" = 1))]
    header_rows: Option<u64>,
    /// The sign or signs between fields.
    #[schemars(length(min = 1, max = 16), extend("default" = ","))]
    delimiter: Option<String>,
    /// The sign around fields; `none` where quotes are text.
    #[schemars(extend("default" = "\""))]
    quote: Option<Quote>,
    /// What becomes of records whose quotes are wrong: `lenient` reads them all the same, and may
    /// take several rows for one.
    #[schemars(extend("default" = "strict"))]
    quotes: Option<Quotes>,
    /// The sign that within quotes makes text of a quote behind it; doubled quotes are that anyway.
    escape: Option<Sign>,
    /// The sign at the start of lines that are no records.
    comment: Option<Sign>,
    /// What ends a record.
    #[schemars(extend("default" = "any"))]
    line_end: Option<LineEnd>,
    /// Whether spaces and tabs around fields, outside of quotes, are left out.
    #[schemars(extend("default" = false))]
    trim: Option<bool>,
    /// What becomes of records with too few or too many fields: `pad` makes what is missing null,
    /// `cut` leaves out what is too much.
    #[schemars(extend("default" = "reject"))]
    ragged: Option<Ragged>,
    /// The cells that stand for null.
    #[schemars(extend("default" = [""]))]
    null: Option<Vec<String>>,
    /// Whether they do so within quotes, too.
    #[schemars(extend("default" = true))]
    null_quoted: Option<bool>,
    /// How the text of all columns is spelled.
    formats: Option<Formats>,
    /// Bytes that one field may have, at most 256MiB.
    #[schemars(extend("default" = "1MiB"))]
    max_field: Option<Size>,
    /// Bytes that one record may have, at most 256MiB.
    #[schemars(extend("default" = "8MiB"))]
    max_record: Option<Size>,
}

/// One ASCII sign that is no letter, digit or line break, or `none`.
#[derive(JsonSchema)]
struct Quote(#[schemars(regex(pattern = r"^([\t -/:-@\[-`{-~]|none)$"))] String);

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum Quotes {
    Strict,
    Lenient,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum LineEnd {
    Any,
    Lf,
    Crlf,
    Cr,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum Ragged {
    Reject,
    Pad,
    Cut,
    Both,
}
