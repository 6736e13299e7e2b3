//! The books of runs, in tables beside the sink's own.
//!
//! Owns their shape and every statement about them; refuses to add to a run that another process
//! has taken over, and books of another shape.

use glovebox_core::{
    ChunkRecord, Digest, Earlier, FinishedChunk, History, Job, KeptReject, Reject, Revise,
    RowCounts, Seen, SinkError, Totals,
};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::refusal::refusal;
use super::session::statement;
use super::{Mode, Options};

/// The finished runs that a history tells of.
const REMEMBERED: u32 = 100;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS glovebox_run (
    run TEXT PRIMARY KEY, pipeline TEXT NOT NULL, target TEXT NOT NULL, mode TEXT NOT NULL,
    plan TEXT NOT NULL, source TEXT NOT NULL, length INTEGER,
    state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'abandoned')),
    epoch INTEGER NOT NULL, started TEXT NOT NULL, finished TEXT, digest BLOB,
    \"read\" INTEGER, stored INTEGER, filtered INTEGER, rejected INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS glovebox_chunk (
    run TEXT NOT NULL, chunk INTEGER NOT NULL, first_row INTEGER NOT NULL,
    \"read\" INTEGER NOT NULL, stored INTEGER NOT NULL, filtered INTEGER NOT NULL,
    rejected INTEGER NOT NULL, digest BLOB NOT NULL, summary TEXT NOT NULL,
    PRIMARY KEY (run, chunk)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS glovebox_reject (
    run TEXT NOT NULL, chunk INTEGER NOT NULL, \"row\" INTEGER NOT NULL, line INTEGER,
    violations TEXT NOT NULL, file TEXT,
    PRIMARY KEY (run, \"row\")
) STRICT, WITHOUT ROWID;";

/// A run in the books, as the process that works on it knows it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) run: String,
    epoch: i64,
}

/// Writes a new run down, in the transaction that is open; those before it that did not finish
/// are given up. Returns their names.
pub(super) async fn begin(
    connection: &mut SqliteConnection,
    options: &Options,
    job: &Job,
) -> Result<(Entry, Vec<String>), SinkError> {
    let place = options.place();
    statement(connection, TABLES, &place).await?;
    files_of_rejects(connection)
        .await
        .map_err(|e| refusal(e, &place))?;
    if let Some(then) = job.seen {
        let now = seen(connection, &job.pipeline).await;
        if now.map_err(|e| refusal(e, &place))? != then {
            return Err(SinkError::Fenced { place });
        }
    }
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
             (run, pipeline, target, mode, plan, source, length, state, epoch, started) \
             VALUES (?, ?, ?, ?, ?, ?, ?, 'running', 1, strftime('%Y-%m-%d %H:%M:%SZ'))",
        )
        .bind(&job.run)
        .bind(&job.pipeline)
        .bind(target(options))
        .bind(mode(options.mode))
        .bind(&job.plan)
        .bind(&job.source)
        .bind(job.length.map(signed))
        .execute(connection)
        .await?;
        Ok(given_up)
    };
    let given_up = inserted.await.map_err(|e| refusal(e, &place))?;
    let run = job.run.clone();
    Ok((Entry { run, epoch: 1 }, given_up))
}

/// Books that were begun before sources had several files get their column.
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

/// How far the pipeline's books are.
async fn seen(connection: &mut SqliteConnection, pipeline: &str) -> sqlx::Result<Seen> {
    let counts = "SELECT count(*), count(CASE WHEN state <> 'running' THEN 1 END) \
                  FROM glovebox_run WHERE pipeline = ?";
    let (begun, ended) = sqlx::query_as(counts)
        .bind(pipeline)
        .fetch_one(connection)
        .await?;
    Ok(Seen {
        begun: unsigned(begun),
        ended: unsigned(ended),
    })
}

/// Takes a run over, in the transaction that is open, and returns its chunks.
pub(super) async fn resume(
    connection: &mut SqliteConnection,
    options: &Options,
    job: &Job,
) -> Result<(Entry, Vec<ChunkRecord>), SinkError> {
    let place = options.place();
    let taken = async {
        files_of_rejects(connection).await?;
        let epoch: Option<i64> = sqlx::query_scalar(
            "UPDATE glovebox_run SET epoch = epoch + 1 \
             WHERE run = ? AND state = 'running' AND mode = ? RETURNING epoch",
        )
        .bind(&job.run)
        .bind(mode(options.mode))
        .fetch_optional(&mut *connection)
        .await?;
        let chunks = sqlx::query(
            "SELECT chunk, first_row, \"read\", stored, filtered, rejected, digest, summary \
             FROM glovebox_chunk WHERE run = ? ORDER BY chunk",
        )
        .bind(&job.run)
        .fetch_all(connection)
        .await?;
        let chunks = chunks.iter().map(record).collect::<sqlx::Result<_>>()?;
        Ok((epoch, chunks))
    };
    let (epoch, chunks) = taken.await.map_err(|e| refusal(e, &place))?;
    let Some(epoch) = epoch else {
        return Err(SinkError::Shape {
            place,
            problem: format!(
                "run {} cannot go on: it has finished, or was begun in another mode; run again \
                 with `--again`",
                job.run
            ),
        });
    };
    let run = job.run.clone();
    Ok((Entry { run, epoch }, chunks))
}

