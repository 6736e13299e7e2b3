//! What hangs on a table, or is of it, that another table in its place would not have.

use sqlx::postgres::PgConnection;

use super::super::Options;
use super::super::refusal::{Fault, fault};
use crate::database::shown;

/// How many of a kind are named.
const NAMED: usize = 3;

/// Of the table `$1`: what is in the way, in words, and its name if it has one of its own.
const OBSTACLES: &str = "
WITH t AS (SELECT c.*, n.nspname FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::int8::oid)
SELECT 'it belongs to another role:', pg_catalog.pg_get_userbyid(t.relowner)::text FROM t
    WHERE pg_catalog.pg_get_userbyid(t.relowner) <> current_user
UNION ALL SELECT 'the role may not create tables in its schema', NULL FROM t
    WHERE NOT pg_catalog.has_schema_privilege(t.relnamespace, 'CREATE')
UNION ALL SELECT 'it is partitioned, a partition, unlogged, or of a type', NULL FROM t
    WHERE t.relkind <> 'r' OR t.relispartition OR t.relpersistence <> 'p' OR t.reloftype <> 0
UNION ALL SELECT 'inheritance:', i.inhrelid::regclass::text FROM t
    JOIN pg_catalog.pg_inherits i ON t.oid IN (i.inhrelid, i.inhparent)
UNION ALL SELECT 'row-level security', NULL FROM t WHERE t.relrowsecurity OR t.relforcerowsecurity
    OR EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = t.oid)
UNION ALL SELECT 'its trigger', g.tgname::text FROM t
    JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
UNION ALL SELECT 'its rule', r.rulename::text FROM t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid
UNION ALL SELECT 'foreign key', k.conname::text FROM t
    JOIN pg_catalog.pg_constraint k ON k.contype = 'f' AND t.oid IN (k.conrelid, k.confrelid)
UNION ALL SELECT 'a publication:', p.pubname::text FROM t
    JOIN pg_catalog.pg_publication_tables p ON p.schemaname = t.nspname AND p.tablename = t.relname
UNION ALL SELECT 'a subscription', NULL FROM t
    JOIN pg_catalog.pg_subscription_rel s ON s.srrelid = t.oid
UNION ALL SELECT 'the database has an event trigger:', e.evtname::text FROM pg_catalog.pg_event_trigger e
    WHERE e.evtenabled <> 'D'
UNION ALL SELECT 'a security label', NULL FROM t
    JOIN pg_catalog.pg_seclabel l ON l.objoid = t.oid AND l.classoid = 'pg_catalog.pg_class'::regclass
UNION ALL SELECT 'its identity column', a.attname::text FROM t
    JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attidentity <> '' AND NOT a.attisdropped
UNION ALL SELECT 'its extended statistics', s.stxname::text FROM t
    JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = t.oid
UNION ALL SELECT 'its replica identity', NULL FROM t WHERE t.relreplident <> 'd'
UNION ALL SELECT 'its index that is clustered or not valid:', i.indexrelid::regclass::text FROM t
    JOIN pg_catalog.pg_index i ON i.indrelid = t.oid AND (i.indisclustered OR NOT i.indisvalid)
UNION ALL SELECT 'what depends on it:', CASE WHEN d.classid = 'pg_catalog.pg_rewrite'::regclass
        THEN (SELECT r.ev_class::regclass::text FROM pg_catalog.pg_rewrite r WHERE r.oid = d.objid)
        ELSE pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) END FROM t
    JOIN LATERAL (
        SELECT * FROM pg_catalog.pg_depend WHERE refclassid = 'pg_catalog.pg_class'::regclass AND refobjid = t.oid
        UNION ALL
        SELECT * FROM pg_catalog.pg_depend WHERE refclassid = 'pg_catalog.pg_type'::regclass AND refobjid = ANY (ARRAY[
            t.reltype, (SELECT y.typarray FROM pg_catalog.pg_type y WHERE y.oid = t.reltype)])) d
    ON d.deptype IN ('n', 'e') OR d.classid = 'pg_catalog.pg_rewrite'::regclass
    WHERE NOT (d.classid = 'pg_catalog.pg_class'::regclass AND (d.objid = t.oid
            OR d.objid IN (SELECT i.indexrelid FROM pg_catalog.pg_index i WHERE i.indrelid = t.oid)))
    AND NOT (d.classid = 'pg_catalog.pg_attrdef'::regclass
        AND d.objid IN (SELECT f.oid FROM pg_catalog.pg_attrdef f WHERE f.adrelid = t.oid))
    AND NOT (d.classid = 'pg_catalog.pg_constraint'::regclass
        AND d.objid IN (SELECT k.oid FROM pg_catalog.pg_constraint k WHERE k.conrelid = t.oid OR k.contype = 'f'))
UNION ALL SELECT 'it belongs to an extension', NULL FROM t
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = t.oid
    AND d.deptype = 'e'";

/// Why another table cannot take this one's place; none if nothing is known that hangs on it.
pub(in super::super) async fn obstacle(
    connection: &mut PgConnection,
    oid: i64,
    options: &Options,
) -> Result<Option<String>, Fault> {
    let found = found(connection, oid).await;
    found.map_err(|e| fault(e, &options.place()))
}

/// The same, with the server's own errors.
pub(super) async fn found(connection: &mut PgConnection, oid: i64) -> sqlx::Result<Option<String>> {
    let found: Vec<(String, Option<String>)> = sqlx::query_as(OBSTACLES)
        .bind(oid)
        .fetch_all(connection)
        .await?;
    let mut said: Vec<String> = found
        .into_iter()
        .map(|(what, name)| match name {
            Some(name) => format!("{what} {}", shown(&name)),
            None => what,
        })
        .collect();
    said.dedup();
    let more = said.len().saturating_sub(NAMED);
    said.truncate(NAMED);
    Ok(match (said.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(said.join(", ")),
        (false, more) => Some(format!("{} and {more} more", said.join(", "))),
    })
}
