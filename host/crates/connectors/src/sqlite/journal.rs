//! The journal of runs, in tables beside the sink's own.

use futures_util::TryStreamExt;
use glovebox_core::{
    ChunkRecord, Digest, FinishedChunk, Job, KeptReject, Mark, Reject, Revise, RowCounts,
    SealedBlock, Secret, Seen, SinkError, Totals,
};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row};

use super::Options;
use super::file::statement;
use super::refusal::refusal;
use crate::database::runner::Runner;

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

/// What [`record`] reads of a chunk.
const CHUNKS: &str = "SELECT chunk, first_row, \"read\", stored, filtered, rejected, digest, \
    summary, upto, lines FROM glovebox_chunk WHERE run = ?";

/// A run in the journal, as the process that works on it knows it.
#[derive(Debug, Clone)]
pub(super) struct Lease {
    pub(super) run: String,
    epoch: i64,
    /// The key of the journal's digests.
    pub(super) key: Secret,
}

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

/// Writes a new run down, in the transaction that is open; those before it that did not finish
/// are given up. Returns their names.
pub(super) async fn begin(
    connection: &mut SqliteConnection,
    options: &Options,
    job: &Job,
) -> Result<(Lease, Vec<String>), SinkError> {
    let place = options.place();
    ready(connection, &place).await?;
    unless_overtaken(connection, options, job).await?;
    let inserted = async {
        let given_up = sqlx::query_scalar(
            "UPDATE glovebox_run SET state = 'abandoned' \
             WHERE pipeline = ? AND target = ? AND state = 'running' RETURNING run",
        )
        .bind(&job.pipeline)
        .bind(target(options))
        .fetch_all(&mut *connection)
        .await?;
        sqlx::query(
            "INSERT INTO glovebox_run \
             (run, pipeline, target, mode, plan, source, parts, key, runner, state, epoch, started) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'running', 1, strftime('%Y-%m-%d %H:%M:%SZ'))",
        )
        .bind(&job.run)
        .bind(&job.pipeline)
        .bind(target(options))
        .bind(options.mode.name())
        .bind(job.plan.to_string())
        .bind(&job.source)
        .bind(&job.parts)
        .bind(job.key)
        .bind(Runner::this().to_json())
        .execute(&mut *connection)
        .await?;
        Ok((given_up, read_key(connection, options).await?))
    };
    let (given_up, key) = inserted.await.map_err(|e| refusal(e, &place))?;
    let run = job.run.clone();
    let lease = Lease { run, epoch: 1, key };
    Ok((lease, given_up))
}

