//! Where rows go, as a manifest says it.
//!
//! Owns a twin of `load/sink.rs` and its like; refuses to parse.

use schemars::JsonSchema;

use super::words::{IdentityKey, Password, Path, Sign, Table, Time, Tls};

/// Where the rows go: exactly one of `sqlite`, `postgres`, `csv`, `jsonl` and `parquet`.
#[derive(JsonSchema)]
#[schemars(
    rename_all = "kebab-case",
    deny_unknown_fields,
    extend("oneOf" = [
        { "required": ["sqlite"] },
        { "required": ["postgres"] },
        { "required": ["csv"] },
        { "required": ["jsonl"] },
        { "required": ["parquet"] },
    ])
)]
pub(super) struct Sink {
    /// A table in a SQLite file.
    sqlite: Option<SqliteSink>,
    /// A table in a PostgreSQL database, over verified TLS.
    postgres: Option<PostgresSink>,
    /// A CSV file.
    csv: Option<CsvSink>,
    /// A file with a JSON object a line.
    jsonl: Option<JsonlSink>,
    /// A Parquet file.
    parquet: Option<ParquetSink>,
    /// The columns to store, in order; by default all that the last step leaves.
    #[schemars(extend("uniqueItems" = true, "minItems" = 1))]
    columns: Option<Vec<String>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct SqliteSink {
    /// The file, relative to the manifest's folder.
    path: Path,
    /// The table; it is created if it is missing.
    table: Table,
    /// What becomes of the rows that are there.
    #[schemars(extend("default" = "append"))]
    mode: Option<TableMode>,
    /// The columns by which mode upsert recognises a row.
    keys: Option<Vec<String>>,
    /// The key of the digests by which inputs are recognised, instead of one that the file keeps.
    identity_key: Option<IdentityKey>,
    /// Whether a run without a single good row takes the rows away that are there, in mode replace.
    #[schemars(extend("default" = false))]
    replace_with_nothing: Option<bool>,
    /// Whether replacing rows may change other tables by what hangs on this one: foreign keys that
    /// cascade, triggers and rules on DELETE.
    #[schemars(extend("default" = "refuse"))]
    side_effects: Option<SideEffects>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct PostgresSink {
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
    /// The table, or `schema.table`; it is created if it is missing.
    table: Table,
    /// What becomes of the rows that are there.
    #[schemars(extend("default" = "append"))]
    mode: Option<TableMode>,
    /// The columns by which mode upsert recognises a row.
    keys: Option<Vec<String>>,
    /// Whether a run without a single good row takes the rows away that are there, in mode replace.
    #[schemars(extend("default" = false))]
    replace_with_nothing: Option<bool>,
    /// Whether replacing rows may change other tables by what hangs on this one: foreign keys that
    /// cascade, triggers and rules on DELETE.
    #[schemars(extend("default" = "refuse"))]
    side_effects: Option<SideEffects>,
    /// The schema in which the journal of runs is kept; it is created if it is missing.
    #[schemars(length(min = 1, max = 63), extend("default" = "glovebox"))]
    journal: Option<String>,
    /// The key of the digests by which inputs are recognised, instead of one that the database
    /// keeps.
    identity_key: Option<IdentityKey>,
    /// Connections that load at the same time; by default as many as are good.
    #[schemars(range(min = 1, max = 64))]
    connections: Option<u64>,
    /// Whether rows come in the source's order, over one connection.
    #[schemars(extend("default" = "any"))]
    order: Option<Order>,
    /// How long connecting may take, 100ms to 1h.
    #[schemars(extend("default" = "10s"))]
    connect_timeout: Option<Time>,
    /// How long a server that is gone is waited for, 0s to 24h.
    #[schemars(extend("default" = "60s"))]
    retry_for: Option<Time>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub(super) enum Order {
    /// As it is quickest.
    Any,
    /// The source's.
    Source,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub(super) enum SideEffects {
    /// A table on which such a thing hangs is not replaced.
    Refuse,
    /// They happen.
    Allow,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub(super) enum TableMode {
    /// They stay.
    Append,
    /// They go, at the moment at which the new ones are there.
    Replace,
    /// Those with the keys of a new one take its cells; the others stay.
    Upsert,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct CsvSink {
    /// The file, relative to the manifest's folder.
    path: Path,
    /// What becomes of the rows that are there.
    #[schemars(extend("default" = "replace"))]
    mode: Option<Mode>,
    /// Whether a run without a single good row takes the rows away that are there, in mode replace.
    #[schemars(extend("default" = false))]
    replace_with_nothing: Option<bool>,
    /// Whether the first record names the columns.
    #[schemars(extend("default" = true))]
    header: Option<bool>,
    /// The sign between fields.
    #[schemars(extend("default" = ","))]
    delimiter: Option<Sign>,
    /// Whether text that a spreadsheet would take for a formula gets a `'` in front.
    #[schemars(extend("default" = false))]
    escape_formulas: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct JsonlSink {
    /// The file, relative to the manifest's folder.
    path: Path,
    /// What becomes of the rows that are there.
    #[schemars(extend("default" = "replace"))]
    mode: Option<Mode>,
    /// Whether a run without a single good row takes the rows away that are there, in mode replace.
    #[schemars(extend("default" = false))]
    replace_with_nothing: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ParquetSink {
    /// The file, relative to the manifest's folder.
    path: Path,
    /// What becomes of the rows that are there: a Parquet file cannot be added to.
    #[schemars(extend("default" = "replace"))]
    mode: Option<Replace>,
    /// Whether a run without a single good row takes the rows away that are there, in mode replace.
    #[schemars(extend("default" = false))]
    replace_with_nothing: Option<bool>,
    /// How the file's pages are compressed.
    #[schemars(extend("default" = "zstd"))]
    compression: Option<Compression>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub(super) enum Replace {
    /// They go, at the moment at which the new ones are there.
    Replace,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub(super) enum Compression {
    /// By zstd.
    Zstd,
    /// By Snappy.
    Snappy,
    /// By gzip.
    Gzip,
    /// By LZ4.
    Lz4,
    /// Not at all.
    None,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub(super) enum Mode {
    /// They stay.
    Append,
    /// They go, at the moment at which the new ones are there.
    Replace,
}
