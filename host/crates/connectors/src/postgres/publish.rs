//! How a run ends on the server: what was staged becomes public, and the books are closed, in one
//! transaction; or what a run without a chunk left behind goes.
//!
//! Owns the statements of both; refuses to publish for a runner whose run was taken over.

use glovebox_core::{Schema, SinkError, Totals};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::begin::Stage;
use super::books::Books;
use super::keys;
use super::name::Name;
use super::refusal::{Fault, fault};
use super::runs::{self, Turn, signed};
use super::session::{BEGIN, lock_timeout, statement};
use super::table;
use super::{Mode, Options};
use crate::database::{quote, quote_all};

/// What is to be published, and as what.
pub(super) struct Ending<'a> {
    pub(super) options: &'a Options,
    pub(super) schema: &'a Schema,
    pub(super) turn: &'a Turn,
    /// The target's quoted name.
    pub(super) target: &'a str,
    pub(super) stage: Option<&'a Stage>,
    /// Whether the target was created by this run.
    pub(super) created: bool,
}

/// Closes the books, once. `sent` is set once the COMMIT is on its way.
pub(super) async fn finish(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    totals: &Totals,
    sent: &mut bool,
) -> Result<(), Fault> {
    let options = ending.options;
    let place = options.place();
    let books = Books::new(options);
    statement(connection, BEGIN, &place).await?;
    // First, since its lock keeps others from taking the run over until all is public.
    let closed = sqlx::query(AssertSqlSafe(format!(
        "UPDATE {} SET state = 'finished', finished = pg_catalog.clock_timestamp(), digest = $3, \
         read = $4, stored = $5, filtered = $6, rejected = $7, lines = $8 \
         WHERE run = $1 AND epoch = $2 AND state = 'running'",
        books.run
    )))
    .bind(&ending.turn.run)
    .bind(ending.turn.epoch)
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
        return ours(connection, &books, ending).await;
    }
    if let Some(stage) = ending.stage {
        statement(
            connection,
            &lock_timeout(options.retry_for.max(options.connect_timeout)),
            &place,
        )
        .await?;
        if options.mode == Mode::Replace {
            runs::give_up_others(connection, &books, &place, &ending.turn.run).await?;
        }
        publish(connection, ending, stage).await?;
        let drop = format!("DROP TABLE {}", stage.table);
        statement(connection, &drop, &place).await?;
    }
    *sent = true;
    statement(connection, "COMMIT", &place).await
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
) -> Result<(), Fault> {
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
    let names = || schema.fields.iter().map(|field| &*field.name);
    let columns = quote_all(names());
    // COPY fills identity columns as it is told; so does this.
    let insert = format!("INSERT INTO {target} ({columns}) OVERRIDING SYSTEM VALUE");
    let sql = match &stage.number {
        None => format!("{insert} SELECT {columns} FROM {}", stage.table),
        Some(number) => {
            let keys = keys::quoted(options);
            format!(
                "{insert} SELECT DISTINCT ON ({keys}) {columns} FROM {} ORDER BY {keys}, {} DESC {}",
                stage.table,
                quote(number),
                keys::on_conflict(options, names())
            )
        }
    };
    let placed = sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut *connection)
        .await
        .map_err(|e| fault(e, &place))?
        .rows_affected();
    let books = Books::new(options);
    let stored = runs::stored(connection, &books, options, &ending.turn.run).await?;
    if options.mode == Mode::Replace && placed != stored {
        let problem = format!(
            "its staging table holds {placed} rows, but the books say {stored}: another program \
             has changed one of them; run anew with `--again`"
        );
        return Err(books.misfit(problem).into());
    }
    Ok(())
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
