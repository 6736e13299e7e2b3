//! Statements of many rows, and the search for those that the table refuses.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use glovebox_core::SinkError;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};

use super::file::statement;
use super::refusal::{of_row, refusal};
use super::rows;
use crate::database::sift::{Budget, Ended, Refusal, Tried, sift, spent};

/// Values bound by one statement: enough that the way to sqlx's thread and back does not show.
/// SQLite's own limit is 32,766.
const VALUES_PER_INSERT: usize = 2800;
/// What sends rows.
pub(super) struct Inserting<'a> {
    pub(super) connection: &'a mut SqliteConnection,
    pub(super) full: &'a Arc<str>,
    pub(super) insert: &'a str,
    pub(super) width: usize,
    pub(super) halves: bool,
}

impl Inserting<'_> {
    /// One statement, which takes all of its rows or none.
    pub(super) async fn send(&mut self, bound: SqliteArguments, rows: usize) -> sqlx::Result<u64> {
        let sql: Arc<str> = match rows == rows_per_insert(self.width) {
            true => self.full.clone(),
            false => inserting(self.insert, self.width, rows).into(),
        };
        if self.halves {
            sqlx::raw_sql("SAVEPOINT glovebox_rows")
                .execute(&mut *self.connection)
                .await?;
        }
        let sent = sqlx::query_with(AssertSqlSafe(sql), bound)
            .execute(&mut *self.connection)
            .await;
        if self.halves {
            let end = match sent {
                Ok(_) => "RELEASE glovebox_rows",
                Err(_) => "ROLLBACK TO glovebox_rows; RELEASE glovebox_rows",
            };
            // Of a transaction that is gone there is nothing to take back, and the caller looks.
            let ended = sqlx::raw_sql(end).execute(&mut *self.connection).await;
            if sent.is_ok() {
                ended?;
            }
        }
        sent.map(|done| done.rows_affected())
    }

    /// Stores those of the rows that the table takes, and returns the others.
    pub(super) async fn sift(
        &mut self,
        batch: &RecordBatch,
        rows: Range<usize>,
        budget: &Budget,
        place: &str,
        taken: &mut u64,
    ) -> Result<Vec<(usize, Refusal)>, SinkError> {
        still_open(self.connection, place).await?;
        let found = sift(rows, budget, async |rows| {
            let count = rows.len();
            let bound =
                rows::bind(batch, rows).map_err(|e| refusal(sqlx::Error::Encode(e), place))?;
            let error = match self.send(bound, count).await {
                Ok(rows) => {
                    *taken += rows;
                    return Ok(Tried::Taken);
                }
                Err(error) => error,
            };
            let Some(refused) = of_row(&error) else {
                return Err(refusal(error, place));
            };
            still_open(self.connection, place).await?;
            Ok(Tried::Refused(refused, None))
        });
        found.await.map_err(|ended| match ended {
            Ended::Failed(error) => error,
            Ended::Spent(refused) => spent(place, &refused),
        })
    }
}

/// Fails if the transaction is gone: a constraint or a trigger may roll all of it back, and what
/// came then would be stored without its journal.
pub(super) async fn still_open(
    connection: &mut SqliteConnection,
    place: &str,
) -> Result<(), SinkError> {
    // Within a transaction there is no other.
    if sqlx::raw_sql("BEGIN")
        .execute(&mut *connection)
        .await
        .is_err()
    {
        return Ok(());
    }
    statement(connection, "ROLLBACK", place).await?;
    Err(SinkError::Refused {
        place: place.into(),
        problem: "a constraint or trigger of the table rolls back the whole transaction for one \
                 row (ON CONFLICT ROLLBACK, RAISE(ROLLBACK)), so the row cannot be found; change \
                 it to abort only the statement"
            .into(),
    })
}

pub(super) fn inserting(insert: &str, columns: usize, rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    format!("{insert}{}", vec![row.as_str(); rows].join(","))
}

pub(super) fn rows_per_insert(columns: usize) -> usize {
    (VALUES_PER_INSERT / columns.max(1)).max(1)
}
