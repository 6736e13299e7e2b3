//! Runs in the journal: beginning, taking over, ending, remembering.

use std::time::Duration;

use glovebox_core::{ChunkRecord, Job, MAX_RUN_LEN, Mark, Secret, Seen, SinkError};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::journal::{Journal, stage_name, wait_name};
use super::refusal::{Fault, fault, is_locked_out};
use super::session::{lock_timeout, statement};
use super::{NAME, Options};
use crate::database::journal::{chunk, seen as seen_of, signed, unsigned};
use crate::database::quote;
use crate::database::runner::Runner;

/// How long a runner that was told to end may hold its run before it is told again.
const HANDOVER: Duration = Duration::from_secs(2);
/// The longest name of a session.
const MAX_SESSION_LEN: usize = 63;

/// What sessions of a run are called, so that they can be ended by name.
pub(super) fn session_name(run: &str) -> String {
    // PostgreSQL replaces what is not printable ASCII, and cuts.
    let printable = |c: char| if c.is_ascii_graphic() { c } else { '?' };
    let name: String = run.chars().map(printable).collect();
    let mut name = format!("{NAME} {name}");
    name.truncate(MAX_SESSION_LEN);
    name
}

/// A run as one runner has it.
#[derive(Debug, Clone)]
pub(super) struct Lease {
    pub(super) run: String,
    pub(super) epoch: i64,
    /// The key of the journal's digests.
    pub(super) key: Secret,
}

/// Writes a new run down; runs of the same pipeline into the same target that did not finish are
/// given up. `asked_before` is whether this was committed once without hearing a reply.
pub(super) async fn fresh(
    connection: &mut PgConnection,
    journal: &Journal,
    options: &Options,
    job: &Job,
    target: &str,
    asked_before: bool,
) -> Result<Lease, Fault> {
    let place = options.place();
    let failed = |e| fault(e, &place);
    if job.run.is_empty() || job.run.len() > MAX_RUN_LEN || job.run.contains('\0') {
        return Err(internal(options, "a run's name has 1 to 57 bytes").into());
    }
    unless_overtaken(connection, journal, options, job, target, asked_before).await?;
    let key = journal.read_key(connection, options).await?;
    let running: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT run FROM {} WHERE pipeline = $1 AND target = $2 AND state = 'running' \
         AND run <> $3",
        journal.run
    )))
    .bind(&job.pipeline)
    .bind(target)
    .bind(&job.run)
    .fetch_all(&mut *connection)
    .await
    .map_err(failed)?;
    for earlier in &running {
        end_sessions(connection, earlier, &place).await?;
        handover(connection, options, async |connection| {
            let sql = format!(
                "UPDATE {} SET state = 'abandoned' WHERE run = $1",
                journal.run
            );
            sqlx::query(AssertSqlSafe(sql))
                .bind(earlier)
                .execute(connection)
                .await
                .map(drop)
        })
        .await?;
        drop_stage(connection, journal, options, earlier).await?;
    }
    let inserted = sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO {} (run, pipeline, target, mode, plan, source, parts, key, runner, state, \
         epoch) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'running', 1) \
         ON CONFLICT (run) DO NOTHING",
        journal.run
    )))
    .bind(&job.run)
    .bind(&job.pipeline)
    .bind(target)
    .bind(options.mode.name())
    .bind(job.plan.to_string())
    .bind(&job.source)
    .bind(&job.parts)
    .bind(job.key.map(i32::from))
    .bind(Runner::this().to_json())
    .execute(connection)
    .await
    .map_err(failed)?;
    if inserted.rows_affected() == 0 && !asked_before {
        return Err(journal
            .misfit(format!(
                "it already has a run {}; start another, or continue that one with `--resume`",
                job.run
            ))
            .into());
    }
    Ok(Lease {
        run: job.run.clone(),
        epoch: 1,
        key,
    })
}

/// Lets one process at a time begin a run into a target, and refuses one whose reason to begin has
/// been overtaken: it may have slept since it looked, and would store rows a second time.
async fn unless_overtaken(
    connection: &mut PgConnection,
    journal: &Journal,
    options: &Options,
    job: &Job,
    target: &str,
    asked_before: bool,
) -> Result<(), Fault> {
    let place = options.place();
    let lock = "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1, 0))";
    sqlx::query(lock)
        .bind(format!("{NAME} {target}"))
        .execute(&mut *connection)
        .await
        .map_err(|e| fault(e, &place))?;
    let known = format!("SELECT EXISTS (SELECT FROM {} WHERE run = $1)", journal.run);
    let known: bool = sqlx::query_scalar(AssertSqlSafe(known))
        .bind(&job.run)
        .fetch_one(&mut *connection)
        .await
        .map_err(|e| fault(e, &place))?;
    if asked_before && known {
        return Ok(());
    }
    match job.seen {
        Some(then) if seen(connection, journal, &place, target).await? != then => {
            Err(SinkError::Overtaken { place }.into())
        }
        _ => Ok(()),
    }
}

