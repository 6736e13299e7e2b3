//! Earlier runs into a target, read from the journal to decide about a new one.

use glovebox_core::{Digest, Earlier, History, Known, Listed, RunState};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::Options;
use super::journal::Journal;
use super::refusal::{Fault, fault};
use super::runs::{seen, session_name};
use crate::database::journal::{earlier, finished, known as known_chunk, runner};
use crate::database::runner::{Life, Runner};

/// The runs that a history tells of.
const REMEMBERED: u32 = 1000;

/// Runs `r` that are `which`, with what [`earlier`] reads.
fn runs(journal: &Journal, which: &str) -> String {
    format!(
        "SELECT r.run, r.plan, \
         pg_catalog.to_char(r.started AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), \
         r.digest, r.lines, r.first_digest, r.first_lines, \
         c.read, c.stored, c.filtered, c.rejected, \
         r.state, r.pipeline, r.parts, r.source, r.key::int8, r.mode, r.runner, \
         pg_catalog.to_char(r.finished AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') \
         FROM {0} r, LATERAL (SELECT coalesce(sum(c.read), 0)::int8 AS read, \
             coalesce(sum(c.stored), 0)::int8 AS stored, \
             coalesce(sum(c.filtered), 0)::int8 AS filtered, \
             coalesce(sum(c.rejected), 0)::int8 AS rejected FROM {1} c \
             WHERE c.run = r.run) c \
         WHERE {which}",
        journal.run, journal.chunk
    )
}

const LAST_FIRST: &str = "ORDER BY r.started DESC, r.run DESC";

/// What the journal remembers of the runs into a target.
pub(super) async fn history(
    connection: &mut PgConnection,
    journal: &Journal,
    options: &Options,
    target: &str,
) -> Result<History, Fault> {
    let place = options.place();
    let failed = |e| fault(e, &place);
    // First: what comes later is seen at the beginning.
    let seen = seen(connection, journal, &place, target).await?;
    let key = journal.read_key(connection, options).await?;
    let running = runs(journal, "r.target = $1 AND r.state = 'running'");
    let rows = sqlx::query(AssertSqlSafe(format!("{running} {LAST_FIRST}")))
        .bind(target)
        .fetch_all(&mut *connection)
        .await
        .map_err(failed)?;
    let mut running = Vec::new();
    for row in &rows {
        let mut run = earlier(row).map_err(failed)?;
        let runner = runner(row).map_err(failed)?;
        run.living = living(connection, &run, &runner, &place).await?;
        running.push(run);
    }
    let held = if options.mode.appends() {
        let which = format!(
            "r.target = $1 AND (r.state = 'finished' OR r.mode = 'append') AND \
             coalesce(r.finished, r.started) >= coalesce((SELECT max(p.finished) FROM {} p \
                 WHERE p.target = $1 AND p.mode = 'replace' AND p.state = 'finished'), \
                 '-infinity'::timestamptz) \
             AND (r.state <> 'abandoned' OR c.stored > 0)",
            journal.run
        );
        let held = format!("{} {LAST_FIRST} LIMIT {REMEMBERED}", runs(journal, &which));
        let rows = sqlx::query(AssertSqlSafe(held))
            .bind(target)
            .fetch_all(connection)
            .await
            .map_err(failed)?;
        let mut held: Vec<Earlier> = rows
            .iter()
            .map(earlier)
            .collect::<sqlx::Result<_>>()
            .map_err(failed)?;
        for run in &mut held {
            let same = running.iter().find(|r| r.run == run.run);
            run.living = same.and_then(|same| same.living.clone());
        }
        held
    } else {
        Vec::new()
    };
    Ok(History {
        appends: options.mode.appends(),
        seen,
        key: Some(key),
        running,
        held,
    })
}

