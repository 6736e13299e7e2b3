//! Chunks in the journal, with their rejects and sealed blocks.

use futures_util::TryStreamExt;
use glovebox_core::{
    ChunkRecord, FinishedChunk, KeptReject, Reject, Revise, SealedBlock, SinkError,
};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::lease::{Lease, epoch, held};
use super::refusal::refusal;
use crate::database::journal::{self, signed};

/// What [`journal::chunk`] reads.
const CHUNKS: &str = "SELECT chunk, first_row, \"read\", stored, filtered, rejected, digest, \
    summary, upto, lines FROM glovebox_chunk WHERE run = ?";

/// The chunks of a run, by their index.
pub(super) async fn chunks(
    connection: &mut SqliteConnection,
    run: &str,
) -> sqlx::Result<Vec<ChunkRecord>> {
    let chunks = sqlx::query(AssertSqlSafe(format!("{CHUNKS} ORDER BY chunk")))
        .bind(run)
        .fetch_all(connection)
        .await?;
    chunks.iter().map(journal::chunk).collect()
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
            let mut chunk = journal::chunk(&row)?;
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
        for row in &rows {
            let reject = journal::reject(row)?;
            after = signed(reject.row);
            each(reject);
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
        each(journal::sealed(&row)?);
    }
    Ok(())
}
