//! The tables that are served: their columns, and who sees which of them.

use std::collections::BTreeMap;

use glovebox_core::{DataType, TableName};
use glovebox_datasets::{Column, Key, Table};
use glovebox_manifest::declare::{Reader, section};
use glovebox_manifest::kinds::{AnyText, Bool, ListOf, MapOf, Named, Text, Whole, nested};
use glovebox_manifest::model::Spanned;
use glovebox_manifest::shared::TYPE;

use super::databases::{DatasetFile, DatasetServer, one_database};
use super::values::{Roles, known_role, wrong};
use super::{Database, Dataset, MAX_ROWS, View};
use crate::rules::{self, Permission};

section! {
    /// A table that is served.
    pub(super) struct DatasetKeys("Dataset"): "a dataset",
        "sales: { sqlite: { path: sales.db, table: sales }, columns: { price: { type: float64 } } }"
    {
        /// A description for users.
        about: String => empty, AnyText;
        /// The table, in a SQLite file.
        sqlite: Option<DatasetFile> => optional, nested::<DatasetFile>();
        /// The table, in a PostgreSQL database.
        postgres: Option<DatasetServer> => optional, nested::<DatasetServer>();
        /// The columns to serve, each with its type; other columns of the table are never shown.
        columns: Option<Spanned<Named<ColumnKeys>>>
            => asked, MapOf(nested::<ColumnKeys>()), "columns: { price: { type: float64 } }";
        /// Columns that together are unique and never null; pages follow their order. Optional for
        /// SQLite tables: without a key, rows come in the order in which they were stored.
        key: Vec<Spanned<String>> => empty, ListOf(Text), "key: [customer_id]";
        /// The roles that see it, each with what it sees. If left out, everyone with the permission
        /// `data` sees all of it.
        roles: Named<ViewKeys>
            => empty, MapOf(nested::<ViewKeys>()),
            "roles: { analyst: { columns: [price] } }";
    }
    rules {
        "oneOf": [{ "required": ["sqlite"] }, { "required": ["postgres"] }]
    }
    check one_database[];
}

section! {
    /// A column that is served.
    pub(super) struct ColumnKeys("ServedColumn"): "a column", "price: { type: float64 }" {
        /// The type of its cells, as in a [manifest](manifest.md#columns); not `opaque`.
        data_type = "type": Spanned<DataType> => needed, TYPE, "type: text";
        /// Whether it never holds a null.
        not_null: bool => default "false", Bool;
    }
}

section! {
    /// What a role sees of a dataset.
    pub(super) struct ViewKeys("View"): "what a role sees", "analyst: { columns: [price] }" {
        /// The columns.
        columns: Option<Vec<Spanned<String>>> => optional "all of them", ListOf(Text), "columns: [price]";
        /// The most rows on a page.
        rows_at_most: usize => default "10000", Whole(1..=MAX_ROWS);
    }
}

/// A dataset, if all of it is right.
pub(super) fn dataset(
    reader: &mut Reader<'_>,
    name: Spanned<String>,
    keys: Spanned<DatasetKeys>,
    roles: &Roles,
) -> Option<Dataset> {
    let Spanned { value: keys, span } = keys;
    if !rules::is_name(&name.value) || rules::is_taken(&name.value) {
        let help = "use lower-case letters, digits, `-` and `_`; the API's own paths are reserved";
        let problem = "a dataset cannot have this name, since it is also its path";
        wrong(reader, &name.span, problem, help);
    }
    let mut columns = columns(reader, keys.columns?);
    let key: Vec<usize> = keys
        .key
        .iter()
        .filter_map(|named| column(reader, &columns, named))
        .collect();
    for place in &key {
        // What tells rows apart cannot be null.
        if let Some(column) = columns.get_mut(*place) {
            column.not_null = true;
        }
    }
    let views = views(reader, &columns, keys.roles, roles);
    let (database, table) = match (keys.sqlite, keys.postgres) {
        (Some(file), _) => (Database::Sqlite(file.path), file.table),
        (None, server) => {
            let DatasetServer { server, table } = server?;
            (Database::Postgres(server), table)
        }
    };
    let key = match (&database, key.is_empty()) {
        (_, false) => Key::Columns(key),
        (Database::Sqlite(_), true) => Key::RowId,
        (Database::Postgres(_), true) => {
            let help = "write key: [COLUMN, …] with columns that together are unique and never \
                       null";
            let problem = "a PostgreSQL table needs a key for paging";
            wrong(reader, &span, problem, help);
            return None;
        }
    };
    let table = table_name(reader, &table, &database)?;
    Some(Dataset {
        about: keys.about,
        name: name.value,
        database,
        table: Table {
            schema: table.schema,
            name: table.table,
            columns,
            key,
        },
        roles: views,
    })
}

