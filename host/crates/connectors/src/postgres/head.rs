//! The first rows of a table as text, to show what a run has stored.

use std::sync::Arc;

use glovebox_core::SinkError;
use sqlx::{AssertSqlSafe, Row};

use super::name::Name;
use super::output;
use super::refusal::fault;
use super::retry::RetryBudget;
use super::session::Session;
use super::{NAME, Options, existing};
use crate::database::{self, quote};

/// Up to `rows` rows of the table, each column as text; null stays null.
///
/// # Errors
/// When the database cannot be reached, or the table cannot be read.
pub fn head(
    options: &Options,
    columns: &[&str],
    rows: u32,
) -> Result<Vec<database::TextRow>, SinkError> {
    let texts: Vec<String> = columns.iter().map(|c| output::written(&quote(c))).collect();
    let sql = |table: &str| format!("SELECT {} FROM {table} LIMIT {rows}", texts.join(", "));
    read(options, sql, |row| cells(row, columns.len()))
}

/// How often each combination of these columns' cells occurs in the table, each as text.
///
/// # Errors
/// As [`head`].
pub fn combinations(
    options: &Options,
    columns: &[&str],
) -> Result<Vec<(database::TextRow, u64)>, SinkError> {
    let texts: Vec<String> = columns.iter().map(|c| output::written(&quote(c))).collect();
    let sql = |table: &str| database::combinations(&texts, table);
    read(options, sql, |row| {
        let count: i64 = row.try_get(columns.len())?;
        Ok((cells(row, columns.len())?, count.unsigned_abs()))
    })
}

/// The rows that a statement over the table yields, which is safe by construction: names through `quote`,
/// and numbers.
fn read<R>(
    options: &Options,
    sql: impl Fn(&str) -> String,
    each: impl Fn(&sqlx::postgres::PgRow) -> sqlx::Result<R>,
) -> Result<Vec<R>, SinkError> {
    let name = Name::parse(options)?;
    let mut session = Session::new(Arc::new(options.clone()), NAME.into(), Arc::default())?;
    session.attempt(&mut RetryBudget::none(), async |connection| {
        let target_schema = existing::resolve_schema(connection, &name, options).await?;
        let table = name.within(&target_schema.unwrap_or_default());
        sqlx::query(AssertSqlSafe(sql(&table)))
            .fetch_all(connection)
            .await
            .and_then(|found| found.iter().map(&each).collect())
            .map_err(|e| fault(e, &options.place()))
    })
}

fn cells(row: &sqlx::postgres::PgRow, columns: usize) -> sqlx::Result<database::TextRow> {
    (0..columns).map(|i| row.try_get(i)).collect()
}
