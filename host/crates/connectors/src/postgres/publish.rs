//! How a run ends on the server: what was staged becomes public, and the books are closed, in one
//! transaction; or what a run without a chunk left behind goes.
//!
//! Owns the statements of both; refuses to publish for a runner whose run was taken over.

use glovebox_core::{Reject, Revise, Schema, SinkError, Totals};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::books::Books;
use super::keys;
use super::name::Name;
use super::refusal::{Fault, fault, of_row};
use super::runs::{self, Turn, signed};
use super::session::{BEGIN, lock_timeout, statement};
use super::stage::Stage;
use super::table;
use super::{Mode, Options, refused, sequences};
use crate::database::quote_all;
use crate::database::sift::Budget;

/// The savepoint before the rows are moved.
const ROWS: &str = "glovebox_rows";

/// What is to be published, and as what.
pub(super) struct Ending<'a> {
    pub(super) options: &'a Options,
    pub(super) schema: &'a Schema,
    pub(super) turn: &'a Turn,
    /// The target's quoted name.
    pub(super) target: &'a str,
    pub(super) stage: Option<&'a Stage>,
    pub(super) revise: Revise,
    /// What the search for refused rows may still cost the run.
    pub(super) budget: &'a Budget,
    /// Whether the target was created by this run.
    pub(super) created: bool,
}

/// What is known of the attempts to publish.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    /// Whether the COMMIT is on its way.
    pub(super) sent: bool,
    /// Rows that the target refused, and that may have been set aside.
    pub(super) refused: Vec<Reject>,
}

/// Publishes and closes the books, once; or sets the rows aside that the target refuses, and
/// publishes nothing.
pub(super) async fn finish(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    totals: &Totals,
    attempt: &mut Attempt,
) -> Result<(), Fault> {
    let marked = ending.stage.and_then(|s| Some((s, s.marks.as_ref()?)));
    if let (Some((stage, marks)), true) = (marked, attempt.refused.is_empty()) {
        match publish_all(connection, ending, totals, attempt).await? {
            Published::All => return Ok(()),
            Published::Refused => {
                attempt.refused = refused::find(connection, ending, stage, marks).await?;
                statement(connection, "ROLLBACK", &ending.options.place()).await?;
            }
        }
    }
    if let (Some((stage, marks)), false) = (marked, attempt.refused.is_empty()) {
        return refused::set_aside(connection, ending, stage, marks, &attempt.refused).await;
    }
    match publish_all(connection, ending, totals, attempt).await? {
        Published::All => Ok(()),
        Published::Refused => Err(SinkError::Internal {
            place: ending.options.place(),
            problem: "rows that are refused together are taken one by one".into(),
        }
        .into()),
    }
}

/// What became of it.
enum Published {
    /// All of it is public.
    All,
    /// The target refused a row; the transaction is as it was before the rows.
    Refused,
}

async fn publish_all(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    totals: &Totals,
    attempt: &mut Attempt,
) -> Result<Published, Fault> {
    let options = ending.options;
    let place = options.place();
    let books = Books::new(options);
    statement(connection, BEGIN, &place).await?;
    // First, since its lock keeps others from taking the run over until all is public.
    let closed = sqlx::query(AssertSqlSafe(format!(
        "UPDATE {} SET state = 'finished', finished = pg_catalog.clock_timestamp(), digest = $3, \
         read = $4, stored = $5, filtered = $6, rejected = $7 \
         WHERE run = $1 AND epoch = $2 AND state = 'running'",
        books.run
    )))
    .bind(&ending.turn.run)
    .bind(ending.turn.epoch)
    .bind(totals.digest.as_slice())
    .bind(signed(totals.rows.read))
    .bind(signed(totals.rows.stored))
    .bind(signed(totals.rows.filtered))
    .bind(signed(totals.rows.rejected))
    .execute(&mut *connection)
    .await
    .map_err(|e| fault(e, &place))?;
    if closed.rows_affected() == 0 {
        ours(connection, &books, ending).await?;
        return Ok(Published::All);
    }
    if let Some(stage) = ending.stage {
        statement(
            connection,
            &lock_timeout(options.retry_for.max(options.connect_timeout)),
            &place,
        )
        .await?;
        if let Published::Refused = publish(connection, ending, stage).await? {
            return Ok(Published::Refused);
        }
        let drop = format!("DROP TABLE {}", stage.table);
        statement(connection, &drop, &place).await?;
    }
    sequences::forward(connection, ending).await?;
    attempt.sent = true;
    statement(connection, "COMMIT", &place).await?;
    Ok(Published::All)
}