/// Refuses a run whose reason to begin has been overtaken: its process may have slept since it
/// looked, and would store rows a second time.
async fn unless_overtaken(
    connection: &mut SqliteConnection,
    options: &Options,
    job: &Job,
) -> Result<(), SinkError> {
    let place = options.place();
    let Some(then) = job.seen else {
        return Ok(());
    };
    match seen(connection, options).await {
        Ok(now) if now == then => Ok(()),
        Ok(_) => Err(SinkError::Overtaken { place }),
        Err(e) => Err(refusal(e, &place)),
    }
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

/// How far the target's journal is.
pub(super) async fn seen(
    connection: &mut SqliteConnection,
    options: &Options,
) -> sqlx::Result<Seen> {
    let counts = "SELECT count(*), count(CASE WHEN state <> 'running' THEN 1 END), \
                  coalesce(sum(epoch), 0) FROM glovebox_run WHERE target = ?";
    let (begun, ended, turns) = sqlx::query_as(counts)
        .bind(target(options))
        .fetch_one(connection)
        .await?;
    Ok(Seen {
        begun: unsigned(begun),
        ended: unsigned(ended),
        turns: unsigned(turns),
    })
}

/// Takes a run over, in the transaction that is open, and returns its chunks.
pub(super) async fn resume(
    connection: &mut SqliteConnection,
    options: &Options,
    job: &Job,
) -> Result<(Lease, Vec<ChunkRecord>), SinkError> {
    let place = options.place();
    ready(connection, &place).await?;
    unless_overtaken(connection, options, job).await?;
    let taken = async {
        let epoch: Option<i64> = sqlx::query_scalar(
            "UPDATE glovebox_run SET epoch = epoch + 1, runner = ? \
             WHERE run = ? AND state = 'running' AND mode = ? RETURNING epoch",
        )
        .bind(Runner::this().to_json())
        .bind(&job.run)
        .bind(options.mode.name())
        .fetch_optional(&mut *connection)
        .await?;
        let chunks = chunks(connection, &job.run).await?;
        Ok((epoch, chunks, read_key(connection, options).await?))
    };
    let (epoch, chunks, key) = taken.await.map_err(|e| refusal(e, &place))?;
    let Some(epoch) = epoch else {
        return Err(SinkError::Shape {
            place,
            problem: format!(
                "run {} cannot be resumed: it has finished, or began in another mode; run again \
                with `--again`",
                job.run
            ),
        });
    };
    let run = job.run.clone();
    Ok((Lease { run, epoch, key }, chunks))
}

/// The chunks of a run, by their index.
pub(super) async fn chunks(
    connection: &mut SqliteConnection,
    run: &str,
) -> sqlx::Result<Vec<ChunkRecord>> {
    let chunks = sqlx::query(AssertSqlSafe(format!("{CHUNKS} ORDER BY chunk")))
        .bind(run)
        .fetch_all(connection)
        .await?;
    chunks.iter().map(record).collect()
}

/// Writes down how a run's input begins.
pub(super) async fn begins(
    connection: &mut SqliteConnection,
    place: &str,
    lease: &Lease,
    with: &Mark,
    key: u16,
) -> Result<(), SinkError> {
    sqlx::query(
        "UPDATE glovebox_run SET first_lines = ?, first_digest = ?, key = ? \
         WHERE run = ? AND epoch = ? AND state = 'running'",
    )
    .bind(signed(with.lines))
    .bind(with.digest.as_slice())
    .bind(key)
    .bind(&lease.run)
    .bind(lease.epoch)
    .execute(connection)
    .await
    .map(drop)
    .map_err(|e| refusal(e, place))
}

/// Gives up the other runs that have added rows to the table: they go with all that it held. What
/// others have staged stays theirs.
pub(super) async fn give_up_others(
    connection: &mut SqliteConnection,
    options: &Options,
    lease: &Lease,
) -> Result<(), SinkError> {
    sqlx::query(
        "UPDATE glovebox_run SET state = 'abandoned' \
         WHERE target = ? AND state = 'running' AND mode = 'append' AND run <> ?",
    )
    .bind(target(options))
    .bind(&lease.run)
    .execute(connection)
    .await
    .map(drop)
    .map_err(|e| refusal(e, &options.place()))
}

/// Writes rows down as rejected that had counted as stored, in the transaction that is open.
pub(super) async fn refuse(
    connection: &mut SqliteConnection,
    place: &str,
    lease: &Lease,
    refused: &[Reject],
    revise: Revise,
) -> Result<(), SinkError> {
    let written = async {
        for reject in refused {
            let row = sqlx::query(AssertSqlSafe(format!(
                "{CHUNKS} AND first_row <= ? ORDER BY first_row DESC, chunk DESC LIMIT 1"
            )))
            .bind(&lease.run)
            .bind(signed(reject.row))
            .fetch_one(&mut *connection)
            .await?;
            let mut chunk = record(&row)?;
            chunk.refuse(std::slice::from_ref(reject), revise);
            sqlx::query(
                "UPDATE glovebox_chunk SET stored = ?, rejected = ?, summary = ? \
                 WHERE run = ? AND chunk = ?",
            )
            .bind(signed(chunk.rows.stored))
            .bind(signed(chunk.rows.rejected))
            .bind(&chunk.summary)
            .bind(&lease.run)
            .bind(signed(chunk.index))
            .execute(&mut *connection)
            .await?;
            let violations = serde_json::to_string(&reject.violations)
                .map_err(|e| sqlx::Error::Encode(e.into()))?;
            sqlx::query(
                "INSERT INTO glovebox_reject (run, chunk, \"row\", line, violations, file) \
                 VALUES (?, ?, ?, ?, ?, ?)",
            )
            .bind(&lease.run)
            .bind(signed(chunk.index))
            .bind(signed(reject.row))
            .bind(reject.line.map(signed))
            .bind(violations)
            .bind(reject.file.as_deref())
            .execute(&mut *connection)
            .await?;
        }
        epoch(connection, lease).await
    };
    let epoch = written.await.map_err(|e| refusal(e, place))?;
    held(epoch, lease, place)
}

/// Adds chunks, in the transaction that holds their rows.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    place: &str,
    lease: &Lease,
    chunks: &[FinishedChunk],
) -> Result<(), SinkError> {
    let added = async {
        for FinishedChunk {
            record,
            rejects,
            sealed,
            ..
        } in chunks
        {
            for block in sealed {
                sqlx::query("INSERT INTO glovebox_sealed VALUES (?, ?, ?, ?, ?)")
                    .bind(&lease.run)
                    .bind(signed(block.chunk))
                    .bind(block.part)
                    .bind(signed(block.rows))
                    .bind(&block.line)
                    .execute(&mut *connection)
                    .await?;
            }
            sqlx::query("INSERT INTO glovebox_chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
                .bind(&lease.run)
                .bind(signed(record.index))
                .bind(signed(record.first_row))
                .bind(signed(record.rows.read))
                .bind(signed(record.rows.stored))
                .bind(signed(record.rows.filtered))
                .bind(signed(record.rows.rejected))
                .bind(record.digest.as_slice())
                .bind(&record.summary)
                .bind(record.upto.map(|mark| signed(mark.lines)))
                .bind(record.upto.map(|mark| mark.digest.to_vec()))
                .execute(&mut *connection)
                .await?;
            if rejects.is_empty() {
                continue;
            }
            let rows = rejects
                .iter()
                .map(|r| {
                    let violations = serde_json::to_string(&r.violations)?;
                    Ok((r.row, r.line, violations, r.file.as_deref()))
                })
                .collect::<Result<Vec<_>, serde_json::Error>>()
                .and_then(|rows| serde_json::to_string(&rows))
                .map_err(|e| sqlx::Error::Encode(e.into()))?;
            sqlx::query(
                "INSERT INTO glovebox_reject (run, chunk, \"row\", line, violations, file) \
                 SELECT ?1, ?2, value ->> 0, value ->> 1, value ->> 2, value ->> 3 \
                 FROM json_each(?3)",
            )
            .bind(&lease.run)
            .bind(signed(record.index))
            .bind(rows)
            .execute(&mut *connection)
            .await?;
        }
        epoch(connection, lease).await
    };
    let epoch = added.await.map_err(|e| refusal(e, place))?;
    held(epoch, lease, place)
}

/// Closes a run, in the transaction that publishes it.
pub(super) async fn finish(
    connection: &mut SqliteConnection,
    place: &str,
    lease: &Lease,
    totals: &Totals,
) -> Result<(), SinkError> {
    let rows = totals.rows;
    let epoch: Option<i64> = sqlx::query_scalar(
        "UPDATE glovebox_run SET state = 'finished', finished = strftime('%Y-%m-%d %H:%M:%fZ'), \
         digest = ?, \"read\" = ?, stored = ?, filtered = ?, rejected = ?, lines = ? \
         WHERE run = ? AND epoch = ? AND state = 'running' RETURNING epoch",
    )
    .bind(totals.input.digest.as_slice())
    .bind(signed(rows.read))
    .bind(signed(rows.stored))
    .bind(signed(rows.filtered))
    .bind(signed(rows.rejected))
    .bind(signed(totals.input.lines))
    .bind(&lease.run)
    .bind(lease.epoch)
    .fetch_optional(connection)
    .await
    .map_err(|e| refusal(e, place))?;
    held(epoch, lease, place)
}

/// Gives a run up, in the transaction that drops what it staged.
pub(super) async fn give_up(
    connection: &mut SqliteConnection,
    place: &str,
    lease: &Lease,
    totals: &Totals,
) -> Result<(), SinkError> {
    let rows = totals.rows;
    let epoch: Option<i64> = sqlx::query_scalar(
        "UPDATE glovebox_run SET state = 'abandoned', \
         finished = strftime('%Y-%m-%d %H:%M:%SZ'), digest = ?, \"read\" = ?, stored = 0, \
         filtered = ?, rejected = ? WHERE run = ? AND epoch = ? AND state = 'running' \
         RETURNING epoch",
    )
    .bind(totals.input.digest.as_slice())
    .bind(signed(rows.read))
    .bind(signed(rows.filtered))
    .bind(signed(rows.rejected))
    .bind(&lease.run)
    .bind(lease.epoch)
    .fetch_optional(connection)
    .await
    .map_err(|e| refusal(e, place))?;
    held(epoch, lease, place)
}

/// The epoch of the run now. The write lock is held, so it is the same at the commit.
async fn epoch(connection: &mut SqliteConnection, lease: &Lease) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar("SELECT epoch FROM glovebox_run WHERE run = ? AND state = 'running'")
        .bind(&lease.run)
        .fetch_optional(connection)
        .await
}

