//! How a run ends on the server: staged rows are published and the journal is closed, in one
//! transaction; or they are withheld; or the remains of a run without a chunk are removed.

use glovebox_core::{Published, SinkError, Totals};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::counted::Counted;
use super::ending::Ending;
use super::journal::Journal;
use super::move_in::MoveIn;
use super::name::Name;
use super::refusal::{Fault, fault};
use super::runs;
use super::session::{BEGIN, contend, lock_timeout, statement};
use super::stage::Stage;
use super::swap::{self, Swap};
use super::{Mode, effects, existing, refused, sequences, table};
use crate::database::journal::signed;

/// What is known of the attempts to publish.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    /// Whether the COMMIT is on its way.
    pub(super) sent: bool,
    pub(super) published: Published,
}

/// Publishes and closes the journal, once, unless what is there is to be kept; or sets the rows aside
/// that the target refuses, and publishes nothing.
pub(super) async fn finish(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    totals: &Totals,
    attempt: &mut Attempt,
) -> Result<(), Fault> {
    let marked = ending.stage.and_then(|s| Some((s, s.marks.as_ref()?)));
    if attempt.published.refused.is_empty() {
        let twin = match ending.stage.filter(|stage| stage.is_twin) {
            Some(twin) => match swap::ready(connection, ending, twin).await? {
                Swap::Done => Some(twin),
                Swap::Not(why) => {
                    moved(&why);
                    None
                }
            },
            None => None,
        };
        if publish_all(connection, ending, totals, twin, attempt).await? {
            return Ok(());
        }
        if let Some((stage, marks)) = marked {
            attempt.published.refused = refused::find(connection, ending, stage, marks).await?;
        }
        statement(connection, "ROLLBACK", &ending.options.place()).await?;
    }
    let refused = &attempt.published.refused;
    match marked {
        Some((stage, marks)) if !refused.is_empty() => {
            refused::set_aside(connection, ending, stage, marks, refused).await
        }
        _ => Err(SinkError::Internal {
            place: ending.options.place(),
            problem: "rows that are refused together are taken one by one".into(),
        }
        .into()),
    }
}

/// Says why rows are stored a second time, though they were to be stored once.
fn moved(why: &str) {
    tracing::info!(
        why,
        "the rows are moved into the table, since it cannot be replaced by another one now"
    );
}

/// Publishes and closes the journal. False if the target refused a row: then the transaction is open,
/// as it was before the rows were moved.
async fn publish_all(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    totals: &Totals,
    twin: Option<&Stage>,
    attempt: &mut Attempt,
) -> Result<bool, Fault> {
    let options = ending.options;
    let place = options.place();
    let journal = Journal::new(options);
    statement(connection, BEGIN, &place).await?;
    // First, since its lock keeps others from taking the run over until all is public.
    let closed = sqlx::query(AssertSqlSafe(format!(
        "UPDATE {} SET state = 'finished', finished = pg_catalog.clock_timestamp(), digest = $3, \
         read = $4, stored = $5, filtered = $6, rejected = $7, lines = $8 \
         WHERE run = $1 AND epoch = $2 AND state = 'running'",
        journal.run
    )))
    .bind(&ending.lease.run)
    .bind(ending.lease.epoch)
    .bind(totals.input.digest.as_slice())
    .bind(signed(totals.rows.read))
    .bind(signed(totals.rows.stored))
    .bind(signed(totals.rows.filtered))
    .bind(signed(totals.rows.rejected))
    .bind(signed(totals.input.lines))
    .execute(&mut *connection)
    .await
    .map_err(|e| fault(e, &place))?;
    if closed.rows_affected() == 0 {
        ours(connection, &journal, ending).await?;
        return Ok(true);
    }
    if let Some(stage) = ending.stage {
        runs::drop_horizon(connection, options, &ending.lease.run).await?;
        if options.mode == Mode::Replace {
            runs::give_up_others(connection, &journal, &place, &ending.lease.run).await?;
        }
        let exchanged = match twin {
            Some(twin) => match swap::exchange(connection, ending, twin).await? {
                Swap::Done => true,
                Swap::Not(why) => {
                    moved(&why);
                    false
                }
            },
            None => false,
        };
        statement(
            connection,
            &lock_timeout(options.retry_for.max(options.login.connect_timeout)),
            &place,
        )
        .await?;
        if !exchanged {
            let Some(published) = publish(connection, ending, stage).await? else {
                return Ok(false);
            };
            attempt.published = published;
            if attempt.published.kept {
                statement(connection, "ROLLBACK", &place).await?;
                return Ok(true);
            }
            let drop = format!("DROP TABLE {}", stage.table);
            statement(connection, &drop, &place).await?;
        }
    }
    sequences::forward(connection, ending).await?;
    attempt.sent = true;
    statement(connection, "COMMIT", &place).await?;
    Ok(true)
}

