//! One connection's work: a group of chunks, its rejects and its journal, in one transaction.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use glovebox_core::{FinishedChunk, Late, Origin, Payload, Reject, Revise, SealedBlock, SinkError};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::copy;
use super::counted::Counted;
use super::journal::Journal;
use super::refusal::{Fault, fault, is_duplicate, named_row, of_row};
use super::runs::Lease;
use super::sealed;
use super::session::{BEGIN, statement};
use super::tokens::{self, Tokens};
use crate::database::journal::{signed, unsigned};
use crate::database::sift::{Budget, Ended, Places, Tried, sift, spent};

/// Bytes of one message of a COPY; sqlx buffers a whole one.
const MESSAGE_BYTES: usize = 256 << 10;
/// The savepoint before the rows of a COPY.
const ROWS: &str = "glovebox_rows";
/// Has what waits for the COMMIT looked at now: there no row could be told from another. Behind the
/// rows, since triggers may write what only all of it together makes whole.
const SETTLE: &str = "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED";
/// What a reject weighs beside payloads, in bytes.
const REJECT_BYTES: usize = 256;

/// What writers have to know of a run.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) place: String,
    pub(super) journal: Journal,
    pub(super) lease: Lease,
    /// The statement that takes the rows.
    pub(super) copy: String,
    /// The quoted name of the table that it fills.
    pub(super) into: String,
    /// The same as the server's messages have it.
    pub(super) table: String,
    pub(super) revise: Revise,
    /// What the search for refused rows may still cost the run.
    pub(super) budget: Arc<Budget>,
    /// Where tokens are kept.
    pub(super) tokens: tokens::Tables,
    pub(super) stored_tokens: tokens::Stored,
}

impl Load {
    fn counted(&self) -> Counted<'_> {
        Counted {
            table: &self.into,
            place: &self.place,
        }
    }
}

/// What is known of the attempts to store a group.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    /// Whether a COMMIT is on its way.
    sent: bool,
    /// The rows that were refused before it: the chunk's place in the group, and the reject.
    refused: Vec<(usize, Reject)>,
}

impl Attempt {
    /// The rejects of rows that had counted as stored.
    pub(super) fn into_rejects(self) -> impl Iterator<Item = Reject> {
        self.refused.into_iter().map(|(_, reject)| reject)
    }
}

/// Chunks that are stored together, without their payloads.
#[derive(Debug, Default)]
pub(super) struct Group {
    payloads: Vec<Vec<u8>>,
    /// Of each payload its chunk's place in the group, and where its rows stood.
    places: Vec<(usize, Vec<(Origin, usize)>)>,
    bytes: usize,
    index: Vec<i64>,
    first_row: Vec<i64>,
    read: Vec<i64>,
    stored: Vec<i64>,
    filtered: Vec<i64>,
    rejected: Vec<i64>,
    digest: Vec<Vec<u8>>,
    summary: Vec<String>,
    lines: Vec<Option<i64>>,
    upto: Vec<Option<Vec<u8>>>,
    rejects: Rejects,
    sealed: Vec<SealedBlock>,
    /// Of each chunk what encrypts the rows that the server refuses.
    late: Vec<Late>,
    tokens: Tokens,
}

/// Rejects, a column each.
#[derive(Debug, Default)]
struct Rejects {
    chunk: Vec<i64>,
    row: Vec<i64>,
    line: Vec<Option<i64>>,
    violations: Vec<String>,
    file: Vec<Option<String>>,
}

impl Rejects {
    /// Adds a reject of that chunk, and says what it weighs.
    fn add(&mut self, chunk: i64, reject: &Reject) -> Result<usize, &'static str> {
        let violations = serde_json::to_string(&reject.violations)
            .map_err(|_| "violations are not to be written as JSON")?;
        let weight = violations.len() + REJECT_BYTES;
        self.chunk.push(chunk);
        self.row.push(signed(reject.row));
        self.line.push(reject.line.map(signed));
        self.violations.push(violations);
        self.file.push(reject.file.as_deref().map(str::to_owned));
        Ok(weight)
    }
}

