//! The journal's blocks of sealed rejects. Their table is made once a run has some to keep, so that
//! journals of runs without them stay as they are.

use futures_util::TryStreamExt;
use glovebox_core::SealedBlock;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::Options;
use super::journal::{CREATION, Journal};
use super::refusal::{Fault, fault};
use super::session::{contend, statement};
use crate::database::journal::{sealed, signed};
use crate::database::quote;

/// Makes the table, unless it is there, in the transaction that is open.
pub(super) async fn ready(
    connection: &mut PgConnection,
    journal: &Journal,
    options: &Options,
) -> Result<(), Fault> {
    let place = options.place();
    let create = format!(
        "CREATE TABLE {} (run text NOT NULL, chunk bigint NOT NULL, part bigint NOT NULL, \
         rows bigint NOT NULL, block text NOT NULL, PRIMARY KEY (run, chunk, part))",
        journal.sealed
    );
    if !is_there(connection, journal, options).await? {
        let lock = format!("SELECT pg_catalog.pg_advisory_xact_lock({CREATION})");
        statement(connection, &lock, &place).await?;
        // Whoever held the lock may have made it.
        if !is_there(connection, journal, options).await? {
            let may: bool =
                sqlx::query_scalar("SELECT pg_catalog.has_schema_privilege($1, 'CREATE')")
                    .bind(&options.journal)
                    .fetch_one(&mut *connection)
                    .await
                    .map_err(|e| fault(e, &place))?;
            if !may {
                let problem = format!(
                    "the role may not create the table for sealed rejects; have the schema's owner \
                     run: {create}; GRANT SELECT, INSERT ON {} TO {}",
                    journal.sealed,
                    quote(&options.login.user)
                );
                return Err(journal.misfit(problem).into());
            }
            contend(connection, &create, &place).await?;
        }
    }
    let usable: bool = sqlx::query_scalar(
        "SELECT pg_catalog.has_table_privilege($1, 'SELECT') \
         AND pg_catalog.has_table_privilege($1, 'INSERT')",
    )
    .bind(&journal.sealed)
    .fetch_one(connection)
    .await
    .map_err(|e| fault(e, &place))?;
    if usable {
        return Ok(());
    }
    let problem = format!(
        "the role may not keep sealed rejects there; have the table's owner run: GRANT SELECT, \
         INSERT ON {} TO {}",
        journal.sealed,
        quote(&options.login.user)
    );
    Err(journal.misfit(problem).into())
}

async fn is_there(
    connection: &mut PgConnection,
    journal: &Journal,
    options: &Options,
) -> Result<bool, Fault> {
    sqlx::query_scalar("SELECT pg_catalog.to_regclass($1) IS NOT NULL")
        .bind(&journal.sealed)
        .fetch_one(connection)
        .await
        .map_err(|e| fault(e, &options.place()))
}

/// Writes blocks down, in the transaction that is open.
pub(super) async fn write(
    connection: &mut PgConnection,
    journal: &Journal,
    run: &str,
    blocks: &[SealedBlock],
) -> sqlx::Result<()> {
    if blocks.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&SealedBlock) -> u64| -> Vec<i64> {
        blocks.iter().map(|block| signed(of(block))).collect()
    };
    let lines: Vec<&str> = blocks.iter().map(|block| block.line.as_str()).collect();
    sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO {} (run, chunk, part, rows, block) SELECT $1, blocks.* \
         FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::text[]) AS blocks",
        journal.sealed
    )))
    .bind(run)
    .bind(column(|block| block.chunk))
    .bind(column(|block| block.part.into()))
    .bind(column(|block| block.rows))
    .bind(lines)
    .execute(connection)
    .await
    .map(drop)
}

/// The blocks of a run behind `last`, by chunk and part; `last` follows what was given to `each`.
pub(super) async fn read(
    connection: &mut PgConnection,
    journal: &Journal,
    options: &Options,
    (run, last): (&str, &mut (i64, i64)),
    each: &mut dyn FnMut(SealedBlock),
) -> Result<(), Fault> {
    if !is_there(connection, journal, options).await? {
        return Ok(());
    }
    let place = options.place();
    let failed = |e| fault(e, &place);
    let sql = format!(
        "SELECT chunk, part, rows, block FROM {} WHERE run = $1 AND (chunk, part) > ($2, $3) \
         ORDER BY chunk, part",
        journal.sealed
    );
    let mut blocks = sqlx::query(AssertSqlSafe(sql))
        .bind(run)
        .bind(last.0)
        .bind(last.1)
        .fetch(connection);
    while let Some(row) = blocks.try_next().await.map_err(failed)? {
        let block = sealed(&row).map_err(failed)?;
        *last = (signed(block.chunk), block.part.into());
        each(block);
    }
    Ok(())
}
