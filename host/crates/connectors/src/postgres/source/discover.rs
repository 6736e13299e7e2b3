//! The columns of a table that no manifest describes yet.

use std::collections::HashSet;
use std::sync::Arc;

use glovebox_core::{Field, Login, SourceError, TableName};

use super::catalogue::{columns, find, kinds};
use super::open::begin;
use super::refusal::refused;
use super::session::Session;
use super::{Options, Rows};
use crate::names::shown_name;

/// The columns of a table that a manifest can declare, in types that have room for their cells, and
/// how many there are beside them: those that the role may not read, and those whose names are not
/// for showing or differ in case only. No row is read.
///
/// # Errors
/// When the server cannot be reached, or the role may not read the table.
pub(crate) fn fields(options: &Options) -> Result<(Vec<Field>, usize), SourceError> {
    let Rows::Table(name) = &options.rows else {
        return Ok((Vec::new(), 0));
    };
    let mut session = Session::open(Arc::new(options.clone()), Arc::default())?;
    session.work(async |connection| {
        begin(connection, options, None).await?;
        let table = find(connection, options, name).await?;
        table.permits(options)?;
        let columns = columns(connection, options, &table).await?;
        let oids: Vec<u32> = columns.iter().map(|(column, _)| column.oid).collect();
        let kinds = kinds(connection, options, &oids).await?;
        let all = columns.len();
        let mut taken = HashSet::new();
        let fields: Vec<Field> = columns
            .into_iter()
            .filter(|(column, readable)| *readable && shown_name(&column.name).is_some())
            .filter(|(column, _)| taken.insert(column.name.to_lowercase()))
            .map(|(column, _)| Field::new(column.name.as_str(), kinds.roomy(&column)))
            .collect();
        let left_out = all - fields.len();
        Ok((fields, left_out))
    })
}

/// The tables and views of a schema, in the order of their names, of which the role may read a column;
/// partitions are part of their table.
///
/// # Errors
/// When the server cannot be reached, or refuses.
pub fn tables(login: Login, schema: &str) -> Result<Vec<TableName>, SourceError> {
    let options = Options::new(login, Rows::Table(String::new()));
    let place = format!("the tables of {}", options.login);
    let mut session = Session::open(Arc::new(options.clone()), Arc::default())?;
    let names: Vec<String> = session.work(async |connection| {
        begin(connection, &options, None).await?;
        let names = sqlx::query_scalar(
            "SELECT c.relname::text FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
             AND NOT c.relispartition \
             AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') \
             AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT') ORDER BY c.relname",
        );
        let names = names.bind(schema).fetch_all(connection).await;
        names.map_err(|e| refused(e, &place))
    })?;
    let named = |table: String| TableName {
        schema: Some(schema.to_owned()),
        table,
    };
    Ok(names.into_iter().map(named).collect())
}
