//! Opaque columns of a table: types that must exist, and OIDs that differ between databases.

use glovebox_core::Schema;
use sqlx::postgres::PgConnection;

use super::Options;
use super::copy::Column;
use super::refusal::{Fault, fault};

/// Types of the source that a new table could not have here.
pub(super) async fn unknown(
    connection: &mut PgConnection,
    schema: &Schema,
    options: &Options,
) -> Result<Vec<String>, Fault> {
    let mut unknown = Vec::new();
    for field in &schema.fields {
        let Some(native) = &field.native else {
            continue;
        };
        let known: bool = sqlx::query_scalar("SELECT pg_catalog.to_regtype($1) IS NOT NULL")
            .bind(&native.sql)
            .fetch_one(&mut *connection)
            .await
            .map_err(|e| fault(e, &options.place()))?;
        if !known {
            unknown.push(format!(
                "column `{}` is {} in the source, but this database has no such type; create it \
                here, too, or write type: text",
                field.name, native.sql
            ));
        }
    }
    Ok(unknown)
}

/// The columns with the numbers of their element types, where their cells have to bear one.
pub(super) async fn numbered(
    connection: &mut PgConnection,
    mut columns: Vec<Column>,
    schema: &Schema,
    options: &Options,
) -> Result<Vec<Column>, Fault> {
    for (column, field) in columns.iter_mut().zip(&schema.fields) {
        if !field.native.as_ref().is_some_and(|n| n.numbered) {
            continue;
        }
        let element: Option<i64> = sqlx::query_scalar(
            "SELECT b.typelem::int8 FROM pg_catalog.pg_type t JOIN pg_catalog.pg_type b \
             ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END \
             WHERE t.oid = pg_catalog.to_regtype($1)",
        )
        .bind(&column.sql_type)
        .fetch_optional(&mut *connection)
        .await
        .map_err(|e| fault(e, &options.place()))?;
        column.element = element
            .and_then(|oid| u32::try_from(oid).ok())
            .map(u32::to_be_bytes);
    }
    Ok(columns)
}