/// Writes rows down as rejected that had counted as stored, in the transaction that is open.
pub(super) async fn refuse(
    connection: &mut SqliteConnection,
    place: &str,
    entry: &Entry,
    refused: &[Reject],
    revise: Revise,
) -> Result<(), SinkError> {
    let written = async {
        for reject in refused {
            let row = sqlx::query(
                "SELECT chunk, first_row, \"read\", stored, filtered, rejected, digest, summary \
                 FROM glovebox_chunk WHERE run = ? AND first_row <= ? \
                 ORDER BY first_row DESC, chunk DESC LIMIT 1",
            )
            .bind(&entry.run)
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
            .bind(&entry.run)
            .bind(signed(chunk.index))
            .execute(&mut *connection)
            .await?;
            let violations = serde_json::to_string(&reject.violations)
                .map_err(|e| sqlx::Error::Encode(e.into()))?;
            sqlx::query(
                "INSERT INTO glovebox_reject (run, chunk, \"row\", line, violations, file) \
                 VALUES (?, ?, ?, ?, ?, ?)",
            )
            .bind(&entry.run)
            .bind(signed(chunk.index))
            .bind(signed(reject.row))
            .bind(reject.line.map(signed))
            .bind(violations)
            .bind(reject.file.as_deref())
            .execute(&mut *connection)
            .await?;
        }
        sqlx::query_scalar("SELECT epoch FROM glovebox_run WHERE run = ? AND state = 'running'")
            .bind(&entry.run)
            .fetch_optional(&mut *connection)
            .await
    };
    let epoch: Option<i64> = written.await.map_err(|e| refusal(e, place))?;
    held(epoch, entry, place)
}

