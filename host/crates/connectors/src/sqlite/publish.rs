//! Rows that become public all at once: loaded into a table aside, moved into the sink's table in
//! one transaction with the end of the books.
//!
//! Owns the table aside and what `replace` and `upsert` do with it; refuses to leave one behind.

use glovebox_core::{Schema, SinkError};
use sqlx::sqlite::SqliteConnection;

use super::session::statement;
use super::{Mode, Options, table};
use crate::database::{quote, quote_all};

/// Where a run's rows go first: the table itself in mode append.
pub(super) fn loaded_into(options: &Options, run: &str) -> String {
    match options.mode {
        Mode::Append => options.table.clone(),
        Mode::Replace | Mode::Upsert => aside(run),
    }
}

fn aside(run: &str) -> String {
    format!("glovebox_stage_{run}")
}

/// Makes the table aside.
pub(super) async fn prepare(
    connection: &mut SqliteConnection,
    options: &Options,
    schema: &Schema,
    run: &str,
) -> Result<(), SinkError> {
    // Without keys: of the rows with one key the last is taken, in the end.
    let create = table::create(schema, &aside(run), &[]);
    statement(connection, &create, &options.place()).await
}

/// Drops the tables aside of runs that were given up.
pub(super) async fn clear(
    connection: &mut SqliteConnection,
    options: &Options,
    runs: &[String],
) -> Result<(), SinkError> {
    for run in runs {
        let drop = format!("DROP TABLE IF EXISTS {}", quote(&aside(run)));
        statement(connection, &drop, &options.place()).await?;
    }
    Ok(())
}

/// Moves the rows, in the transaction that is open.
pub(super) async fn publish(
    connection: &mut SqliteConnection,
    options: &Options,
    schema: &Schema,
    run: &str,
) -> Result<(), SinkError> {
    let place = options.place();
    let (target, aside) = (quote(&options.table), quote(&aside(run)));
    let names = || schema.fields.iter().map(|f| &*f.name);
    let columns = quote_all(names());
    let exists = table::find(connection, options).await?.is_some();
    let moved = match options.mode {
        Mode::Append => return Ok(()),
        Mode::Replace if !exists => format!("ALTER TABLE {aside} RENAME TO {target}"),
        Mode::Replace => format!(
            "DELETE FROM {target}; \
             INSERT INTO {target} ({columns}) SELECT {columns} FROM {aside} ORDER BY rowid; \
             DROP TABLE {aside}"
        ),
        Mode::Upsert => {
            let create = match exists {
                true => String::new(),
                false => table::create(schema, &options.table, &options.keys) + ";",
            };
            let keys = quote_all(options.keys.iter().map(String::as_str));
            let others: Vec<String> = names()
                .filter(|n| !options.keys.iter().any(|k| k.eq_ignore_ascii_case(n)))
                .map(|n| format!("{0} = excluded.{0}", quote(n)))
                .collect();
            let update = match others.is_empty() {
                true => "NOTHING".into(),
                false => format!("UPDATE SET {}", others.join(", ")),
            };
            format!(
                "{create} INSERT INTO {target} ({columns}) SELECT {columns} FROM {aside} \
                 WHERE rowid IN (SELECT max(rowid) FROM {aside} GROUP BY {keys}) \
                 ORDER BY rowid ON CONFLICT ({keys}) DO {update}; DROP TABLE {aside}"
            )
        }
    };
    statement(connection, &moved, &place).await
}
