//! What a loaded twin still lacks: other indexes, statistics, comments and grants; and the moment from which it may
//! take the table's place. None of it is seen by others.

use std::time::Instant;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::super::ending::Ending;
use super::super::journal::Journal;
use super::super::refusal::{Fault, fault, passes};
use super::super::session::{BEGIN, statement};
use super::super::stage::Stage;
use super::super::{existing, name::Name, runs};
use super::twin::{Index, add, execute, indexes};
use super::{Swap, hangs, horizon, patience};
use crate::database::journal::unsigned;
use crate::database::quote;

/// Statements that give `$2` what the table `$1` is beside its columns and indexes, in their order.
const REST: &str = "
WITH t AS (SELECT * FROM pg_catalog.pg_class WHERE oid = $1::int8::oid),
s AS (SELECT * FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass($2)),
a AS (SELECT a.* FROM t JOIN pg_catalog.pg_attribute a
    ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped),
granted AS (
    SELECT '' AS columns, e.* FROM t,
        pg_catalog.aclexplode(coalesce(t.relacl, pg_catalog.acldefault('r', t.relowner))) e
    UNION ALL SELECT pg_catalog.format(' (%I)', a.attname), e.* FROM a, pg_catalog.aclexplode(a.attacl) e),
given AS (SELECT e.grantee FROM s,
    pg_catalog.aclexplode(coalesce(s.relacl, pg_catalog.acldefault('r', s.relowner))) e)
SELECT sql FROM (
    SELECT 1 AS place, pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', $2::text, a.attname,
        a.attstattarget) AS sql FROM a WHERE a.attstattarget >= 0
    UNION ALL SELECT 1, pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET (%s)', $2, a.attname,
        (SELECT pg_catalog.string_agg(o, ', ') FROM pg_catalog.unnest(a.attoptions) o))
        FROM a WHERE a.attoptions IS NOT NULL
    UNION ALL SELECT 1, pg_catalog.format('COMMENT ON TABLE %s IS %L', $2,
        pg_catalog.obj_description(t.oid, 'pg_class')) FROM t
    UNION ALL SELECT 2, pg_catalog.format('REVOKE ALL ON TABLE %s FROM %s', $2,
        CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END)
        FROM (SELECT DISTINCT grantee FROM given) g
    UNION ALL SELECT 3, pg_catalog.format('GRANT %s%s ON TABLE %s TO %s%s', g.privilege_type, g.columns, $2,
        CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END,
        CASE WHEN g.is_grantable AND g.grantee <> t.relowner THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM t, granted g
) all_of_it ORDER BY place";

/// Makes the twin what the table is, sees that it has the rows that the journal has, and waits until it may be shown.
pub(in super::super) async fn ready(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    stage: &Stage,
) -> Result<Swap, Fault> {
    let options = ending.options;
    let place = options.place();
    let name = Name::parse(options)?;
    let Some(found) = existing::find(connection, &name, options).await? else {
        return Ok(Swap::Not("the table is not there".into()));
    };
    if let Some(why) = hangs::obstacle(connection, found.oid, options).await? {
        return Ok(Swap::Not(why));
    }
    let Some(twin) = number(connection, stage)
        .await
        .map_err(|e| fault(e, &place))?
    else {
        // An earlier attempt was successful, of whose COMMIT we have not heard, or the run is another process'.
        return Ok(Swap::Not("its twin is gone".into()));
    };
    let journal = Journal::new(options);
    let stored = runs::stored(connection, &journal, options, &ending.lease.run).await?;
    if stored == 0 {
        return Ok(Swap::Not("there are no rows".into()));
    }
    statement(connection, BEGIN, &place).await?;
    match complete(connection, (found.oid, twin), stage, ending).await {
        Ok(()) => {}
        Err(sqlx::Error::Database(e)) if !e.code().is_some_and(|code| passes(&code)) => {
            statement(connection, "ROLLBACK", &place).await?;
            return Ok(Swap::Not(
                "the server does not allow a second table like it".into(),
            ));
        }
        Err(error) => return Err(fault(error, &place)),
    }
    let failed = |e| fault(e, &place);
    let (staged, bytes): (i64, i64) = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT count(*), pg_catalog.pg_table_size(pg_catalog.to_regclass($1)) FROM {}",
        stage.table
    )))
    .bind(&stage.table)
    .fetch_one(&mut *connection)
    .await
    .map_err(failed)?;
    if unsigned(staged) != stored {
        // Unless it is another process that has the run now, moving them tells.
        statement(connection, "ROLLBACK", &place).await?;
        return Ok(Swap::Not("the journal says otherwise of its rows".into()));
    }
    statement(connection, "COMMIT", &place).await?;
    let until = Instant::now() + patience(unsigned(bytes));
    match horizon::passed(connection, &ending.lease.run, options, until).await? {
        true => Ok(Swap::Done),
        false => Ok(Swap::Not(
            "another session's transaction in the database is older than the rows".into(),
        )),
    }
}