/// Takes a run over, from whoever has it.
pub(super) async fn take_over(
    connection: &mut PgConnection,
    journal: &Journal,
    options: &Options,
    job: &Job,
    target: &str,
) -> Result<Lease, Fault> {
    let place = options.place();
    let failed = |e| fault(e, &place);
    let run: Option<(String, String, String)> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT state, mode, target FROM {} WHERE run = $1",
        journal.run
    )))
    .bind(&job.run)
    .fetch_optional(&mut *connection)
    .await
    .map_err(failed)?;
    let refuse = |problem: String| Fault::Lasting(journal.misfit(problem));
    let Some((state, mode, into)) = run else {
        return Err(refuse(format!(
            "it has no run {}; run without `--resume`",
            job.run
        )));
    };
    if state != "running" {
        return Err(refuse(format!(
            "run {} is {state}, so there is nothing to resume; run without `--resume`",
            job.run
        )));
    }
    if mode != options.mode.name() || into != target {
        return Err(refuse(format!(
            "run {} began in mode {mode} into {into}; resume it with the same manifest, or start \
            over with `--again`",
            job.run
        )));
    }
    if let Some(then) = job.seen
        && seen(connection, journal, &place, target).await? != then
    {
        return Err(SinkError::Overtaken { place }.into());
    }
    let key = journal.read_key(connection, options).await?;
    // A paused process holds its locks for as long as its connections live.
    end_sessions(connection, &job.run, &place).await?;
    let epoch: Option<i64> = handover(connection, options, async |connection| {
        let sql = format!(
            "UPDATE {} SET epoch = epoch + 1, runner = $2 WHERE run = $1 AND state = 'running' \
             RETURNING epoch",
            journal.run
        );
        sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(&job.run)
            .bind(Runner::this().to_json())
            .fetch_optional(connection)
            .await
    })
    .await?;
    match epoch {
        Some(epoch) => Ok(Lease {
            run: job.run.clone(),
            epoch,
            key,
        }),
        None => Err(refuse(format!(
            "run {} has just been ended by another process",
            job.run
        ))),
    }
}

/// Waits for a run's line only so long, and then lets the whole be tried again: a session that is
/// being ended, or one that was opened since, holds it.
async fn handover<T>(
    connection: &mut PgConnection,
    options: &Options,
    mut update: impl AsyncFnMut(&mut PgConnection) -> sqlx::Result<T>,
) -> Result<T, Fault> {
    let place = options.place();
    statement(connection, &lock_timeout(HANDOVER), &place).await?;
    let updated = update(connection).await;
    let updated = updated.map_err(|e| {
        let held = is_locked_out(&e);
        match fault(e, &place) {
            Fault::Lasting(e) if held => Fault::Passing(e),
            other => other,
        }
    })?;
    statement(
        connection,
        &lock_timeout(options.login.connect_timeout),
        &place,
    )
    .await?;
    Ok(updated)
}

/// Gives up the other runs that have added rows to a run's target: they go with all that it held.
/// What others have staged stays theirs.
pub(super) async fn give_up_others(
    connection: &mut PgConnection,
    journal: &Journal,
    place: &str,
    run: &str,
) -> Result<(), Fault> {
    sqlx::query(AssertSqlSafe(format!(
        "UPDATE {0} SET state = 'abandoned' WHERE state = 'running' AND mode = 'append' \
         AND run <> $1 AND target = (SELECT target FROM {0} WHERE run = $1)",
        journal.run
    )))
    .bind(run)
    .execute(connection)
    .await
    .map(drop)
    .map_err(|e| fault(e, place))
}

/// Ends the other sessions of a run.
async fn end_sessions(connection: &mut PgConnection, run: &str, place: &str) -> Result<(), Fault> {
    sqlx::query(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
         WHERE application_name = $1 AND datname = pg_catalog.current_database() \
         AND usename = current_user AND pid <> pg_catalog.pg_backend_pid()",
    )
    .bind(session_name(run))
    .execute(connection)
    .await
    .map(drop)
    .map_err(|e| fault(e, place))
}