/// Whether a COMMIT of ours, whose reply was lost, has closed the books.
async fn ours(
    connection: &mut PgConnection,
    books: &Books,
    ending: &Ending<'_>,
) -> Result<(), Fault> {
    let place = ending.options.place();
    let closed: bool = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT EXISTS (SELECT FROM {} WHERE run = $1 AND epoch = $2 AND state = 'finished')",
        books.run
    )))
    .bind(&ending.turn.run)
    .bind(ending.turn.epoch)
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

async fn publish(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    stage: &Stage,
) -> Result<Published, Fault> {
    let Ending {
        options,
        schema,
        target,
        ..
    } = ending;
    let place = options.place();
    let name = Name::parse(options)?;
    match table::find(connection, &name, options).await? {
        Some(found) => {
            found.permits(options)?;
            // Readers go on with the old rows; other writers wait.
            let lock = format!("LOCK TABLE {target} IN SHARE ROW EXCLUSIVE MODE");
            statement(connection, &lock, &place).await?;
            table::check(connection, &found, schema, options).await?;
        }
        // Created here and not renamed, so that the default privileges of its schema hold for it.
        None => {
            let create = table::create(target, schema, options);
            statement(connection, &create, &place).await?;
        }
    }
    if options.mode == Mode::Replace {
        // Not TRUNCATE: it would shut readers out until the commit. The price is that the old
        // rows take up room until the next VACUUM.
        statement(connection, &format!("DELETE FROM {target}"), &place).await?;
    }
    // Else the server might begin in the middle of the rows, and `ordered` says from the first.
    statement(connection, "SET LOCAL synchronize_seqscans = off", &place).await?;
    if stage.marks.is_some() {
        statement(connection, &format!("SAVEPOINT {ROWS}"), &place).await?;
    }
    let placed = match move_rows(connection, ending, stage, "").await {
        Ok(placed) => placed,
        Err(error) if stage.marks.is_some() && of_row(&error).is_some() => {
            let back = format!("ROLLBACK TO SAVEPOINT {ROWS}");
            statement(connection, &back, &place).await?;
            return Ok(Published::Refused);
        }
        Err(error) => return Err(fault(error, &place)),
    };
    let books = Books::new(options);
    let stored = runs::stored(connection, &books, options, &ending.turn.run).await?;
    if options.mode == Mode::Replace && placed != stored {
        let problem = format!(
            "its staging table holds {placed} rows, but the books say {stored}: another program \
             has changed one of them; run anew with `--again`"
        );
        return Err(books.misfit(problem).into());
    }
    Ok(Published::All)
}

/// Moves the staged rows, or those of them that the condition leaves, into the target, and has
/// constraints looked at that would wait for the COMMIT.
pub(super) async fn move_rows(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    stage: &Stage,
    within: &str,
) -> sqlx::Result<u64> {
    let Ending {
        options,
        schema,
        target,
        ..
    } = ending;
    let names = || schema.fields.iter().map(|field| &*field.name);
    let columns = quote_all(names());
    // COPY fills identity columns as it is told; so does this.
    let insert = format!("INSERT INTO {target} ({columns}) OVERRIDING SYSTEM VALUE");
    let sql = match &stage.marks {
        Some(marks) if options.mode == Mode::Upsert => {
            let keys = keys::quoted(options);
            format!(
                "{insert} SELECT DISTINCT ON ({keys}) {columns} FROM {} {within} \
                 ORDER BY {keys}, {} DESC {}",
                stage.table,
                marks.row,
                keys::on_conflict(options, names())
            )
        }
        _ => format!("{insert} SELECT {columns} FROM {} {within}", stage.table),
    };
    let placed = sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut *connection)
        .await?
        .rows_affected();
    let checks = "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED";
    sqlx::raw_sql(checks).execute(connection).await?;
    Ok(placed)
}

/// Removes a run of which no chunk is stored, and what was made for it.
pub(super) async fn clear(connection: &mut PgConnection, ending: &Ending<'_>) -> Result<(), Fault> {
    let options = ending.options;
    let place = options.place();
    let books = Books::new(options);
    statement(connection, BEGIN, &place).await?;
    statement(connection, &lock_timeout(options.connect_timeout), &place).await?;
    let removed = sqlx::query(AssertSqlSafe(format!(
        "DELETE FROM {} r WHERE run = $1 AND epoch = $2 AND state = 'running' \
         AND NOT EXISTS (SELECT FROM {} c WHERE c.run = r.run)",
        books.run, books.chunk
    )))
    .bind(&ending.turn.run)
    .bind(ending.turn.epoch)
    .execute(&mut *connection)
    .await
    .map_err(|e| fault(e, &place))?;
    if removed.rows_affected() == 0 {
        return statement(connection, "ROLLBACK", &place).await;
    }
    runs::drop_stage(connection, &books, options, &ending.turn.run).await?;
    if ending.created {
        let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", ending.target);
        statement(connection, &lock, &place).await?;
        let used: bool = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT EXISTS (SELECT FROM {})",
            ending.target
        )))
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