fn columns(reader: &mut Reader<'_>, written: Spanned<Named<ColumnKeys>>) -> Vec<Column> {
    let mut columns = Vec::with_capacity(written.value.len());
    for (name, keys) in written.value {
        let ColumnKeys {
            data_type,
            not_null,
        } = keys.value;
        // A client could do nothing with cells in their source's own form.
        if data_type.value == DataType::Opaque {
            let help = "leave the column out, or serve a view that casts it";
            wrong(
                reader,
                &data_type.span,
                "opaque columns cannot be served",
                help,
            );
        } else if name.value.is_empty() || name.value.chars().any(char::is_control) {
            let help = "write the column's name in the table, or leave it out";
            wrong(
                reader,
                &name.span,
                "this cannot be the name of a column",
                help,
            );
        } else {
            columns.push(Column {
                name: name.value,
                data_type: data_type.value,
                not_null,
            });
        }
    }
    if columns.is_empty() {
        let help = "declare the columns to serve, like price: { type: float64 }";
        wrong(reader, &written.span, "a dataset needs columns", help);
    }
    columns
}

fn table_name(
    reader: &mut Reader<'_>,
    table: &Spanned<String>,
    database: &Database,
) -> Option<TableName> {
    let named = match TableName::parse(&table.value) {
        Ok(named) => named,
        Err(help) => {
            wrong(
                reader,
                &table.span,
                "this cannot be the name of a table",
                help,
            );
            return None;
        }
    };
    if named.schema.is_some() && matches!(database, Database::Sqlite(_)) {
        let help = "write the bare name; put one with a dot in double quotes: '\"eu.sales\"'";
        wrong(reader, &table.span, "SQLite has no schemas", help);
        return None;
    }
    Some(named)
}

fn column(reader: &mut Reader<'_>, columns: &[Column], named: &Spanned<String>) -> Option<usize> {
    let place = columns.iter().position(|c| c.name == named.value);
    if place.is_none() {
        let help = "declare it there with its type";
        wrong(reader, &named.span, "`columns` has no such column", help);
    }
    place
}

/// Without `roles`, whoever may read data sees all of it.
fn views(
    reader: &mut Reader<'_>,
    columns: &[Column],
    written: Named<ViewKeys>,
    roles: &Roles,
) -> BTreeMap<String, View> {
    let all: Vec<usize> = (0..columns.len()).collect();
    let may_read = |may: &Vec<Permission>| may.contains(&Permission::Data);
    if written.is_empty() {
        let view = View {
            columns: all,
            rows_at_most: MAX_ROWS,
        };
        let readers = roles.iter().filter(|(_, may)| may_read(may));
        return readers
            .map(|(role, _)| (role.clone(), view.clone()))
            .collect();
    }
    let mut views = BTreeMap::new();
    for (role, view) in written {
        if known_role(reader, &role, roles) && !roles.get(&role.value).is_some_and(may_read) {
            let help = "give it the permission `data` under `roles`, or name another";
            wrong(reader, &role.span, "this role may not read data", help);
        }
        let named = view.value.columns.as_ref();
        let seen = named.map(|named| {
            let places = named.iter().filter_map(|n| column(reader, columns, n));
            places.collect()
        });
        let view = View {
            columns: seen.unwrap_or_else(|| all.clone()),
            rows_at_most: view.value.rows_at_most,
        };
        views.insert(role.value, view);
    }
    views
}
