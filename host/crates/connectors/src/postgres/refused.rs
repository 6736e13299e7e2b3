//! Rows of a staging table that the target refuses when they are moved: finding and removing them.

use std::collections::BTreeMap;

use glovebox_core::{Reject, SinkError};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::ending::Ending;
use super::journal::Journal;
use super::move_in::move_rows;
use super::refusal::{Fault, fault, of_row};
use super::runs;
use super::session::{BEGIN, statement};
use super::stage::{Marks, Stage};
use crate::database::journal::{signed, unsigned};
use crate::database::sift::{Ended, Tried, reject, sift, spent};

/// The savepoint before a piece of the rows.
const PIECE: &str = "glovebox_piece";

/// Finds the rows that the target refuses, in a transaction in which it is as it would be before
/// the rows are moved; what this does to it is for the caller to take back.
pub(super) async fn find(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    stage: &Stage,
    marks: &Marks,
) -> Result<Vec<Reject>, Fault> {
    let place = ending.options.place();
    let Marks { row, line, file } = marks;
    let index = format!("CREATE INDEX ON {} ({row})", stage.table);
    statement(connection, &index, &place).await?;
    let last: Option<i64> = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT max({row}) FROM {}",
        stage.table
    )))
    .fetch_one(&mut *connection)
    .await
    .map_err(|e| fault(e, &place))?;
    let all = usize::try_from(last.map_or(0, unsigned) + 1).unwrap_or(usize::MAX);
    statement(connection, &format!("SAVEPOINT {PIECE}"), &place).await?;
    let found = sift(0..all, ending.budget, async |rows| {
        let within = format!("WHERE {row} >= {} AND {row} < {}", rows.start, rows.end);
        match move_rows(connection, ending, stage, &within).await {
            Ok(_) => {
                let keep = format!("RELEASE SAVEPOINT {PIECE}; SAVEPOINT {PIECE}");
                statement(connection, &keep, &place).await?;
                Ok(Tried::Taken)
            }
            Err(error) => {
                let Some(refusal) = of_row(&error) else {
                    return Err(fault(error, &place));
                };
                let back = format!("ROLLBACK TO SAVEPOINT {PIECE}");
                statement(connection, &back, &place).await?;
                Ok(Tried::Refused(refusal, None))
            }
        }
    })
    .await;
    let found = found.map_err(|ended| match ended {
        Ended::Failed(fault) => fault,
        Ended::Spent(refusal) => spent(&place, &refusal).into(),
    })?;
    let mut refusals: BTreeMap<i64, _> = found
        .into_iter()
        .map(|(row, refusal)| (signed(row as u64), refusal))
        .collect();
    let rows: Vec<i64> = refusals.keys().copied().collect();
    let marked: Vec<(i64, Option<i64>, Option<String>)> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {row}, {line}, {file} FROM {} WHERE {row} = ANY ($1) ORDER BY {row}",
        stage.table
    )))
    .bind(&rows)
    .fetch_all(&mut *connection)
    .await
    .map_err(|e| fault(e, &place))?;
    let rejects = marked.into_iter().filter_map(|(row, line, file)| {
        let refusal = refusals.remove(&row)?;
        let file = file.as_deref().map(Into::into);
        Some(reject(unsigned(row), line.map(unsigned), file, &refusal))
    });
    Ok(rejects.collect())
}

/// Takes the rows out of the staging table and writes them down as rejected, once, in a transaction
/// of its own.
pub(super) async fn set_aside(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    stage: &Stage,
    marks: &Marks,
    refused: &[Reject],
) -> Result<(), Fault> {
    let options = ending.options;
    let place = options.place();
    let failed = |e| fault(e, &place);
    let journal = Journal::new(options);
    let run = &ending.lease.run;
    statement(connection, BEGIN, &place).await?;
    let ours: Option<i32> = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT 1 FROM {} WHERE run = $1 AND epoch = $2 AND state = 'running' FOR UPDATE",
        journal.run
    )))
    .bind(run)
    .bind(ending.lease.epoch)
    .fetch_optional(&mut *connection)
    .await
    .map_err(failed)?;
    if ours.is_none() {
        return Err(SinkError::Fenced { place }.into());
    }
    let rows: Vec<i64> = refused.iter().map(|reject| signed(reject.row)).collect();
    let taken = sqlx::query(AssertSqlSafe(format!(
        "DELETE FROM {} WHERE {} = ANY ($1)",
        stage.table, marks.row
    )))
    .bind(&rows)
    .execute(&mut *connection)
    .await
    .map_err(failed)?;
    if taken.rows_affected() == 0 {
        // A COMMIT of ours, whose reply was lost, has done it.
        return statement(connection, "ROLLBACK", &place).await;
    }
    let chunks = runs::chunks(connection, &journal, options, run).await?;
    let mut of_chunk: BTreeMap<usize, Vec<Reject>> = BTreeMap::new();
    for reject in refused {
        let behind = chunks.partition_point(|chunk| chunk.first_row <= reject.row);
        let chunk = behind.saturating_sub(1);
        of_chunk.entry(chunk).or_default().push(reject.clone());
    }
    for (chunk, rejects) in of_chunk {
        let Some(record) = chunks.get(chunk) else {
            continue;
        };
        let mut record = record.clone();
        record.refuse(&rejects, ending.revise);
        for reject in &rejects {
            write(connection, &journal, run, record.index, reject)
                .await
                .map_err(failed)?;
        }
        sqlx::query(AssertSqlSafe(format!(
            "UPDATE {} SET stored = $3, rejected = $4, summary = $5 WHERE run = $1 AND chunk = $2",
            journal.chunk
        )))
        .bind(run)
        .bind(signed(record.index))
        .bind(signed(record.rows.stored))
        .bind(signed(record.rows.rejected))
        .bind(&record.summary)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    }
    statement(connection, "COMMIT", &place).await
}

async fn write(
    connection: &mut PgConnection,
    journal: &Journal,
    run: &str,
    chunk: u64,
    reject: &Reject,
) -> sqlx::Result<()> {
    let violations = serde_json::to_string(&reject.violations)
        .map_err(|problem| sqlx::Error::Encode(problem.into()))?;
    sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO {} (run, chunk, \"row\", line, violations, file) \
         VALUES ($1, $2, $3, $4, $5::text::json, $6)",
        journal.reject
    )))
    .bind(run)
    .bind(signed(chunk))
    .bind(signed(reject.row))
    .bind(reject.line.map(signed))
    .bind(violations)
    .bind(reject.file.as_deref())
    .execute(connection)
    .await
    .map(drop)
}
