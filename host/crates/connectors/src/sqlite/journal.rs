//! The journal of runs: its tables beside the sink's own, how they are made and brought up to date.

use glovebox_core::{Secret, SinkError};
use sqlx::sqlite::SqliteConnection;

use super::Options;
use super::file::statement;
use super::refusal::refusal;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS glovebox_run (
    run TEXT PRIMARY KEY, pipeline TEXT NOT NULL, target TEXT NOT NULL, mode TEXT NOT NULL,
    plan TEXT NOT NULL, source TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'abandoned')),
    epoch INTEGER NOT NULL, started TEXT NOT NULL, finished TEXT, digest BLOB,
    \"read\" INTEGER, stored INTEGER, filtered INTEGER, rejected INTEGER,
    parts TEXT, key INTEGER, runner TEXT, lines INTEGER, first_lines INTEGER, first_digest BLOB
) STRICT;
CREATE TABLE IF NOT EXISTS glovebox_chunk (
    run TEXT NOT NULL, chunk INTEGER NOT NULL, first_row INTEGER NOT NULL,
    \"read\" INTEGER NOT NULL, stored INTEGER NOT NULL, filtered INTEGER NOT NULL,
    rejected INTEGER NOT NULL, digest BLOB NOT NULL, summary TEXT NOT NULL,
    lines INTEGER, upto BLOB,
    PRIMARY KEY (run, chunk)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS glovebox_reject (
    run TEXT NOT NULL, chunk INTEGER NOT NULL, \"row\" INTEGER NOT NULL, line INTEGER,
    violations TEXT NOT NULL, file TEXT,
    PRIMARY KEY (run, \"row\")
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS glovebox_sealed (
    run TEXT NOT NULL, chunk INTEGER NOT NULL, part INTEGER NOT NULL, \"rows\" INTEGER NOT NULL,
    block TEXT NOT NULL, PRIMARY KEY (run, chunk, part)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS glovebox_key (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1), key BLOB NOT NULL
) STRICT;
INSERT OR IGNORE INTO glovebox_key VALUES (1, randomblob(32));";

/// What the version before did not have. Runs of it keep no key: their digests are cut, and say
/// nothing under one.
const RENEWED: &str = "
ALTER TABLE glovebox_run DROP COLUMN length;
ALTER TABLE glovebox_run ADD COLUMN parts TEXT;
ALTER TABLE glovebox_run ADD COLUMN key INTEGER;
ALTER TABLE glovebox_run ADD COLUMN runner TEXT;
ALTER TABLE glovebox_run ADD COLUMN lines INTEGER;
ALTER TABLE glovebox_run ADD COLUMN first_lines INTEGER;
ALTER TABLE glovebox_run ADD COLUMN first_digest BLOB;
ALTER TABLE glovebox_chunk ADD COLUMN lines INTEGER;
ALTER TABLE glovebox_chunk ADD COLUMN upto BLOB;";

/// Makes the tables, or brings those of the version before up to date, in the transaction that is
/// open.
pub(super) async fn ready(connection: &mut SqliteConnection, place: &str) -> Result<(), SinkError> {
    statement(connection, TABLES, place).await?;
    files_of_rejects(connection)
        .await
        .map_err(|e| refusal(e, place))?;
    match is_before(connection).await {
        Ok(true) => statement(connection, RENEWED, place).await,
        Ok(false) => Ok(()),
        Err(e) => Err(refusal(e, place)),
    }
}

/// Whether there are a journal.
pub(super) async fn are_there(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'glovebox_run'")
        .fetch_one(connection)
        .await
        .map(|count: i64| count > 0)
}

/// Whether the journal is one of the version before.
pub(super) async fn is_before(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT count(*) FROM pragma_table_info('glovebox_run') WHERE name = 'parts'",
    )
    .fetch_one(connection)
    .await
    .map(|count: i64| count == 0)
}

/// The key of the digests; of the manifest's, where it names one.
pub(super) async fn read_key(
    connection: &mut SqliteConnection,
    options: &Options,
) -> sqlx::Result<Secret> {
    if let Some(key) = &options.identity_key {
        return Ok(key.clone());
    }
    sqlx::query_scalar("SELECT key FROM glovebox_key")
        .fetch_one(connection)
        .await
        .map(Secret::new)
}

/// A journal that was begun before sources had several files gets its column.
async fn files_of_rejects(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    let there: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pragma_table_info('glovebox_reject') WHERE name = 'file'",
    )
    .fetch_one(&mut *connection)
    .await?;
    if there == 0 {
        sqlx::query("ALTER TABLE glovebox_reject ADD COLUMN file TEXT")
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// SQLite ignores case in names.
pub(super) fn target(options: &Options) -> String {
    options.table.to_ascii_lowercase()
}
