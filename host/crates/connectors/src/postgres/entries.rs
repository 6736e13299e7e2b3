//! What is written down of a group in the run's journal, in the transaction of its rows.

use std::borrow::Cow;
use std::collections::BTreeSet;

use glovebox_core::{Reject, SealedBlock, SinkError};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::group::{Group, Rejects, by_chunk};
use super::load::Load;
use super::refusal::{Fault, fault};
use super::session::statement;
use crate::database::journal::signed;

/// The rejects of refused rows.
pub(super) fn late(
    load: &Load,
    group: &Group,
    refused: &[(usize, Reject)],
) -> Result<Rejects, SinkError> {
    let mut late = Rejects::default();
    for (chunk, reject) in refused {
        let index = group.index.get(*chunk).copied().unwrap_or_default();
        late.add(index, reject)
            .map_err(|problem| load.internal(problem))?;
    }
    Ok(late)
}

/// The cells of refused rows, encrypted, if the chunks keep them.
pub(super) fn late_blocks(
    load: &Load,
    group: &Group,
    refused: &[(usize, Reject)],
) -> Result<Vec<SealedBlock>, SinkError> {
    let mut blocks = Vec::new();
    for (chunk, rejects) in by_chunk(refused) {
        let late = group.late.get(chunk).cloned().unwrap_or_default();
        let block = late.seal(&rejects);
        blocks.extend(block.map_err(|e| load.internal(&e.to_string()))?);
    }
    Ok(blocks)
}

/// That the run was given up, if that is why its staging table is gone.
pub(super) async fn unless_fenced(
    connection: &mut PgConnection,
    load: &Load,
    error: Fault,
) -> Fault {
    if matches!(error, Fault::Passing(_))
        || statement(connection, "ROLLBACK", &load.place)
            .await
            .is_err()
    {
        return error;
    }
    let ours = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT EXISTS (SELECT FROM {} WHERE run = $1 AND epoch = $2 AND state = 'running')",
        load.journal.run
    )))
    .bind(&load.lease.run)
    .bind(load.lease.epoch)
    .fetch_one(connection)
    .await;
    match ours {
        Ok(false) => SinkError::Fenced {
            place: load.place.clone(),
        }
        .into(),
        _ => error,
    }
}

/// Arrays of texts that are cast, since a JSON array of all would be read as JSON, which no NUL in
/// a plugin's message would survive.
pub(super) async fn rejects(
    connection: &mut PgConnection,
    load: &Load,
    rejects: &Rejects,
) -> sqlx::Result<()> {
    if rejects.row.is_empty() {
        return Ok(());
    }
    sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO {} (run, chunk, \"row\", line, violations, file) \
         SELECT $1, chunk, \"row\", line, violations::json, file \
         FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::text[], $6::text[]) \
         AS rejects (chunk, \"row\", line, violations, file)",
        load.journal.reject
    )))
    .bind(&load.lease.run)
    .bind(&rejects.chunk)
    .bind(&rejects.row)
    .bind(&rejects.line)
    .bind(&rejects.violations)
    .bind(&rejects.file)
    .execute(connection)
    .await
    .map(drop)
}

/// Writes the chunks down if the run is still ours. That is read off the run's line, which stays
/// locked until the commit: who takes the run over waits for us, or we see that it was taken.
pub(super) async fn journal(
    connection: &mut PgConnection,
    load: &Load,
    group: &Group,
    refused: &[(usize, Reject)],
) -> sqlx::Result<u64> {
    let mut stored = Cow::from(&group.stored);
    let mut rejected = Cow::from(&group.rejected);
    let mut summary = Cow::from(&group.summary);
    for (chunk, late) in &by_chunk(refused) {
        if let (Some(stored), Some(rejected), Some(summary)) = (
            stored.to_mut().get_mut(*chunk),
            rejected.to_mut().get_mut(*chunk),
            summary.to_mut().get_mut(*chunk),
        ) {
            let count = signed(late.len() as u64);
            *stored -= count;
            *rejected += count;
            *summary = (load.revise.0)(summary, late);
        }
    }
    sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO {} (run, chunk, first_row, read, stored, filtered, rejected, digest, summary, \
         lines, upto) SELECT $1, chunks.* \
         FROM unnest($3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[], \
                     $9::bytea[], $10::text[], $11::int8[], $12::bytea[]) AS chunks, \
              (SELECT 1 FROM {} WHERE run = $1 AND epoch = $2 AND state = 'running' FOR SHARE) ours",
        load.journal.chunk, load.journal.run
    )))
    .bind(&load.lease.run)
    .bind(load.lease.epoch)
    .bind(&group.index)
    .bind(&group.first_row)
    .bind(&group.read)
    .bind(&*stored)
    .bind(&group.filtered)
    .bind(&*rejected)
    .bind(&group.digest)
    .bind(&*summary)
    .bind(&group.lines)
    .bind(&group.upto)
    .execute(connection)
    .await
    .map(|done| done.rows_affected())
}

/// The places in a group of the chunks that the journal has.
pub(super) async fn stored_alike(
    connection: &mut PgConnection,
    load: &Load,
    group: &Group,
) -> Result<BTreeSet<usize>, Fault> {
    let found: Vec<(i64, Vec<u8>)> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT chunk, digest FROM {} WHERE run = $1 AND chunk = ANY ($2)",
        load.journal.chunk
    )))
    .bind(&load.lease.run)
    .bind(&group.index)
    .fetch_all(connection)
    .await
    .map_err(|e| fault(e, &load.place))?;
    let mut there = BTreeSet::new();
    for (index, digest) in found {
        let place = group.index.iter().position(|chunk| *chunk == index);
        let place = place.filter(|place| group.digest.get(*place) == Some(&digest));
        let other = || load.internal("the journal has another chunk in the place of one");
        there.insert(place.ok_or_else(other)?);
    }
    Ok(there)
}

/// Whether the journal has the group: all of it or nothing, as it was one transaction.
pub(super) async fn is_stored(
    connection: &mut PgConnection,
    load: &Load,
    group: &Group,
) -> Result<bool, Fault> {
    let found: i64 = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT count(*) FROM {} WHERE run = $1 AND chunk = ANY ($2)",
        load.journal.chunk
    )))
    .bind(&load.lease.run)
    .bind(&group.index)
    .fetch_one(connection)
    .await
    .map_err(|e| fault(e, &load.place))?;
    match found {
        0 => Ok(false),
        n if n == signed(group.index.len() as u64) => Ok(true),
        _ => Err(SinkError::Fenced {
            place: load.place.clone(),
        }
        .into()),
    }
}
