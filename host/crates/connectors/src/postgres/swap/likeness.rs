//! All that is known of a table but its rows, its name and its indexes' names, so that two can be compared.

use sqlx::postgres::PgConnection;

/// Of the table `$1`, a line a thing. Of the catalogue's columns that not every version has, the whole row is asked.
const LIKENESS: &str = "
WITH t AS (SELECT * FROM pg_catalog.pg_class WHERE oid = $1::int8::oid),
granted AS (
    SELECT 0 AS attnum, e.* FROM t,
        pg_catalog.aclexplode(coalesce(t.relacl, pg_catalog.acldefault('r', t.relowner))) e
    UNION ALL SELECT a.attnum, e.* FROM t
        JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND NOT a.attisdropped,
        pg_catalog.aclexplode(a.attacl) e),
grants AS (
    SELECT g.attnum, pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(
        g.grantor, g.grantee, g.privilege_type, g.is_grantable)
        ORDER BY g.grantor, g.grantee, g.privilege_type, g.is_grantable) AS list
    FROM granted g GROUP BY g.attnum)
SELECT pg_catalog.jsonb_build_array('table', t.relowner, t.relpersistence, t.relkind, t.relam, t.reltablespace,
        t.relreplident, t.relrowsecurity, t.relforcerowsecurity, t.relispartition, t.reloftype,
        ARRAY(SELECT o FROM pg_catalog.unnest(t.reloptions) o ORDER BY o),
        ARRAY(SELECT o FROM pg_catalog.pg_class s, pg_catalog.unnest(s.reloptions) o
              WHERE s.oid = t.reltoastrelid ORDER BY o),
        (SELECT list FROM grants WHERE attnum = 0), pg_catalog.obj_description(t.oid, 'pg_class'))::text FROM t
UNION ALL
SELECT pg_catalog.jsonb_build_array('column', pg_catalog.row_number() OVER (ORDER BY a.attnum), a.attname,
        a.atttypid, a.atttypmod, a.attcollation, a.attnotnull, a.attidentity, a.attgenerated, a.attstorage,
        pg_catalog.to_jsonb(a.*) ->> 'attcompression', a.attstattarget, a.attoptions, a.attislocal, a.attinhcount,
        (SELECT pg_catalog.pg_get_expr(f.adbin, f.adrelid) FROM pg_catalog.pg_attrdef f
         WHERE f.adrelid = a.attrelid AND f.adnum = a.attnum),
        (SELECT list FROM grants WHERE grants.attnum = a.attnum),
        pg_catalog.col_description(a.attrelid, a.attnum))::text
    FROM t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT pg_catalog.jsonb_build_array('constraint', CASE WHEN k.contype IN ('c', 'n') THEN k.conname END, k.contype,
        pg_catalog.pg_get_constraintdef(k.oid), k.convalidated, k.connoinherit, k.conislocal, k.coninhcount,
        pg_catalog.obj_description(k.oid, 'pg_constraint'))::text
    FROM t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid
UNION ALL
SELECT pg_catalog.jsonb_build_array('index', pg_catalog.substr(pg_catalog.pg_get_indexdef(x.oid),
        1 + pg_catalog.length(pg_catalog.format('CREATE %sINDEX %I ON %I.%I',
            CASE WHEN i.indisunique THEN 'UNIQUE ' END, x.relname, n.nspname, t.relname))),
        i.indisunique, i.indisprimary, i.indisexclusion, i.indimmediate, i.indisclustered, i.indisvalid,
        i.indisreplident, x.reltablespace, x.reloptions, pg_catalog.obj_description(x.oid, 'pg_class'),
        ARRAY(SELECT a.attstattarget FROM pg_catalog.pg_attribute a WHERE a.attrelid = x.oid
              ORDER BY a.attnum))::text
    FROM t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid
    JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
ORDER BY 1";

/// The lines of a table, in an order of their own.
pub(super) async fn of(connection: &mut PgConnection, oid: i64) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(LIKENESS)
        .bind(oid)
        .fetch_all(connection)
        .await
}
