//! Runs in the journal: beginning, taking over, ending.

use glovebox_core::{ChunkRecord, Job, Mark, Seen, SinkError, Totals};
use sqlx::sqlite::SqliteConnection;

use super::Options;
use super::chunks::chunks;
use super::journal::{read_key, ready, target};
use super::lease::{Lease, held};
use super::refusal::refusal;
use crate::database::journal::{self, signed};
use crate::database::runner::Runner;

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

/// How far the target's journal is.
pub(super) async fn seen(
    connection: &mut SqliteConnection,
    options: &Options,
) -> sqlx::Result<Seen> {
    let counts = "SELECT count(*), count(CASE WHEN state <> 'running' THEN 1 END), \
                  coalesce(sum(epoch), 0) FROM glovebox_run WHERE target = ?";
    let row = sqlx::query(counts)
        .bind(target(options))
        .fetch_one(connection)
        .await?;
    journal::seen(&row)
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