/// Adds chunks, in the transaction that holds their rows.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    place: &str,
    entry: &Entry,
    chunks: &[FinishedChunk],
) -> Result<(), SinkError> {
    let added = async {
        for FinishedChunk {
            record, rejects, ..
        } in chunks
        {
            sqlx::query("INSERT INTO glovebox_chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
                .bind(&entry.run)
                .bind(signed(record.index))
                .bind(signed(record.first_row))
                .bind(signed(record.rows.read))
                .bind(signed(record.rows.stored))
                .bind(signed(record.rows.filtered))
                .bind(signed(record.rows.rejected))
                .bind(record.digest.as_slice())
                .bind(&record.summary)
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
            .bind(&entry.run)
            .bind(signed(record.index))
            .bind(rows)
            .execute(&mut *connection)
            .await?;
        }
        // The write lock is held, so what is true now is true at the commit.
        sqlx::query_scalar("SELECT epoch FROM glovebox_run WHERE run = ? AND state = 'running'")
            .bind(&entry.run)
            .fetch_optional(&mut *connection)
            .await
    };
    let epoch: Option<i64> = added.await.map_err(|e| refusal(e, place))?;
    held(epoch, entry, place)
}

/// Closes a run, in the transaction that publishes it.
pub(super) async fn finish(
    connection: &mut SqliteConnection,
    place: &str,
    entry: &Entry,
    totals: &Totals,
) -> Result<(), SinkError> {
    let rows = totals.rows;
    let epoch: Option<i64> = sqlx::query_scalar(
        "UPDATE glovebox_run SET state = 'finished', finished = strftime('%Y-%m-%d %H:%M:%SZ'), \
         digest = ?, \"read\" = ?, stored = ?, filtered = ?, rejected = ? \
         WHERE run = ? AND epoch = ? AND state = 'running' RETURNING epoch",
    )
    .bind(totals.digest.as_slice())
    .bind(signed(rows.read))
    .bind(signed(rows.stored))
    .bind(signed(rows.filtered))
    .bind(signed(rows.rejected))
    .bind(&entry.run)
    .bind(entry.epoch)
    .fetch_optional(connection)
    .await
    .map_err(|e| refusal(e, place))?;
    held(epoch, entry, place)
}

/// Gives a run up, in the transaction that drops what it staged.
pub(super) async fn give_up(
    connection: &mut SqliteConnection,
    place: &str,
    entry: &Entry,
    totals: &Totals,
) -> Result<(), SinkError> {
    let rows = totals.rows;
    let epoch: Option<i64> = sqlx::query_scalar(
        "UPDATE glovebox_run SET state = 'abandoned', \
         finished = strftime('%Y-%m-%d %H:%M:%SZ'), digest = ?, \"read\" = ?, stored = 0, \
         filtered = ?, rejected = ? WHERE run = ? AND epoch = ? AND state = 'running' \
         RETURNING epoch",
    )
    .bind(totals.digest.as_slice())
    .bind(signed(rows.read))
    .bind(signed(rows.filtered))
    .bind(signed(rows.rejected))
    .bind(&entry.run)
    .bind(entry.epoch)
    .fetch_optional(connection)
    .await
    .map_err(|e| refusal(e, place))?;
    held(epoch, entry, place)
}

fn held(epoch: Option<i64>, entry: &Entry, place: &str) -> Result<(), SinkError> {
    if epoch == Some(entry.epoch) {
        return Ok(());
    }
    Err(SinkError::Fenced {
        place: place.into(),
    })
}

/// What the books say of a pipeline's runs into this table; of the finished ones, those that added
/// rows by this plan, or without one all.
pub(super) async fn history(
    connection: &mut SqliteConnection,
    options: &Options,
    pipeline: &str,
    plan: Option<&str>,
) -> sqlx::Result<History> {
    let mut history = History {
        appends: options.mode == Mode::Append,
        ..History::default()
    };
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'glovebox_run'")
            .fetch_one(&mut *connection)
            .await?;
    if kept == 0 {
        return Ok(history);
    }
    // First: what comes later is seen at the beginning.
    history.seen = seen(connection, pipeline).await?;
    let last = "SELECT run, plan, length, started, digest, \
                (SELECT digest FROM glovebox_chunk c WHERE c.run = r.run AND chunk = 0), \
                coalesce(\"read\", (SELECT sum(\"read\") FROM glovebox_chunk c WHERE c.run = r.run), 0), \
                coalesce(stored, (SELECT sum(stored) FROM glovebox_chunk c WHERE c.run = r.run), 0), \
                coalesce(filtered, (SELECT sum(filtered) FROM glovebox_chunk c WHERE c.run = r.run), 0), \
                coalesce(rejected, (SELECT sum(rejected) FROM glovebox_chunk c WHERE c.run = r.run), 0), \
                state FROM glovebox_run r WHERE pipeline = ? AND target = ?";
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "{last} AND state <> 'abandoned' ORDER BY started DESC, rowid DESC LIMIT 1"
    )))
    .bind(pipeline)
    .bind(target(options))
    .fetch_all(&mut *connection)
    .await?;
    if let Some(row) = rows.first()
        && row.try_get::<String, _>(10)? == "running"
    {
        history.unfinished = Some(earlier(row)?);
    }
    if history.appends || plan.is_none() {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "{last} AND state = 'finished' AND (mode = 'append' AND plan = ? OR ? IS NULL) \
             ORDER BY started DESC, rowid DESC LIMIT {REMEMBERED}"
        )))
        .bind(pipeline)
        .bind(target(options))
        .bind(plan)
        .bind(plan)
        .fetch_all(connection)
        .await?;
        history.finished = rows.iter().map(earlier).collect::<sqlx::Result<_>>()?;
    }
    Ok(history)
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
    })
}

fn earlier(row: &SqliteRow) -> sqlx::Result<Earlier> {
    let number = |i: usize| row.try_get(i).map(unsigned);
    Ok(Earlier {
        run: row.try_get(0)?,
        plan: row.try_get(1)?,
        length: row.try_get::<Option<i64>, _>(2)?.map(unsigned),
        started: row.try_get(3)?,
        digest: row.try_get::<Option<Vec<u8>>, _>(4)?.and_then(digest),
        first_chunk: row.try_get::<Option<Vec<u8>>, _>(5)?.and_then(digest),
        rows: RowCounts {
            read: number(6)?,
            stored: number(7)?,
            filtered: number(8)?,
            rejected: number(9)?,
        },
    })
}

fn digest(bytes: Vec<u8>) -> Option<Digest> {
    bytes.try_into().ok()
}

/// SQLite ignores case in names.
fn target(options: &Options) -> String {
    options.table.to_ascii_lowercase()
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Append => "append",
        Mode::Replace => "replace",
        Mode::Upsert => "upsert",
    }
}

/// Counts stay far below 2⁶³.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
