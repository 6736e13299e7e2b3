//! One connection's work: a group of chunks, its rejects and its books, in one transaction.
//!
//! Owns the order of statements from BEGIN to COMMIT and what a lost reply means; refuses to guess
//! whether a group is stored.

use glovebox_core::{FinishedChunk, Payload, SinkError};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::books::Books;
use super::copy;
use super::counted::Counted;
use super::refusal::{Fault, fault, is_duplicate};
use super::runs::{Turn, signed, unsigned};
use super::session::{BEGIN, statement};

/// Bytes of one message of a COPY; sqlx buffers a whole one.
const MESSAGE_BYTES: usize = 256 << 10;
/// What a reject weighs beside payloads, in bytes.
const REJECT_BYTES: usize = 256;

/// What lanes have to know of a run.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) place: String,
    pub(super) books: Books,
    pub(super) turn: Turn,
    /// The statement that takes the rows.
    pub(super) copy: String,
    /// The quoted name of the table that it fills.
    pub(super) into: String,
}

/// Chunks that are stored together, without their payloads.
#[derive(Debug, Default)]
pub(super) struct Group {
    payloads: Vec<Vec<u8>>,
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

impl Group {
    /// Adds a chunk, if its payload is what a COPY takes.
    pub(super) fn add(&mut self, chunk: FinishedChunk) -> Result<(), &'static str> {
        match chunk.encoded.payload {
            Payload::Bytes(bytes) => {
                self.bytes += bytes.len();
                self.payloads.push(bytes);
            }
            Payload::Empty => {}
            Payload::Batches(_) => return Err("COPY takes bytes, not columns"),
        }
        let record = chunk.record;
        let index = signed(record.index);
        for reject in chunk.rejects {
            self.rejects.chunk.push(index);
            self.rejects.row.push(signed(reject.row));
            self.rejects.line.push(reject.line.map(signed));
            let violations = serde_json::to_string(&reject.violations)
                .map_err(|_| "violations are not to be written as JSON")?;
            self.bytes += violations.len() + REJECT_BYTES;
            self.rejects.violations.push(violations);
            self.rejects.file.push(reject.file.map(|f| f.to_string()));
        }
        self.bytes += record.summary.len();
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

/// Stores a group, unless it is stored. `sent` is set once a COMMIT is on its way, and makes the
/// next attempt look first.
pub(super) async fn store(
    connection: &mut PgConnection,
    load: &Load,
    group: &Group,
    sent: &mut bool,
) -> Result<(), Fault> {
    if *sent && is_stored(connection, load, group).await? {
        return Ok(());
    }
    statement(connection, BEGIN, &load.place).await?;
    let counted = Counted {
        table: &load.into,
        place: &load.place,
    };
    let before = counted.activity(connection).await?;
    match rows(connection, load, group).await {
        Ok(Some(taken)) => {
            let sent = group.stored.iter().copied().map(unsigned).sum();
            counted.once_each(connection, sent, taken, before).await?;
        }
        Ok(None) => {}
        Err(e) => {
            let error = fault(e, &load.place);
            return Err(unless_fenced(connection, load, error).await);
        }
    }
    rejects(connection, load, &group.rejects)
        .await
        .map_err(|e| fault(e, &load.place))?;
    match books(connection, load, group).await {
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
            return if is_stored(connection, load, group).await? && *sent {
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
    *sent = true;
    statement(connection, "COMMIT", &load.place).await
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
        load.books.run
    )))
    .bind(&load.turn.run)
    .bind(load.turn.epoch)
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
    stream.finish().await.map(Some)
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
        load.books.reject
    )))
    .bind(&load.turn.run)
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
async fn books(connection: &mut PgConnection, load: &Load, group: &Group) -> sqlx::Result<u64> {
    sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO {} (run, chunk, first_row, read, stored, filtered, rejected, digest, summary, \
         lines, upto) SELECT $1, chunks.* \
         FROM unnest($3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[], \
                     $9::bytea[], $10::text[], $11::int8[], $12::bytea[]) AS chunks, \
              (SELECT 1 FROM {} WHERE run = $1 AND epoch = $2 AND state = 'running' FOR SHARE) ours",
        load.books.chunk, load.books.run
    )))
    .bind(&load.turn.run)
    .bind(load.turn.epoch)
    .bind(&group.index)
    .bind(&group.first_row)
    .bind(&group.read)
    .bind(&group.stored)
    .bind(&group.filtered)
    .bind(&group.rejected)
    .bind(&group.digest)
    .bind(&group.summary)
    .bind(&group.lines)
    .bind(&group.upto)
    .execute(connection)
    .await
    .map(|done| done.rows_affected())
}

/// Whether the books have the group: all of it or nothing, as it was one transaction.
async fn is_stored(
    connection: &mut PgConnection,
    load: &Load,
    group: &Group,
) -> Result<bool, Fault> {
    let found: i64 = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT count(*) FROM {} WHERE run = $1 AND chunk = ANY ($2)",
        load.books.chunk
    )))
    .bind(&load.turn.run)
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