fn held(epoch: Option<i64>, lease: &Lease, place: &str) -> Result<(), SinkError> {
    if epoch == Some(lease.epoch) {
        return Ok(());
    }
    Err(SinkError::Fenced {
        place: place.into(),
    })
}

/// The rejects of a run, by row, in portions.
pub(super) async fn rejects(
    connection: &mut SqliteConnection,
    run: &str,
    each: &mut dyn FnMut(KeptReject),
) -> sqlx::Result<()> {
    let mut after = -1;
    loop {
        let rows = sqlx::query(
            "SELECT \"row\", line, violations, file FROM glovebox_reject \
             WHERE run = ? AND \"row\" > ? ORDER BY \"row\" LIMIT 10000",
        )
        .bind(run)
        .bind(after)
        .fetch_all(&mut *connection)
        .await?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in rows {
            after = row.try_get(0)?;
            each(KeptReject {
                row: unsigned(after),
                line: row.try_get::<Option<i64>, _>(1)?.map(unsigned),
                violations: row.try_get(2)?,
                file: row.try_get(3)?,
            });
        }
    }
}

/// The sealed blocks of a run, by chunk and part; none of a journal from before there were any.
pub(super) async fn sealed(
    connection: &mut SqliteConnection,
    run: &str,
    each: &mut dyn FnMut(SealedBlock),
) -> sqlx::Result<()> {
    let there: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'glovebox_sealed'")
            .fetch_one(&mut *connection)
            .await?;
    if there == 0 {
        return Ok(());
    }
    let mut blocks = sqlx::query(
        "SELECT chunk, part, \"rows\", block FROM glovebox_sealed WHERE run = ? \
         ORDER BY chunk, part",
    )
    .bind(run)
    .fetch(connection);
    while let Some(row) = blocks.try_next().await? {
        each(SealedBlock {
            chunk: unsigned(row.try_get(0)?),
            part: row.try_get(1)?,
            rows: unsigned(row.try_get(2)?),
            line: row.try_get(3)?,
        });
    }
    Ok(())
}

