//! The first rows of a table as text, to show what a run has stored.

use glovebox_core::SinkError;
use sqlx::{AssertSqlSafe, Connection, Row};

use super::Options;
use super::file::{connect, runtime};
use super::refusal::refusal;
use crate::database::{self, quote};

/// Up to `rows` rows of the table, each column cast to text; null stays null.
///
/// # Errors
/// When the file or table is not there, or cannot be read.
pub fn head(
    options: &Options,
    columns: &[&str],
    rows: u32,
) -> Result<Vec<database::TextRow>, SinkError> {
    let texts: Vec<String> = columns
        .iter()
        .map(|c| format!("CAST({} AS TEXT)", quote(c)))
        .collect();
    let sql = format!(
        "SELECT {} FROM {} LIMIT {rows}",
        texts.join(", "),
        quote(&options.table)
    );
    read(options, sql, |row| cells(row, columns.len()))
}

/// The rows that a statement yields, which is safe by construction: names through `quote`, and numbers.
fn read<R>(
    options: &Options,
    sql: String,
    each: impl Fn(&sqlx::sqlite::SqliteRow) -> sqlx::Result<R>,
) -> Result<Vec<R>, SinkError> {
    if !options.path.is_file() {
        return Err(SinkError::Connect {
            place: options.place(),
            problem: "the file does not exist yet; `glovebox run` creates it".into(),
        });
    }
    runtime(options)?.block_on(async {
        let mut connection = connect(options, false).await?;
        let found = sqlx::query(AssertSqlSafe(sql))
            .fetch_all(&mut connection)
            .await
            .and_then(|found| found.iter().map(&each).collect())
            .map_err(|e| refusal(e, &options.place()));
        // What was read stays read, however the goodbye goes.
        let _ = connection.close().await;
        found
    })
}

/// How often each combination of these columns' cells occurs in the table, each cast to text.
///
/// # Errors
/// As [`head`].
pub fn combinations(
    options: &Options,
    columns: &[&str],
) -> Result<Vec<(database::TextRow, u64)>, SinkError> {
    let texts: Vec<String> = columns
        .iter()
        .map(|c| format!("CAST({} AS TEXT)", quote(c)))
        .collect();
    let sql = database::combinations(&texts, &quote(&options.table));
    read(options, sql, |row| {
        let count: i64 = row.try_get(columns.len())?;
        Ok((cells(row, columns.len())?, count.unsigned_abs()))
    })
}

fn cells(row: &sqlx::sqlite::SqliteRow, columns: usize) -> sqlx::Result<database::TextRow> {
    (0..columns).map(|i| row.try_get(i)).collect()
}
