//! What the books remember of a pipeline's runs, for a new one to be decided on.
//!
//! Owns the reading of it; refuses to change anything.

use glovebox_core::{Earlier, History, Seen};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row};

use super::books::Books;
use super::refusal::{Fault, fault};
use super::runs::{counts, digest, unsigned};
use super::{Mode, Options};

/// What the books remember of a pipeline's runs into a target; of the finished ones, those by this
/// plan, or without one all.
pub(super) async fn history(
    connection: &mut PgConnection,
    books: &Books,
    options: &Options,
    target: &str,
    pipeline: &str,
    plan: Option<&str>,
) -> Result<History, Fault> {
    let place = options.place();
    let mut history = History {
        appends: options.mode == Mode::Append,
        // First: what comes later is seen at the beginning.
        seen: seen(connection, books, &place, pipeline).await?,
        ..History::default()
    };
    let sql = |which: &str| {
        format!(
            "SELECT r.run, r.plan, r.length, \
             pg_catalog.to_char(r.started AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), \
             r.digest, (SELECT f.digest FROM {1} f WHERE f.run = r.run AND f.chunk = 0), \
             c.read, c.stored, c.filtered, c.rejected, r.state \
             FROM {0} r, LATERAL (SELECT coalesce(sum(c.read), 0)::int8 AS read, \
                 coalesce(sum(c.stored), 0)::int8 AS stored, \
                 coalesce(sum(c.filtered), 0)::int8 AS filtered, \
                 coalesce(sum(c.rejected), 0)::int8 AS rejected FROM {1} c \
                 WHERE c.run = r.run) c \
             WHERE r.pipeline = $1 AND r.target = $2 {which} ORDER BY r.started DESC, r.run DESC",
            books.run, books.chunk
        )
    };
    let last = sqlx::query(AssertSqlSafe(sql("") + " LIMIT 1"))
        .bind(pipeline)
        .bind(target)
        .fetch_optional(&mut *connection)
        .await
        .map_err(|e| fault(e, &place))?;
    if let Some(row) = last {
        let state: String = row.try_get(10).map_err(|e| fault(e, &place))?;
        if state == "running" {
            history.unfinished = Some(earlier(&row).map_err(|e| fault(e, &place))?);
        }
    }
    let finished =
        sql("AND ($3::text IS NULL OR r.plan = $3) AND r.state = 'finished'") + " LIMIT 100";
    history.finished = sqlx::query(AssertSqlSafe(finished))
        .bind(pipeline)
        .bind(target)
        .bind(plan)
        .fetch_all(connection)
        .await
        .and_then(|rows| rows.iter().map(earlier).collect())
        .map_err(|e| fault(e, &place))?;
    Ok(history)
}

/// How far the pipeline's books are.
pub(super) async fn seen(
    connection: &mut PgConnection,
    books: &Books,
    place: &str,
    pipeline: &str,
) -> Result<Seen, Fault> {
    let counts = format!(
        "SELECT count(*), count(*) FILTER (WHERE state <> 'running') FROM {} WHERE pipeline = $1",
        books.run
    );
    let (begun, ended) = sqlx::query_as(AssertSqlSafe(counts))
        .bind(pipeline)
        .fetch_one(connection)
        .await
        .map_err(|e| fault(e, place))?;
    Ok(Seen {
        begun: unsigned(begun),
        ended: unsigned(ended),
    })
}

fn earlier(row: &PgRow) -> sqlx::Result<Earlier> {
    Ok(Earlier {
        run: row.try_get(0)?,
        plan: row.try_get(1)?,
        length: row.try_get::<Option<i64>, _>(2)?.map(unsigned),
        started: row.try_get(3)?,
        digest: digest(row, 4)?,
        first_chunk: digest(row, 5)?,
        rows: counts(row, 6)?,
    })
}