impl Group {
    /// Adds a chunk, if its payload is what a COPY takes.
    pub(super) fn add(&mut self, chunk: FinishedChunk) -> Result<(), &'static str> {
        match chunk.encoded.payload {
            Payload::Bytes(bytes) => {
                self.bytes += bytes.len();
                self.payloads.push(bytes);
                self.places.push((self.index.len(), chunk.encoded.origins));
            }
            Payload::Empty => {}
            Payload::Batches(_) => return Err("COPY takes bytes, not columns"),
        }
        let record = chunk.record;
        let index = signed(record.index);
        for reject in &chunk.rejects {
            self.bytes += self.rejects.add(index, reject)?;
        }
        self.bytes += record.summary.len() + self.tokens.add(chunk.tokens);
        self.bytes += chunk
            .sealed
            .iter()
            .map(|block| block.line.len())
            .sum::<usize>();
        self.sealed.extend(chunk.sealed);
        self.late.push(chunk.late);
        self.index.push(index);
        self.first_row.push(signed(record.first_row));
        self.read.push(signed(record.rows.read));
        self.stored.push(signed(record.rows.stored));
        self.filtered.push(signed(record.rows.filtered));
        self.rejected.push(signed(record.rows.rejected));
        self.digest.push(record.digest.to_vec());
        self.summary.push(record.summary);
        self.lines.push(record.upto.map(|mark| signed(mark.lines)));
        self.upto.push(record.upto.map(|mark| mark.digest.to_vec()));
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// What it holds in memory, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Stores a group, unless it is stored. Rows that the server refuses by a rule of the table are
/// set aside, in the same transaction.
pub(super) async fn store(
    connection: &mut PgConnection,
    load: &Load,
    group: &Group,
    attempt: &mut Attempt,
) -> Result<(), Fault> {
    if attempt.sent && is_stored(connection, load, group).await? {
        return Ok(());
    }
    let begin = format!("{BEGIN}; SAVEPOINT {ROWS}");
    statement(connection, &begin, &load.place).await?;
    attempt.refused.clear();
    let counted = load.counted();
    let before = counted.activity(connection).await?;
    match rows(connection, load, group).await {
        Ok(Some(taken)) => {
            let sent = group.stored.iter().copied().map(unsigned).sum();
            counted.once_each(connection, sent, taken, before).await?;
        }
        Ok(None) => {}
        Err(e) if of_row(&e).is_some() => {
            attempt.refused = sifted(connection, load, group).await?;
        }
        Err(e) => {
            let error = fault(e, &load.place);
            return Err(unless_fenced(connection, load, error).await);
        }
    }
    group
        .tokens
        .store(
            connection,
            &load.tokens,
            &load.stored_tokens,
            &load.lease.run,
        )
        .await
        .map_err(|e| fault(e, &load.place))?;
    rejects(connection, load, &group.rejects)
        .await
        .map_err(|e| fault(e, &load.place))?;
    sealed::write(connection, &load.journal, &load.lease.run, &group.sealed)
        .await
        .map_err(|e| fault(e, &load.place))?;
    if !attempt.refused.is_empty() {
        let late = late(load, group, &attempt.refused)?;
        rejects(connection, load, &late)
            .await
            .map_err(|e| fault(e, &load.place))?;
        let late = late_blocks(load, group, &attempt.refused)?;
        sealed::write(connection, &load.journal, &load.lease.run, &late)
            .await
            .map_err(|e| fault(e, &load.place))?;
    }
    match journal(connection, load, group, &attempt.refused).await {
        Ok(written) if written == group.index.len() as u64 => {}
        Ok(_) => {
            return Err(SinkError::Fenced {
                place: load.place.clone(),
            }
            .into());
        }
        // A COMMIT of ours without a reply took effect after we looked; or another runner was
        // quicker, and then the fence says so.
        Err(e) if is_duplicate(&e) => {
            statement(connection, "ROLLBACK", &load.place).await?;
            return if is_stored(connection, load, group).await? && attempt.sent {
                Ok(())
            } else {
                Err(SinkError::Fenced {
                    place: load.place.clone(),
                }
                .into())
            };
        }
        Err(e) => return Err(fault(e, &load.place)),
    }
    attempt.sent = true;
    statement(connection, "COMMIT", &load.place).await?;
    load.stored_tokens.add(&group.tokens);
    Ok(())
}

fn late(load: &Load, group: &Group, refused: &[(usize, Reject)]) -> Result<Rejects, SinkError> {
    let mut late = Rejects::default();
    for (chunk, reject) in refused {
        let index = group.index.get(*chunk).copied().unwrap_or_default();
        late.add(index, reject)
            .map_err(|problem| internal(load, problem))?;
    }
    Ok(late)
}

/// The cells of refused rows, encrypted, if the chunks keep them.
fn late_blocks(
    load: &Load,
    group: &Group,
    refused: &[(usize, Reject)],
) -> Result<Vec<SealedBlock>, SinkError> {
    let mut blocks = Vec::new();
    for (chunk, rejects) in by_chunk(refused) {
        let late = group.late.get(chunk).cloned().unwrap_or_default();
        let block = late.seal(&rejects);
        blocks.extend(block.map_err(|e| internal(load, &e.to_string()))?);
    }
    Ok(blocks)
}

/// Refused rows by their chunk's place in the group.
fn by_chunk(refused: &[(usize, Reject)]) -> BTreeMap<usize, Vec<Reject>> {
    let mut by_chunk: BTreeMap<usize, Vec<Reject>> = BTreeMap::new();
    for (chunk, reject) in refused {
        by_chunk.entry(*chunk).or_default().push(reject.clone());
    }
    by_chunk
}

fn internal(load: &Load, problem: &str) -> SinkError {
    SinkError::Internal {
        place: load.place.clone(),
        problem: problem.into(),
    }
}

/// Stores the rows that the table takes, after it refused them together, and returns the others,
/// each with its chunk's place in the group.
async fn sifted(
    connection: &mut PgConnection,
    load: &Load,
    group: &Group,
) -> Result<Vec<(usize, Reject)>, Fault> {
    let mut tuples: Vec<&[u8]> = Vec::new();
    let mut places = Places::default();
    let mut chunks = Vec::new();
    for (payload, (chunk, origins)) in group.payloads.iter().zip(&group.places) {
        let ends =
            copy::ends(payload).ok_or_else(|| internal(load, "a COPY stream has no such end"))?;
        let mut start = 0;
        for end in ends {
            tuples.push(payload.get(start..end).unwrap_or_default());
            start = end;
        }
        places.extend(origins);
        chunks.push((tuples.len(), *chunk));
    }
    let back = format!("ROLLBACK TO SAVEPOINT {ROWS}");
    statement(connection, &back, &load.place).await?;
    let all = tuples.len();
    let found = sift(0..all, &load.budget, async |rows| {
        let pieces = tuples.get(rows.clone()).unwrap_or_default();
        // Each piece by itself: the server counts what was taken back, too.
        let counted = load.counted();
        let before = counted.activity(connection).await?;
        let error = match copy_in(connection, load, pieces).await {
            Ok(taken) => {
                let sent = pieces.len() as u64;
                counted.once_each(connection, sent, taken, before).await?;
                // The savepoint behind them, so that no later one takes them back.
                let keep = format!("RELEASE SAVEPOINT {ROWS}; SAVEPOINT {ROWS}");
                statement(connection, &keep, &load.place).await?;
                return Ok(Tried::Taken);
            }
            Err(error) => error,
        };
        let Some(refusal) = of_row(&error) else {
            return Err(fault(error, &load.place));
        };
        let hint = named_row(&error, &load.table).map(|row| rows.start + row);
        statement(connection, &back, &load.place).await?;
        Ok(Tried::Refused(refusal, hint))
    })
    .await;
    let found = found.map_err(|ended| match ended {
        Ended::Failed(fault) => fault,
        Ended::Spent(refusal) => spent(&load.place, &refusal).into(),
    })?;
    let mut refused = Vec::with_capacity(found.len());
    for (row, refusal) in found {
        let chunk = chunks.iter().find(|(end, _)| row < *end);
        let reject = places.reject(row, &refusal);
        let (Some((_, chunk)), Some(reject)) = (chunk, reject) else {
            return Err(internal(load, "a row of a COPY stream has no place").into());
        };
        refused.push((*chunk, reject));
    }
    Ok(refused)
}

/// A few tuples.
async fn copy_in(
    connection: &mut PgConnection,
    load: &Load,
    tuples: &[&[u8]],
) -> sqlx::Result<u64> {
    let mut stream = connection.copy_in_raw(&load.copy).await?;
    let mut message = copy::HEADER.to_vec();
    for tuple in tuples {
        message.extend_from_slice(tuple);
        if message.len() >= MESSAGE_BYTES {
            stream.send(message.as_slice()).await?;
            message.clear();
        }
    }
    message.extend_from_slice(copy::TRAILER);
    stream.send(message.as_slice()).await?;
    let taken = stream.finish().await?;
    settle(connection).await?;
    Ok(taken)
}

async fn settle(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql(SETTLE).execute(connection).await.map(drop)
}

/// That the run was given up, if that is why its staging table is gone.
async fn unless_fenced(connection: &mut PgConnection, load: &Load, error: Fault) -> Fault {
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

/// Sends the rows, if there are any; gives how many the server says it took.
async fn rows(
    connection: &mut PgConnection,
    load: &Load,
    group: &Group,
) -> sqlx::Result<Option<u64>> {
    if group.payloads.iter().all(Vec::is_empty) {
        return Ok(None);
    }
    let mut stream = connection.copy_in_raw(&load.copy).await?;
    stream.send(copy::HEADER).await?;
    for message in group
        .payloads
        .iter()
        .flat_map(|tuples| tuples.chunks(MESSAGE_BYTES))
    {
        stream.send(message).await?;
    }
    stream.send(copy::TRAILER).await?;
    let taken = stream.finish().await?;
    settle(connection).await?;
    Ok(Some(taken))
}

/// Arrays of texts that are cast, since a JSON array of all would be read as JSON, which no NUL in
/// a plugin's message would survive.
async fn rejects(
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
async fn journal(
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

/// Whether the journal has the group: all of it or nothing, as it was one transaction.
async fn is_stored(
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
