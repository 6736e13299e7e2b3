//! The twin of a table: a staging table with its columns, defaults, checks and unique indexes, which is loaded in its
//! stead. Rows that the table would refuse are refused by the twin, as they come.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::super::Options;
use super::super::refusal::{Fault, fault, passes};
use super::super::session::statement;
use super::likeness;
use crate::database::quote;

/// The savepoint before the twin is made.
const BEFORE: &str = "glovebox_twin";

/// The statement that makes `$2` like the table `$1`, its quoted name being `$3`.
const CREATE: &str = "
SELECT pg_catalog.concat('CREATE TABLE ', $2::text, ' (LIKE ', $3::text,
    ' INCLUDING ALL EXCLUDING INDEXES EXCLUDING IDENTITY EXCLUDING STATISTICS)',
    (SELECT ' USING ' || pg_catalog.quote_ident(m.amname) FROM pg_catalog.pg_am m WHERE m.oid = t.relam),
    (SELECT ' WITH (' || pg_catalog.string_agg(pg_catalog.concat(o.place, pg_catalog.split_part(o.set, '=', 1), ' = ',
            pg_catalog.quote_literal(pg_catalog.substr(o.set, pg_catalog.strpos(o.set, '=') + 1))), ', ') || ')'
        FROM (SELECT '' AS place, pg_catalog.unnest(t.reloptions) AS set
              UNION ALL SELECT 'toast.', pg_catalog.unnest(s.reloptions) FROM pg_catalog.pg_class s
              WHERE s.oid = t.reltoastrelid) o),
    (SELECT ' TABLESPACE ' || pg_catalog.quote_ident(p.spcname) FROM pg_catalog.pg_tablespace p
        WHERE p.oid = t.reltablespace))
FROM pg_catalog.pg_class t WHERE t.oid = $1::int8::oid";

/// An index of a table.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) name: String,
    /// What it is, but for the names of index and table.
    pub(super) is: String,
    unique: bool,
    /// What its constraint is, if it has one.
    constraint: Option<String>,
    /// Its settings, which a constraint does not have in its words.
    settings: Option<String>,
}

type Row = (String, String, bool, Option<String>, Option<String>);

impl Index {
    /// Whether another one is the same but for its name.
    pub(super) fn is_like(&self, other: &Index) -> bool {
        (&self.is, self.unique, &self.constraint) == (&other.is, other.unique, &other.constraint)
    }
}

/// The indexes of a table; two of one kind are in the order of their making.
pub(super) async fn indexes(connection: &mut PgConnection, oid: i64) -> sqlx::Result<Vec<Index>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT x.relname::text, pg_catalog.substr(pg_catalog.pg_get_indexdef(x.oid), 1 + pg_catalog.length(\
             pg_catalog.format('CREATE %sINDEX %I ON %I.%I', CASE WHEN i.indisunique THEN 'UNIQUE ' END, \
             x.relname, n.nspname, t.relname))), \
         i.indisunique OR i.indisexclusion, pg_catalog.pg_get_constraintdef(k.oid), \
         (SELECT pg_catalog.string_agg(pg_catalog.concat(pg_catalog.split_part(o, '=', 1), ' = ', \
             pg_catalog.quote_literal(pg_catalog.substr(o, pg_catalog.strpos(o, '=') + 1))), ', ') \
             FROM pg_catalog.unnest(x.reloptions) o) \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid \
         JOIN pg_catalog.pg_class t ON t.oid = i.indrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace \
         LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = x.oid AND k.conrelid = i.indrelid \
             AND k.contype IN ('p', 'u', 'x') \
         WHERE i.indrelid = $1::int8::oid ORDER BY x.oid",
    )
    .bind(oid)
    .fetch_all(connection)
    .await?;
    let index = |(name, is, unique, constraint, settings)| Index {
        name,
        is,
        unique,
        constraint,
        settings,
    };
    Ok(rows.into_iter().map(index).collect())
}

