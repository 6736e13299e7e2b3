//! The keys of an upsert: which columns they are, and the unique index that they need. An index on
//! other columns, on some rows or on expressions is not enough, since ON CONFLICT would not accept
//! it.

use glovebox_core::{Equality, Schema};
use sqlx::postgres::PgConnection;

use super::Options;
use super::existing::Found;
use super::refusal::{Fault, fault};
use crate::database::{collision, quote, quote_all, unfit_key};

/// What is wrong with the keys, whatever the table.
pub(super) fn unusable(schema: &Schema, options: &Options) -> Vec<String> {
    let mut found = Vec::new();
    if options.keys.is_empty() {
        found.push(
            "mode upsert identifies rows by key columns, but none is named; list them in `keys`"
                .into(),
        );
    }
    for (i, key) in options.keys.iter().enumerate() {
        if schema.position(key).is_none() {
            found.push(format!(
                "key `{key}` is not a column of the run; add it to `sink.columns`"
            ));
        }
        let masked = schema.fields.iter().find(|field| *field.name == **key);
        found.extend(masked.and_then(|field| unfit_key(key, field.equality)));
        if options.keys.iter().take(i).any(|earlier| earlier == key) {
            found.push(format!("key `{key}` is listed twice; list it once"));
        }
    }
    found
}

/// What to do if the table has no unique index on exactly the keys.
pub(super) async fn without_index(
    connection: &mut PgConnection,
    table: &Found,
    options: &Options,
) -> Result<Option<String>, Fault> {
    let mut keys = options.keys.clone();
    keys.sort_unstable();
    keys.dedup();
    let found: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_index i \
         WHERE i.indrelid = $1::int8::oid AND i.indisunique AND i.indisvalid \
         AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL \
         AND (SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attname COLLATE \"C\") \
              FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, place) \
              JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
              WHERE k.place <= i.indnkeyatts) = $2)",
    )
    .bind(table.oid)
    .bind(&keys)
    .fetch_one(connection)
    .await
    .map_err(|e| fault(e, &options.place()))?;
    Ok((!found && !keys.is_empty()).then(|| {
        format!(
            "there is no unique index on exactly the keys; run: CREATE \
             UNIQUE INDEX ON {} ({})",
            table.name,
            quoted(options)
        )
    }))
}

/// Unique indexes over a column whose mask may be the same for different cells.
pub(super) async fn colliding(
    connection: &mut PgConnection,
    table: &Found,
    schema: &Schema,
    options: &Options,
) -> Result<Vec<String>, Fault> {
    let masked = schema
        .fields
        .iter()
        .filter(|field| field.equality == Equality::Merges);
    let masked: Vec<String> = masked.map(|field| field.name.to_string()).collect();
    if masked.is_empty() {
        return Ok(Vec::new());
    }
    let found: Vec<(String, String)> = sqlx::query_as(
        "SELECT DISTINCT i.indexrelid::regclass::text, a.attname::text \
         FROM pg_catalog.pg_index i \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[]) \
         WHERE i.indrelid = $1::int8::oid AND i.indisunique AND a.attname = ANY ($2) ORDER BY 1, 2",
    )
    .bind(table.oid)
    .bind(&masked)
    .fetch_all(connection)
    .await
    .map_err(|e| fault(e, &options.place()))?;
    let told = found.iter().map(|(index, column)| collision(column, index));
    Ok(told.collect())
}

/// The constraint of a table that the sink creates.
pub(super) fn primary(options: &Options) -> String {
    format!("PRIMARY KEY ({})", quoted(options))
}

/// The keys as a column list.
pub(super) fn quoted(options: &Options) -> String {
    quote_all(options.keys.iter().map(String::as_str))
}

/// Whether a row of one table has the keys of a row of the other.
pub(super) fn same(options: &Options, one: &str, other: &str) -> String {
    let equal: Vec<String> = options
        .keys
        .iter()
        .map(|key| format!("{one}.{0} = {other}.{0}", quote(key)))
        .collect();
    equal.join(" AND ")
}

/// The rest of an upsert's INSERT, behind its rows.
pub(super) fn on_conflict<'a>(options: &Options, columns: impl Iterator<Item = &'a str>) -> String {
    let sets: Vec<String> = columns
        .filter(|name| !options.keys.iter().any(|key| key == name))
        .map(|name| format!("{0} = excluded.{0}", quote(name)))
        .collect();
    let action = if sets.is_empty() {
        "DO NOTHING".into()
    } else {
        format!("DO UPDATE SET {}", sets.join(", "))
    };
    format!("ON CONFLICT ({}) {action}", quoted(options))
}
