//! One connection's work: a group of chunks, its rejects and its journal, in one transaction.

use glovebox_core::{Reject, SinkError};
use sqlx::postgres::PgConnection;

use super::copy;
use super::entries::{is_stored, journal, late, late_blocks, rejects, stored_alike, unless_fenced};
use super::group::Group;
use super::load::Load;
use super::refusal::{Fault, fault, is_duplicate, named_row, of_row};
use super::sealed;
use super::session::{BEGIN, statement};
use crate::database::journal::unsigned;
use crate::database::sift::{Ended, Places, Tried, sift, spent};

/// Bytes of one message of a COPY; sqlx buffers a whole one.
const MESSAGE_BYTES: usize = 256 << 10;
/// The savepoint before the rows of a COPY.
const ROWS: &str = "glovebox_rows";
/// Has what waits for the COMMIT looked at now: there no row could be told from another. Behind the
/// rows, since triggers may write what only all of it together makes whole.
const SETTLE: &str = "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED";
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

/// Stores a group, unless it is stored.
pub(super) async fn store(
    connection: &mut PgConnection,
    load: &Load,
    group: &Group,
    attempt: &mut Attempt,
) -> Result<(), Fault> {
    if load.joined {
        return store_beside_others(connection, load, group, attempt).await;
    }
    if attempt.sent && is_stored(connection, load, group).await? {
        return Ok(());
    }
    let is_new = store_new(connection, load, group, attempt).await?;
    // A COMMIT of ours without a reply took effect after we looked; or another runner was quicker, and
    // then the fence says so.
    if is_new || is_stored(connection, load, group).await? && attempt.sent {
        return Ok(());
    }
    Err(SinkError::Fenced {
        place: load.place.clone(),
    }
    .into())
}

/// Stores the chunks of a group that no other process of the run has stored.
async fn store_beside_others(
    connection: &mut PgConnection,
    load: &Load,
    group: &Group,
    attempt: &mut Attempt,
) -> Result<(), Fault> {
    loop {
        // Before their rows are sent: a unique key would refuse them one by one.
        let there = stored_alike(connection, load, group).await?;
        if there.len() == group.index.len() {
            attempt.refused.clear();
            return Ok(());
        }
        let left = (!there.is_empty()).then(|| group.without(&there));
        let left = left.as_ref().unwrap_or(group);
        if store_new(connection, load, left, attempt).await? {
            return Ok(());
        }
    }
}

/// Stores a group; says no, and has changed nothing, where a chunk of it is stored already. Rows that the
/// server refuses by a rule of the table are set aside, in the same transaction.
async fn store_new(
    connection: &mut PgConnection,
    load: &Load,
    group: &Group,
    attempt: &mut Attempt,
) -> Result<bool, Fault> {
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
            let Some(refused) = sifted(connection, load, group).await? else {
                statement(connection, "ROLLBACK", &load.place).await?;
                return Ok(false);
            };
            attempt.refused = refused;
        }
        Err(e) => {
            let error = fault(e, &load.place);
            return Err(unless_fenced(connection, load, error).await);
        }
    }
    // Before what belongs to the rows: where another process was quicker, the chunk's key says so, and no other.
    match journal(connection, load, group, &attempt.refused).await {
        Ok(written) if written == group.index.len() as u64 => {}
        Ok(_) => {
            return Err(SinkError::Fenced {
                place: load.place.clone(),
            }
            .into());
        }
        Err(e) if is_duplicate(&e) => {
            statement(connection, "ROLLBACK", &load.place).await?;
            return Ok(false);
        }
        Err(e) => return Err(fault(e, &load.place)),
    }
    beside_rows(connection, load, group, attempt).await?;
    attempt.sent = true;
    statement(connection, "COMMIT", &load.place).await?;
    load.stored_tokens.add(&group.tokens);
    Ok(true)
}

/// Stores what belongs to a group's rows: tokens, rejects and sealed rejects, those that the table refused
/// included.
async fn beside_rows(
    connection: &mut PgConnection,
    load: &Load,
    group: &Group,
    attempt: &Attempt,
) -> Result<(), Fault> {
    let (run, failed) = (&load.lease.run, |e| fault(e, &load.place));
    let stored = group
        .tokens
        .store(connection, &load.tokens, &load.stored_tokens, run);
    stored.await.map_err(failed)?;
    let written = rejects(connection, load, &group.rejects).await;
    written.map_err(failed)?;
    let written = sealed::write(connection, &load.journal, run, &group.sealed).await;
    written.map_err(failed)?;
    if attempt.refused.is_empty() {
        return Ok(());
    }
    let late_rejects = late(load, group, &attempt.refused)?;
    let written = rejects(connection, load, &late_rejects).await;
    written.map_err(failed)?;
    let blocks = late_blocks(load, group, &attempt.refused)?;
    let written = sealed::write(connection, &load.journal, run, &blocks).await;
    written.map_err(failed)
}

/// Why rows are not looked for any more.
enum Stop {
    Fault(Fault),
    /// Another process of the run has stored a chunk of them, whose rows refuse these.
    Overtaken,
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Stop::Fault(fault)
    }
}

/// Stores the rows that the table takes, after it refused them together, and returns the others,
/// each with its chunk's place in the group; nothing where another process of the run was quicker.
async fn sifted(
    connection: &mut PgConnection,
    load: &Load,
    group: &Group,
) -> Result<Option<Vec<(usize, Reject)>>, Fault> {
    let mut tuples: Vec<&[u8]> = Vec::new();
    let mut places = Places::default();
    let mut chunks = Vec::new();
    for (payload, (chunk, origins)) in group.payloads.iter().zip(&group.places) {
        let ends =
            copy::ends(payload).ok_or_else(|| load.internal("a COPY stream has no such end"))?;
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
        let Some(mut refusal) = of_row(&error) else {
            return Err(fault(error, &load.place).into());
        };
        refusal.message = load.named(&refusal.message);
        let hint = named_row(&error, &load.table).map(|row| rows.start + row);
        statement(connection, &back, &load.place).await?;
        // It may have waited for the other one's COMMIT, each time.
        if load.joined && !stored_alike(connection, load, group).await?.is_empty() {
            return Err(Stop::Overtaken);
        }
        Ok(Tried::Refused(refusal, hint))
    })
    .await;
    let found = match found {
        Ok(found) => found,
        Err(Ended::Failed(Stop::Overtaken)) => return Ok(None),
        Err(Ended::Failed(Stop::Fault(fault))) => return Err(fault),
        Err(Ended::Spent(refusal)) => return Err(spent(&load.place, &refusal).into()),
    };
    let mut refused = Vec::with_capacity(found.len());
    for (row, refusal) in found {
        let chunk = chunks.iter().find(|(end, _)| row < *end);
        let reject = places.reject(row, &refusal);
        let (Some((_, chunk)), Some(reject)) = (chunk, reject) else {
            return Err(load.internal("a row of a COPY stream has no place").into());
        };
        refused.push((*chunk, reject));
    }
    Ok(Some(refused))
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