/// Makes the twin, in the transaction that is open; false if that cannot be done, and then nothing has changed.
pub(in super::super) async fn make(
    connection: &mut PgConnection,
    oid: i64,
    target: &str,
    stage: &str,
    options: &Options,
) -> Result<bool, Fault> {
    let place = options.place();
    statement(connection, &format!("SAVEPOINT {BEFORE}"), &place).await?;
    match begun(connection, oid, target, stage, options).await {
        Ok(()) => Ok(true),
        // Such as a check of whole rows, which no other table can have.
        Err(sqlx::Error::Database(e)) if !e.code().is_some_and(|code| passes(&code)) => {
            let back = format!("ROLLBACK TO SAVEPOINT {BEFORE}");
            statement(connection, &back, &place).await?;
            Ok(false)
        }
        Err(error) => Err(fault(error, &place)),
    }
}

async fn begun(
    connection: &mut PgConnection,
    oid: i64,
    target: &str,
    stage: &str,
    options: &Options,
) -> sqlx::Result<()> {
    let create: String = sqlx::query_scalar(CREATE)
        .bind(oid)
        .bind(stage)
        .bind(target)
        .fetch_one(&mut *connection)
        .await?;
    execute(connection, &create).await?;
    let all = indexes(connection, oid).await?;
    for index in all.iter().filter(|index| index.unique) {
        add(connection, index, stage, options).await?;
    }
    Ok(())
}

/// Gives the twin an index of the table, with the same name if none beside the journal has it: what breaks it is
/// rejected by that name.
pub(super) async fn add(
    connection: &mut PgConnection,
    index: &Index,
    stage: &str,
    options: &Options,
) -> sqlx::Result<()> {
    let name: String = sqlx::query_scalar(
        "SELECT CASE WHEN pg_catalog.to_regclass(pg_catalog.format('%I.%I', $1::text, $2::text)) IS NULL THEN $2 \
         ELSE pg_catalog.format('stage_%s_%s', pg_catalog.to_regclass($3)::oid, (SELECT count(*) \
         FROM pg_catalog.pg_index WHERE indrelid = pg_catalog.to_regclass($3))) END",
    )
    .bind(&options.journal)
    .bind(&index.name)
    .bind(stage)
    .fetch_one(&mut *connection)
    .await?;
    let name = quote(&name);
    let sql = match (&index.constraint, index.unique) {
        (Some(constraint), _) => format!("ALTER TABLE {stage} ADD CONSTRAINT {name} {constraint}"),
        (None, true) => format!("CREATE UNIQUE INDEX {name} ON {stage}{}", index.is),
        (None, false) => format!("CREATE INDEX {name} ON {stage}{}", index.is),
    };
    execute(connection, &sql).await?;
    match (&index.constraint, &index.settings) {
        (Some(_), Some(settings)) => {
            let journal = quote(&options.journal);
            execute(
                connection,
                &format!("ALTER INDEX {journal}.{name} SET ({settings})"),
            )
            .await
        }
        _ => Ok(()),
    }
}

/// Whether a staging table that is there has the columns of the table, and no other.
pub(in super::super) async fn is_twin(
    connection: &mut PgConnection,
    oid: i64,
    stage: &str,
    options: &Options,
) -> Result<bool, Fault> {
    let failed = |e| fault(e, &options.place());
    let stage: Option<i64> = sqlx::query_scalar("SELECT pg_catalog.to_regclass($1)::oid::int8")
        .bind(stage)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    let Some(stage) = stage else {
        return Ok(false);
    };
    let sql = "SELECT ARRAY(SELECT pg_catalog.format('%I %s %s %s', a.attname, a.atttypid, a.atttypmod, \
         pg_catalog.pg_get_expr(f.adbin, f.adrelid)) FROM pg_catalog.pg_attribute a \
         LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum \
         WHERE a.attrelid = $1::int8::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)";
    let mut both = Vec::new();
    for oid in [oid, stage] {
        let columns: Vec<String> = sqlx::query_scalar(sql)
            .bind(oid)
            .fetch_one(&mut *connection)
            .await
            .map_err(failed)?;
        both.push(columns);
    }
    Ok(both.first() == both.last())
}

/// Whether the twin is in all what the table is; names of indexes, and rows, aside.
pub(super) async fn is_alike(
    connection: &mut PgConnection,
    oid: i64,
    stage: i64,
) -> sqlx::Result<bool> {
    let (table, twin) = (
        likeness::of(connection, oid).await?,
        likeness::of(connection, stage).await?,
    );
    Ok(table == twin)
}

/// Executes a statement without arguments.
pub(super) async fn execute(connection: &mut PgConnection, sql: &str) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .map(drop)
}
