//! Earlier runs into a table, read from the journal to decide about a new one.

use glovebox_core::{Digest, Earlier, History, Known, Listed, RunState, SinkError};
use sqlx::sqlite::SqliteConnection;

use super::Options;
use super::file::{is_alone, statement};
use super::journal::{self, target};
use super::reading::read;
use super::runs;
use crate::database::journal::{earlier, finished, known as known_chunk, runner};
use crate::database::runner::{Life, Runner};
use crate::database::{Before, EARLIER_VERSION};

/// The runs that a history tells of.
const REMEMBERED: u32 = 1000;

/// Runs `r`, with what [`earlier`] reads.
const RUNS: &str = "SELECT run, plan, started, digest, lines, first_digest, first_lines, \
    coalesce(\"read\", (SELECT sum(\"read\") FROM glovebox_chunk c WHERE c.run = r.run), 0), \
    coalesce(stored, (SELECT sum(stored) FROM glovebox_chunk c WHERE c.run = r.run), 0), \
    coalesce(filtered, (SELECT sum(filtered) FROM glovebox_chunk c WHERE c.run = r.run), 0), \
    coalesce(rejected, (SELECT sum(rejected) FROM glovebox_chunk c WHERE c.run = r.run), 0), \
    state, pipeline, parts, source, key, mode, runner, finished FROM glovebox_run r \
    WHERE target = ?1";

const LAST_FIRST: &str = "ORDER BY started DESC, rowid DESC";

/// What the journal remembers of the runs into the table.
pub(super) fn history(options: &Options) -> Result<History, SinkError> {
    let none = || {
        let appends = options.mode.appends();
        let none = History {
            appends,
            ..History::default()
        };
        (none, Vec::new())
    };
    let (mut history, runners) = remembered(options, Before::Renew, none, async |connection| {
        look(connection, options).await
    })?;
    who_lives(options, history.running.iter_mut().zip(&runners));
    for run in &mut history.held {
        let same = history.running.iter().find(|r| r.run == run.run);
        run.living = same.and_then(|same| same.living.clone());
    }
    Ok(history)
}

/// The last runs into the table.
pub(super) fn listed(options: &Options, most: u32) -> Result<Vec<Listed>, SinkError> {
    let (mut listed, runners) = remembered(options, Before::Refuse, Default::default, async |c| {
        let sql = format!("{RUNS} {LAST_FIRST} LIMIT {most}");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(target(options))
            .fetch_all(c)
            .await?;
        let runners: Vec<Runner> = rows.iter().map(runner).collect::<sqlx::Result<_>>()?;
        let listed = rows.iter().zip(&runners).map(|(row, runner)| {
            Ok(Listed {
                run: earlier(row)?,
                finished: finished(row)?,
                runner: runner.to_string(),
            })
        });
        let listed: Vec<Listed> = listed.collect::<sqlx::Result<_>>()?;
        Ok((listed, runners))
    })?;
    let running = listed
        .iter_mut()
        .map(|listed| &mut listed.run)
        .zip(&runners);
    who_lives(
        options,
        running.filter(|(run, _)| run.state == RunState::Running),
    );
    Ok(listed)
}

/// Says of each run that has not ended whether its process lives.
fn who_lives<'r>(options: &Options, running: impl Iterator<Item = (&'r mut Earlier, &'r Runner)>) {
    let mut alone = None;
    for (run, runner) in running {
        let living = match runner.life() {
            Life::Living => true,
            Life::Dead => false,
            Life::OutOfSight => !*alone.get_or_insert_with(|| is_alone(options)),
        };
        run.living = living.then(|| runner.to_string());
    }
}

