//! Whose turn it is: runs that wait, the servers that have taken them, and what becomes of those
//! whose server is gone.

use super::{ANY_MACHINE, COLUMNS, Run, RunState, safe};
use crate::store::on;
use crate::{Catalog, Result};

/// A run that a server has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Which.
    pub run: Run,
    /// Whether a server has begun it before: then it is gone on with, however it was asked for. Its
    /// `starts` do not tell, since being let go counts as none.
    pub begun: bool,
}

/// What a run's server is told when it says how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// Go on.
    On,
    /// Somebody asked for the end.
    Cancel,
    /// Another server has it now.
    Lost,
}

/// Runs of a pipeline that wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The pipeline's name.
    pub pipeline: String,
    /// How many.
    pub runs: i64,
    /// When the first of them was asked for.
    pub oldest: i64,
}

/// A statement that takes the first run that is like this, if it still is.
fn claim(like: &str, still: &str) -> String {
    format!(
        "UPDATE runs SET state = 'running', holder = $1, seen = $3, starts = starts + 1, \
                         started = COALESCE(started, $3) \
         WHERE id = (SELECT id FROM runs r \
                     WHERE (upload IS NULL OR upload IN ($2, '{ANY_MACHINE}')) AND {like} \
                     ORDER BY created, id LIMIT 1) \
         AND {still} RETURNING {COLUMNS}"
    )
}

impl Catalog {
    /// Takes the next run for a server: one whose server has let it go or has not been heard since
    /// `stale`, else one that waits. An upload goes to the machine that has its file, to anyone if all
    /// have it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_run(
        &self,
        holder: &str,
        machine: &str,
        now: i64,
        stale: i64,
    ) -> Result<Option<Claimed>> {
        let left = "state = 'running' AND seen < $4";
        let left = claim(left, left);
        let taken: Option<Run> = on!(self, pool => sqlx::query_as(safe(&left))
            .bind(holder)
            .bind(machine)
            .bind(now)
            .bind(stale)
            .fetch_optional(pool)
            .await?);
        if let Some(run) = taken {
            return Ok(Some(Claimed { run, begun: true }));
        }
        self.requeue_uploads(machine, now, stale).await?;
        let waits = claim(
            "state = 'queued' AND NOT EXISTS \
             (SELECT 1 FROM runs o WHERE o.pipeline = r.pipeline AND o.state = 'running')",
            "state = 'queued'",
        );
        let taken: std::result::Result<Option<Run>, sqlx::Error> = on!(self, pool =>
            sqlx::query_as(safe(&waits))
                .bind(holder)
                .bind(machine)
                .bind(now)
                .fetch_optional(pool)
                .await);
        match taken {
            // Another server took a run of the same pipeline at the same moment.
            Err(sqlx::Error::Database(e)) if e.is_unique_violation() => Ok(None),
            taken => Ok(taken?.map(|run| Claimed {
                // One that a dead server had begun waits again, at the earliest when it is stale.
                begun: run.started.is_some_and(|at| at < now),
                run,
            })),
        }
    }

    /// Has the uploads of other machines, whose servers have not been heard since `stale`, wait for
    /// their machine again: nobody else has their file, and nobody else's runs wait for them.
    async fn requeue_uploads(&self, machine: &str, now: i64, stale: i64) -> Result<()> {
        let sql = format!(
            "UPDATE runs SET state = CASE WHEN cancel IS NULL THEN 'queued' ELSE 'cancelled' END, \
                             ended = CASE WHEN cancel IS NULL THEN ended ELSE $3 END \
             WHERE state = 'running' AND seen < $2 AND upload NOT IN ($1, '{ANY_MACHINE}')"
        );
        on!(self, pool => sqlx::query(safe(&sql))
            .bind(machine)
            .bind(stale)
            .bind(now)
            .execute(pool)
            .await?
            .rows_affected());
        Ok(())
    }

    /// How many runs wait, by pipeline; those of which none waits are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn waiting(&self) -> Result<Vec<Waiting>> {
        let found: Vec<(String, i64, i64)> = on!(self, pool => sqlx::query_as(
            "SELECT pipeline, COUNT(*), MIN(created) FROM runs WHERE state = 'queued' \
             GROUP BY pipeline ORDER BY pipeline",
        )
        .fetch_all(pool)
        .await?);
        let waiting = found.into_iter().map(|(pipeline, runs, oldest)| Waiting {
            pipeline,
            runs,
            oldest,
        });
        Ok(waiting.collect())
    }

    /// Says how far a run is, and that its server lives.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn beat(
        &self,
        id: &str,
        holder: &str,
        (rows, bytes, bytes_all): (i64, i64, Option<i64>),
        now: i64,
    ) -> Result<Beat> {
        let told: Option<(Option<i64>,)> = on!(self, pool => sqlx::query_as(
            "UPDATE runs SET seen = $3, rows_done = $4, bytes_done = $5, bytes_all = $6 \
             WHERE id = $1 AND holder = $2 AND state = 'running' RETURNING cancel",
        )
        .bind(id)
        .bind(holder)
        .bind(now)
        .bind(rows)
        .bind(bytes)
        .bind(bytes_all)
        .fetch_optional(pool)
        .await?);
        Ok(match told {
            None => Beat::Lost,
            Some((None,)) => Beat::On,
            Some((Some(_),)) => Beat::Cancel,
        })
    }

    /// Ends a run, unless another server has it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish_run(
        &self,
        id: &str,
        holder: &str,
        state: RunState,
        (report, problem): (Option<&str>, Option<&str>),
        now: i64,
    ) -> Result<bool> {
        let ended = on!(self, pool => sqlx::query(
            "UPDATE runs SET state = $3, report = $4, problem = $5, ended = $6 \
             WHERE id = $1 AND holder = $2 AND state = 'running'",
        )
        .bind(id)
        .bind(holder)
        .bind(state.word())
        .bind(report)
        .bind(problem)
        .bind(now)
        .execute(pool)
        .await?
        .rows_affected());
        Ok(ended == 1)
    }

    /// Lets a run go, so that any server may go on with it at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release_run(&self, id: &str, holder: &str) -> Result<()> {
        on!(self, pool => sqlx::query(
            // It was no fault of the run, so the start does not count.
            "UPDATE runs SET seen = 0, starts = starts - 1 \
             WHERE id = $1 AND holder = $2 AND state = 'running'",
        )
        .bind(id)
        .bind(holder)
        .execute(pool)
        .await?
        .rows_affected());
        Ok(())
    }

    /// Asks for a run's end: at once if it waits, by its server if it runs. None if there is no
    /// such run.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel_run(&self, id: &str, now: i64) -> Result<Option<Run>> {
        on!(self, pool => {
            sqlx::query(
                "UPDATE runs SET state = 'cancelled', cancel = $2, ended = $2 \
                 WHERE id = $1 AND state = 'queued'",
            )
            .bind(id)
            .bind(now)
            .execute(pool)
            .await?;
            sqlx::query(
                "UPDATE runs SET cancel = COALESCE(cancel, $2) WHERE id = $1 AND state = 'running'",
            )
            .bind(id)
            .bind(now)
            .execute(pool)
            .await?;
        });
        self.run(id).await
    }
}
