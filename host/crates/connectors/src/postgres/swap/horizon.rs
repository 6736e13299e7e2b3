//! Whether somebody may still look at the database as it was before the last row was loaded. In such a look a table
//! that took another one's place would be empty, or have a part of its rows.

use std::time::{Duration, Instant};

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::super::Options;
use super::super::journal::wait_name;
use super::super::refusal::{Fault, fault};
use super::super::session::{contend, statement};
use crate::database::quote;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Waits until every look at the database, by whatever session, is younger than what is committed now. False if that
/// takes too long.
///
/// VACUUM calls a page visible to all once no snapshot is older than its rows, by the server's own rule, with standbys
/// and whatever else may look, and without a right to see other sessions.
pub(super) async fn passed(
    connection: &mut PgConnection,
    run: &str,
    options: &Options,
    until: Instant,
) -> Result<bool, Fault> {
    let place = options.place();
    let table = format!("{}.{}", quote(&options.journal), quote(&wait_name(run)));
    let make = format!("CREATE TABLE IF NOT EXISTS {table} (seen bigint)");
    contend(connection, &make, &place).await?;
    statement(
        connection,
        &format!("INSERT INTO {table} VALUES (1)"),
        &place,
    )
    .await?;
    let vacuum = format!("VACUUM {table}");
    loop {
        statement(connection, &vacuum, &place).await?;
        let seen: bool = sqlx::query_scalar(AssertSqlSafe(
            "SELECT relpages > 0 AND relallvisible = relpages FROM pg_catalog.pg_class \
             WHERE oid = pg_catalog.to_regclass($1)",
        ))
        .bind(&table)
        .fetch_one(&mut *connection)
        .await
        .map_err(|e| fault(e, &place))?;
        if seen {
            return Ok(true);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