async fn complete(
    connection: &mut PgConnection,
    (oid, twin): (i64, i64),
    stage: &Stage,
    ending: &Ending<'_>,
) -> sqlx::Result<()> {
    let options = ending.options;
    let of_table = indexes(connection, oid).await?;
    // An earlier attempt may have made them.
    let mut there = indexes(connection, twin).await?;
    for index in &of_table {
        match there.iter().position(|other| index.is_like(other)) {
            Some(same) => drop(there.remove(same)),
            None => add(connection, index, &stage.table, options).await?,
        }
    }
    let rest: Vec<String> = sqlx::query_scalar(REST)
        .bind(oid)
        .bind(&stage.table)
        .fetch_all(&mut *connection)
        .await?;
    for sql in rest {
        execute(connection, &sql).await?;
    }
    comments(connection, (oid, twin), stage, &options.journal).await?;
    execute(connection, &format!("ANALYZE {}", stage.table)).await
}

/// The number of the twin, if it is there.
pub(super) async fn number(
    connection: &mut PgConnection,
    stage: &Stage,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar("SELECT pg_catalog.to_regclass($1)::oid::int8")
        .bind(&stage.table)
        .fetch_one(connection)
        .await
}

/// Each index of the table beside the twin's of the same kind; none if one has no such.
pub(super) async fn pairs(
    connection: &mut PgConnection,
    oid: i64,
    twin: i64,
) -> sqlx::Result<Option<Vec<(Index, Index)>>> {
    let mut there = indexes(connection, twin).await?;
    let mut pairs = Vec::new();
    for index in indexes(connection, oid).await? {
        let Some(same) = there.iter().position(|other| index.is_like(other)) else {
            return Ok(None);
        };
        pairs.push((index, there.remove(same)));
    }
    Ok(there.is_empty().then_some(pairs))
}

/// What is said of indexes and their constraints.
async fn comments(
    connection: &mut PgConnection,
    (oid, twin): (i64, i64),
    stage: &Stage,
    journal: &str,
) -> sqlx::Result<()> {
    let Some(pairs) = pairs(connection, oid, twin).await? else {
        return Ok(());
    };
    for (of_table, of_twin) in pairs {
        let said: Vec<String> = sqlx::query_scalar(
            "SELECT pg_catalog.format('COMMENT ON INDEX %I.%I IS %L', $3::text, $4::text, \
                 pg_catalog.obj_description(x.oid, 'pg_class')) FROM pg_catalog.pg_index i \
             JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid AND x.relname = $2 \
             WHERE i.indrelid = $1::int8::oid AND pg_catalog.obj_description(x.oid, 'pg_class') IS NOT NULL \
             UNION ALL SELECT pg_catalog.format('COMMENT ON CONSTRAINT %I ON %s IS %L', $4, $5::text, \
                 pg_catalog.obj_description(k.oid, 'pg_constraint')) FROM pg_catalog.pg_constraint k \
             WHERE k.conrelid = $1::int8::oid AND k.conname = $2 AND k.contype IN ('p', 'u', 'x') \
             AND pg_catalog.obj_description(k.oid, 'pg_constraint') IS NOT NULL",
        )
        .bind(oid)
        .bind(&of_table.name)
        .bind(journal)
        .bind(&of_twin.name)
        .bind(&stage.table)
        .fetch_all(&mut *connection)
        .await?;
        for sql in said {
            execute(connection, &sql).await?;
        }
    }
    Ok(())
}

/// The statements that give the twin's indexes the names of the table's, once these are free.
pub(super) fn renames(pairs: &[(Index, Index)], schema: &str) -> Vec<String> {
    let other = pairs.iter().filter(|(table, twin)| table.name != twin.name);
    let rename = |(table, twin): &(Index, Index)| {
        let (from, to) = (quote(&twin.name), quote(&table.name));
        format!("ALTER INDEX {schema}.{from} RENAME TO {to}")
    };
    other.map(rename).collect()
}