/// The last runs into a target.
pub(super) async fn listed(
    connection: &mut PgConnection,
    journal: &Journal,
    options: &Options,
    target: &str,
    most: u32,
) -> Result<Vec<Listed>, Fault> {
    let place = options.place();
    let failed = |e| fault(e, &place);
    let sql = format!(
        "{} {LAST_FIRST} LIMIT {most}",
        runs(journal, "r.target = $1")
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(target)
        .fetch_all(&mut *connection)
        .await
        .map_err(failed)?;
    let mut listed = Vec::new();
    for row in &rows {
        let mut run = earlier(row).map_err(failed)?;
        let runner = runner(row).map_err(failed)?;
        if run.state == RunState::Running {
            run.living = living(connection, &run, &runner, &place).await?;
        }
        listed.push(Listed {
            run,
            finished: finished(row).map_err(failed)?,
            runner: runner.to_string(),
        });
    }
    Ok(listed)
}

/// What a run runs as, if its process lives.
async fn living(
    connection: &mut PgConnection,
    run: &Earlier,
    runner: &Runner,
    place: &str,
) -> Result<Option<String>, Fault> {
    let living = match runner.life() {
        Life::Living => true,
        Life::Dead => false,
        // The server knows whether somebody holds a connection to it.
        Life::OutOfSight => has_sessions(connection, &run.run, place).await?,
    };
    Ok(living.then(|| runner.to_string()))
}

/// The finished runs of a pipeline into a target, the last first.
pub(super) async fn past(
    connection: &mut PgConnection,
    journal: &Journal,
    options: &Options,
    target: &str,
    pipeline: &str,
) -> Result<Vec<Earlier>, Fault> {
    let which = "r.pipeline = $1 AND r.target = $2 AND r.state = 'finished'";
    let finished = format!("{} {LAST_FIRST} LIMIT 100", runs(journal, which));
    sqlx::query(AssertSqlSafe(finished))
        .bind(pipeline)
        .bind(target)
        .fetch_all(connection)
        .await
        .and_then(|rows| rows.iter().map(earlier).collect())
        .map_err(|e| fault(e, &options.place()))
}

/// A finished run of a pipeline into a target.
pub(super) async fn run(
    connection: &mut PgConnection,
    journal: &Journal,
    options: &Options,
    target: &str,
    (pipeline, run): (&str, &str),
) -> Result<Option<Earlier>, Fault> {
    let which = "r.pipeline = $1 AND r.target = $2 AND r.run = $3 AND r.state = 'finished'";
    sqlx::query(AssertSqlSafe(runs(journal, which)))
        .bind(pipeline)
        .bind(target)
        .bind(run)
        .fetch_optional(connection)
        .await
        .and_then(|row| row.as_ref().map(earlier).transpose())
        .map_err(|e| fault(e, &options.place()))
}

/// Chunks with these digests, by whatever run into the target.
pub(super) async fn known(
    connection: &mut PgConnection,
    journal: &Journal,
    options: &Options,
    target: &str,
    digests: &[Digest],
) -> Result<Vec<Known>, Fault> {
    let digests: Vec<&[u8]> = digests.iter().map(|digest| digest.as_slice()).collect();
    let sql = format!(
        "SELECT c.run, c.digest, c.read FROM {} c JOIN {} r ON r.run = c.run \
         WHERE r.target = $1 AND c.digest = ANY ($2)",
        journal.chunk, journal.run
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(target)
        .bind(digests)
        .fetch_all(connection)
        .await
        .and_then(|rows| rows.iter().map(known_chunk).collect())
        .map_err(|e| fault(e, &options.place()))
}

/// Whether a run has a session on the server.
async fn has_sessions(
    connection: &mut PgConnection,
    run: &str,
    place: &str,
) -> Result<bool, Fault> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity \
         WHERE application_name = $1 AND datname = pg_catalog.current_database())",
    )
    .bind(session_name(run))
    .fetch_one(connection)
    .await
    .map_err(|e| fault(e, place))
}