async fn look(
    connection: &mut SqliteConnection,
    options: &Options,
) -> sqlx::Result<(History, Vec<Runner>)> {
    // First: what comes later is seen at the beginning.
    let seen = runs::seen(connection, options).await?;
    let key = journal::read_key(connection, options).await?;
    let sql = format!("{RUNS} AND state = 'running' {LAST_FIRST}");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(target(options))
        .fetch_all(&mut *connection)
        .await?;
    let runners = rows.iter().map(runner).collect::<sqlx::Result<_>>()?;
    let running = rows.iter().map(earlier).collect::<sqlx::Result<_>>()?;
    let mut held = Vec::new();
    if options.mode.appends() {
        let sql = format!(
            "{RUNS} AND (state = 'finished' OR mode = 'append') \
             AND coalesce(finished, started) >= coalesce((SELECT max(finished) FROM glovebox_run \
                 WHERE target = ?1 AND mode = 'replace' AND state = 'finished'), '') \
             AND (state <> 'abandoned' OR EXISTS (SELECT 1 FROM glovebox_chunk c \
                 WHERE c.run = r.run AND c.stored > 0)) {LAST_FIRST} LIMIT {REMEMBERED}"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(target(options))
            .fetch_all(connection)
            .await?;
        held = rows.iter().map(earlier).collect::<sqlx::Result<_>>()?;
    }
    let history = History {
        appends: options.mode.appends(),
        seen,
        key: Some(key),
        running,
        held,
    };
    Ok((history, runners))
}

/// The finished runs of a pipeline into the table, the last first.
pub(super) fn past(options: &Options, pipeline: &str) -> Result<Vec<Earlier>, SinkError> {
    remembered(options, Before::Renew, Vec::new, async |connection| {
        let sql = format!("{RUNS} AND pipeline = ?2 AND state = 'finished' {LAST_FIRST} LIMIT 100");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(target(options))
            .bind(pipeline)
            .fetch_all(connection)
            .await?;
        rows.iter().map(earlier).collect()
    })
}

/// A finished run of a pipeline into the table.
pub(super) fn run(
    options: &Options,
    pipeline: &str,
    run: &str,
) -> Result<Option<Earlier>, SinkError> {
    remembered(
        options,
        Before::Renew,
        || None,
        async |connection| {
            let sql = format!("{RUNS} AND pipeline = ?2 AND run = ?3 AND state = 'finished'");
            let row = sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(target(options))
                .bind(pipeline)
                .bind(run)
                .fetch_optional(connection)
                .await?;
            row.as_ref().map(earlier).transpose()
        },
    )
}

/// Chunks with these digests, by whatever run into the table.
pub(super) fn known(options: &Options, digests: &[Digest]) -> Result<Vec<Known>, SinkError> {
    let hex = |digest: &Digest| -> String { digest.iter().map(|b| format!("{b:02X}")).collect() };
    let wanted = serde_json::to_string(&digests.iter().map(hex).collect::<Vec<_>>());
    let wanted = wanted.map_err(|_| SinkError::Internal {
        place: options.place(),
        problem: "digests are not to be written as JSON".into(),
    })?;
    remembered(options, Before::Renew, Vec::new, async |connection| {
        let rows = sqlx::query(
            "SELECT c.run, c.digest, c.\"read\" FROM glovebox_chunk c \
             JOIN glovebox_run r ON r.run = c.run WHERE r.target = ? \
             AND hex(c.digest) IN (SELECT value FROM json_each(?))",
        )
        .bind(target(options))
        .bind(wanted)
        .fetch_all(connection)
        .await?;
        rows.iter().map(known_chunk).collect()
    })
}

/// Reads the journal; `none` if there is none.
pub(super) fn remembered<T>(
    options: &Options,
    before: Before,
    none: impl FnOnce() -> T,
    query: impl AsyncFnOnce(&mut SqliteConnection) -> sqlx::Result<T>,
) -> Result<T, SinkError> {
    if !super::file::exists(options)? {
        return Ok(none());
    }
    let place = options.place();
    read(options, async |connection| {
        if !journal::are_there(connection).await? {
            return Ok(Ok(none()));
        }
        if journal::is_before(connection).await? {
            if before == Before::Refuse {
                return Ok(Err(SinkError::Shape {
                    place,
                    problem: EARLIER_VERSION.into(),
                }));
            }
            let renewed = async {
                statement(connection, "BEGIN IMMEDIATE", &place).await?;
                journal::ready(connection, &place).await?;
                statement(connection, "COMMIT", &place).await
            };
            if let Err(refused) = renewed.await {
                return Ok(Err(refused));
            }
        }
        query(connection).await.map(Ok)
    })?
}