fn record(row: &SqliteRow) -> sqlx::Result<ChunkRecord> {
    let number = |i: usize| row.try_get(i).map(unsigned);
    Ok(ChunkRecord {
        index: number(0)?,
        first_row: number(1)?,
        rows: RowCounts {
            read: number(2)?,
            stored: number(3)?,
            filtered: number(4)?,
            rejected: number(5)?,
        },
        digest: digest(row.try_get(6)?).unwrap_or_default(),
        summary: row.try_get(7)?,
        upto: mark(row, 8, 9)?,
    })
}

/// Columns with a digest and a count of lines, if they have them.
pub(super) fn mark(
    row: &SqliteRow,
    digest_at: usize,
    lines_at: usize,
) -> sqlx::Result<Option<Mark>> {
    let lines: Option<i64> = row.try_get(lines_at)?;
    let bytes: Option<Vec<u8>> = row.try_get(digest_at)?;
    Ok(lines
        .zip(bytes.and_then(digest))
        .map(|(lines, digest)| Mark {
            lines: unsigned(lines),
            digest,
        }))
}

pub(super) fn digest(bytes: Vec<u8>) -> Option<Digest> {
    bytes.try_into().ok()
}

/// SQLite ignores case in names.
pub(super) fn target(options: &Options) -> String {
    options.table.to_ascii_lowercase()
}

/// Counts stay far below 2⁶³.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