/// Drops a run's staging table, if there is one that the role may drop.
pub(super) async fn drop_stage(
    connection: &mut PgConnection,
    journal: &Journal,
    options: &Options,
    run: &str,
) -> Result<(), Fault> {
    if has_stage(connection, options, run).await? {
        let drop = format!("DROP TABLE {}", journal.stage(run));
        statement(connection, &drop, &options.place()).await?;
    }
    drop_horizon(connection, options, run).await
}

/// Drops the table by which a run has seen who looks at the database, if there is one that the role may drop.
pub(super) async fn drop_horizon(
    connection: &mut PgConnection,
    options: &Options,
    run: &str,
) -> Result<(), Fault> {
    let table = wait_name(run);
    if has_table(connection, options, &table).await? {
        let drop = format!("DROP TABLE {}.{}", quote(&options.journal), quote(&table));
        statement(connection, &drop, &options.place()).await?;
    }
    Ok(())
}

/// Whether a run has a staging table, and it is the role's.
pub(super) async fn has_stage(
    connection: &mut PgConnection,
    options: &Options,
    run: &str,
) -> Result<bool, Fault> {
    has_table(connection, options, &stage_name(run)).await
}

/// Whether a table of that name stands beside the journal, and is the role's.
async fn has_table(
    connection: &mut PgConnection,
    options: &Options,
    table: &str,
) -> Result<bool, Fault> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1 AND c.relname = $2 \
         AND pg_catalog.pg_has_role(c.relowner, 'USAGE'))",
    )
    .bind(&options.journal)
    .bind(table)
    .fetch_one(connection)
    .await
    .map_err(|e| fault(e, &options.place()))
}

/// The chunks of a run, by their index.
pub(super) async fn chunks(
    connection: &mut PgConnection,
    journal: &Journal,
    options: &Options,
    run: &str,
) -> Result<Vec<ChunkRecord>, Fault> {
    let place = options.place();
    sqlx::query(AssertSqlSafe(format!(
        "SELECT chunk, first_row, read, stored, filtered, rejected, digest, summary, upto, lines \
         FROM {} \
         WHERE run = $1 ORDER BY chunk",
        journal.chunk
    )))
    .bind(run)
    .fetch_all(connection)
    .await
    .and_then(|rows| rows.iter().map(chunk).collect())
    .map_err(|e| fault(e, &place))
}

/// Writes down how a run's input begins.
pub(super) async fn begins(
    connection: &mut PgConnection,
    journal: &Journal,
    place: &str,
    lease: &Lease,
    with: &Mark,
    key: u16,
) -> Result<(), Fault> {
    sqlx::query(AssertSqlSafe(format!(
        "UPDATE {} SET first_lines = $3, first_digest = $4, key = $5 \
         WHERE run = $1 AND epoch = $2 AND state = 'running'",
        journal.run
    )))
    .bind(&lease.run)
    .bind(lease.epoch)
    .bind(signed(with.lines))
    .bind(with.digest.as_slice())
    .bind(i32::from(key))
    .execute(connection)
    .await
    .map(drop)
    .map_err(|e| fault(e, place))
}

/// How many rows of a run's chunks are stored.
pub(super) async fn stored(
    connection: &mut PgConnection,
    journal: &Journal,
    options: &Options,
    run: &str,
) -> Result<u64, Fault> {
    let place = options.place();
    let sum: i64 = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT coalesce(sum(stored), 0)::int8 FROM {} WHERE run = $1",
        journal.chunk
    )))
    .bind(run)
    .fetch_one(connection)
    .await
    .map_err(|e| fault(e, &place))?;
    Ok(unsigned(sum))
}

fn internal(options: &Options, problem: &str) -> SinkError {
    SinkError::Internal {
        place: options.place(),
        problem: problem.into(),
    }
}

/// How far the target's journal is.
pub(super) async fn seen(
    connection: &mut PgConnection,
    journal: &Journal,
    place: &str,
    target: &str,
) -> Result<Seen, Fault> {
    let counts = format!(
        "SELECT count(*), count(*) FILTER (WHERE state <> 'running'), \
         coalesce(sum(epoch), 0)::int8 FROM {} WHERE target = $1",
        journal.run
    );
    sqlx::query(AssertSqlSafe(counts))
        .bind(target)
        .fetch_one(connection)
        .await
        .and_then(|row| seen_of(&row))
        .map_err(|e| fault(e, place))
}