/// Whether a COMMIT of ours, whose reply was lost, has closed the journal.
async fn ours(
    connection: &mut PgConnection,
    journal: &Journal,
    ending: &Ending<'_>,
) -> Result<(), Fault> {
    let place = ending.options.place();
    let closed: bool = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT EXISTS (SELECT FROM {} WHERE run = $1 AND epoch = $2 AND state = 'finished')",
        journal.run
    )))
    .bind(&ending.lease.run)
    .bind(ending.lease.epoch)
    .fetch_one(&mut *connection)
    .await
    .map_err(|e| fault(e, &place))?;
    statement(connection, "ROLLBACK", &place).await?;
    if closed {
        Ok(())
    } else {
        Err(SinkError::Fenced { place }.into())
    }
}

/// None if the target refused a row.
async fn publish(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    stage: &Stage,
) -> Result<Option<Published>, Fault> {
    let Ending {
        options,
        schema,
        target,
        ..
    } = ending;
    let place = options.place();
    let name = Name::parse(options)?;
    let hooked = match existing::find_or_claim(connection, &name, options).await? {
        Some(found) => {
            found.permits(options)?;
            // Readers go on with the old rows; other writers wait.
            let lock = format!("LOCK TABLE {target} IN SHARE ROW EXCLUSIVE MODE");
            contend(connection, &lock, &place).await?;
            table::check(connection, &found, schema, options).await?;
            effects::has_any(connection, found.oid, &place).await?
        }
        // Created here and not renamed, so that the default privileges of its schema hold for it.
        None => {
            let create = table::create(target, schema, options);
            contend(connection, &create, &place).await?;
            false
        }
    };
    let move_in = MoveIn {
        ending,
        stage,
        counted: Counted {
            table: target,
            place: &place,
        },
        hooked,
    };
    // Else the server might begin in the middle of the rows, and `ordered` says from the first.
    statement(connection, "SET LOCAL synchronize_seqscans = off", &place).await?;
    match options.mode {
        Mode::Upsert => move_in.upsert(connection).await,
        Mode::Append | Mode::AppendWhole => move_in.append(connection).await,
        Mode::Replace => move_in.replace(connection).await,
    }
}

/// Gives the run up, with what was staged; what is there stays. Once: an earlier attempt of ours may
/// have done it.
pub(super) async fn withhold(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    totals: &Totals,
) -> Result<(), Fault> {
    let options = ending.options;
    let place = options.place();
    let journal = Journal::new(options);
    statement(connection, BEGIN, &place).await?;
    let ended: Option<i64> = sqlx::query_scalar(AssertSqlSafe(format!(
        "UPDATE {} SET state = 'abandoned', finished = pg_catalog.clock_timestamp(), digest = $3, \
         read = $4, stored = 0, filtered = $5, rejected = $6 \
         WHERE run = $1 AND epoch = $2 AND state IN ('running', 'abandoned') RETURNING epoch",
        journal.run
    )))
    .bind(&ending.lease.run)
    .bind(ending.lease.epoch)
    .bind(totals.input.digest.as_slice())
    .bind(signed(totals.rows.read))
    .bind(signed(totals.rows.filtered))
    .bind(signed(totals.rows.rejected))
    .fetch_optional(&mut *connection)
    .await
    .map_err(|e| fault(e, &place))?;
    if ended.is_none() {
        return Err(SinkError::Fenced { place }.into());
    }
    runs::drop_stage(connection, &journal, options, &ending.lease.run).await?;
    statement(connection, "COMMIT", &place).await
}

/// Removes a run of which no chunk is stored, and what was made for it.
pub(super) async fn clear(connection: &mut PgConnection, ending: &Ending<'_>) -> Result<(), Fault> {
    let options = ending.options;
    let place = options.place();
    let journal = Journal::new(options);
    statement(connection, BEGIN, &place).await?;
    statement(
        connection,
        &lock_timeout(options.login.connect_timeout),
        &place,
    )
    .await?;
    let removed = sqlx::query(AssertSqlSafe(format!(
        "DELETE FROM {} r WHERE run = $1 AND epoch = $2 AND state = 'running' \
         AND NOT EXISTS (SELECT FROM {} c WHERE c.run = r.run)",
        journal.run, journal.chunk
    )))
    .bind(&ending.lease.run)
    .bind(ending.lease.epoch)
    .execute(&mut *connection)
    .await
    .map_err(|e| fault(e, &place))?;
    if removed.rows_affected() == 0 {
        return statement(connection, "ROLLBACK", &place).await;
    }
    runs::drop_stage(connection, &journal, options, &ending.lease.run).await?;
    if ending.created {
        let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", ending.target);
        statement(connection, &lock, &place).await?;
        // Another run that has begun into it will find it, rows or not.
        let used: bool = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT EXISTS (SELECT FROM {}) OR EXISTS (SELECT FROM {} \
             WHERE target = $1 AND state = 'running')",
            ending.target, journal.run
        )))
        .bind(ending.known_as)
        .fetch_one(&mut *connection)
        .await
        .map_err(|e| fault(e, &place))?;
        if !used {
            let drop = format!("DROP TABLE {}", ending.target);
            statement(connection, &drop, &place).await?;
        }
    }
    statement(connection, "COMMIT", &place).await
}
