//! The moment in which a twin takes a table's place, in the transaction that closes the journal. Who asks for the table
//! meanwhile waits, for milliseconds, and gets one of the two whole.

use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;

use super::super::ending::Ending;
use super::super::journal::stage_name;
use super::super::refusal::{Fault, fault, passes};
use super::super::session::{lock_timeout, statement};
use super::super::stage::Stage;
use super::ready::{number, pairs, renames};
use super::twin::{execute, is_alike};
use super::{Swap, hangs, patience};
use crate::database::journal::unsigned;
use crate::database::quote;

/// The savepoint before each try.
const BEFORE: &str = "glovebox_swap";
/// The longest wait for other sessions to leave the table: those that come meanwhile wait behind ours.
const AT_ONCE: Duration = Duration::from_millis(100);
/// The pause before the next try, in which they go on.
const PAUSE: Duration = Duration::from_millis(300);

/// Exchanges them, in the transaction that is open; if that is not to be, nothing is changed or held.
pub(in super::super) async fn exchange(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    stage: &Stage,
) -> Result<Swap, Fault> {
    let place = ending.options.place();
    let size = "SELECT pg_catalog.pg_table_size(pg_catalog.to_regclass($1))";
    let bytes: i64 = sqlx::query_scalar(size)
        .bind(&stage.table)
        .fetch_one(&mut *connection)
        .await
        .map_err(|e| fault(e, &place))?;
    let until = Instant::now() + patience(unsigned(bytes));
    let back = format!("ROLLBACK TO SAVEPOINT {BEFORE}");
    loop {
        statement(connection, &format!("SAVEPOINT {BEFORE}"), &place).await?;
        let error = match at_once(connection, ending, stage).await {
            Ok(None) => return Ok(Swap::Done),
            Ok(Some(why)) => {
                statement(connection, &back, &place).await?;
                return Ok(Swap::Not(why));
            }
            Err(error) => error,
        };
        let sqlx::Error::Database(refused) = &error else {
            return Err(fault(error, &place));
        };
        let code = refused.code().unwrap_or_default().into_owned();
        // Another session holds the table or a sequence of it, or waits for us in turn.
        let is_held = matches!(&*code, "55P03" | "40P01");
        if !is_held && passes(&code) {
            return Err(fault(error, &place));
        }
        statement(connection, &back, &place).await?;
        if !is_held {
            return Ok(Swap::Not(format!(
                "the server refused to exchange it (SQLSTATE {code})"
            )));
        }
        if Instant::now() >= until {
            return Ok(Swap::Not("other sessions hold it".into()));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// One try. What is in the way, if anything is; then the caller takes back what was done.
async fn at_once(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    stage: &Stage,
) -> sqlx::Result<Option<String>> {
    let target = ending.target;
    execute(connection, &lock_timeout(AT_ONCE)).await?;
    execute(
        connection,
        &format!("LOCK TABLE {target} IN ACCESS EXCLUSIVE MODE"),
    )
    .await?;
    let (oid, schema, name): (i64, String, String) = sqlx::query_as(
        "SELECT c.oid::int8, n.nspname::text, c.relname::text FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = pg_catalog.to_regclass($1)",
    )
    .bind(target)
    .fetch_one(&mut *connection)
    .await?;
    if let Some(why) = hangs::found(connection, oid).await? {
        return Ok(Some(why));
    }
    let changed =
        || Some("it was changed while rows were loaded, or has what cannot be copied".into());
    let Some(twin) = number(connection, stage).await? else {
        return Ok(changed());
    };
    if !is_alike(connection, oid, twin).await? {
        return Ok(changed());
    }
    let Some(pairs) = pairs(connection, oid, twin).await? else {
        return Ok(changed());
    };
    // Those of `serial` columns go with their table, unless they are taken out of it.
    let sequences: Vec<(String, String)> = sqlx::query_as(
        "SELECT s.oid::regclass::text, a.attname::text FROM pg_catalog.pg_depend d \
         JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S' \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid \
         WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass \
         AND d.refobjid = $1::int8::oid AND d.refobjsubid > 0 AND d.deptype = 'a'",
    )
    .bind(oid)
    .fetch_all(&mut *connection)
    .await?;
    for (sequence, _) in &sequences {
        execute(
            connection,
            &format!("ALTER SEQUENCE {sequence} OWNED BY NONE"),
        )
        .await?;
    }
    let (schema, name) = (quote(&schema), quote(&name));
    let staged = quote(&stage_name(&ending.lease.run));
    let mut statements = vec![
        format!("DROP TABLE {target}"),
        format!("ALTER TABLE {} SET SCHEMA {schema}", stage.table),
        format!("ALTER TABLE {schema}.{staged} RENAME TO {name}"),
    ];
    statements.extend(renames(&pairs, &schema));
    for (sequence, column) in &sequences {
        let column = quote(column);
        statements.push(format!(
            "ALTER SEQUENCE {sequence} OWNED BY {schema}.{name}.{column}"
        ));
    }
    for sql in statements {
        execute(connection, &sql).await?;
    }
    Ok(None)
}
