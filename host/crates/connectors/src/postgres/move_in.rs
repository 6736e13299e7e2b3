//! Moves staged rows into the target, and compares how many went in with what the journal has.

use glovebox_core::Published;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::counted::Counted;
use super::ending::Ending;
use super::journal::Journal;
use super::refusal::{Fault, fault, of_row};
use super::session::statement;
use super::stage::Stage;
use super::{Mode, keys, runs};
use crate::database::journal::unsigned;
use crate::database::quote_all;

/// The savepoint before the rows are moved.
const ROWS: &str = "glovebox_rows";

/// The way from the staging table into the target.
pub(super) struct MoveIn<'a> {
    pub(super) ending: &'a Ending<'a>,
    pub(super) stage: &'a Stage,
    pub(super) counted: Counted<'a>,
    /// Whether triggers or rules may make other rows of them.
    pub(super) hooked: bool,
}

impl MoveIn<'_> {
    pub(super) async fn append(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Option<Published>, Fault> {
        let stored = self.stored(connection).await?;
        let before = match self.hooked {
            true => self.counted.rows(connection).await?,
            false => 0,
        };
        let Some(placed) = self.place(connection).await? else {
            return Ok(None);
        };
        if placed != stored {
            return Err(self.differs(connection, stored, placed).await?);
        }
        if self.hooked {
            self.counted
                .holds(connection, before + stored, stored)
                .await?;
        }
        Ok(Some(Published::default()))
    }

    pub(super) async fn replace(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Option<Published>, Fault> {
        let Ending {
            options, target, ..
        } = self.ending;
        // Not TRUNCATE: it would shut readers out until the commit. The price is that the old
        // rows take up room until the next VACUUM.
        let delete = format!("DELETE FROM {target}");
        let replaced = self.execute(connection, delete).await?;
        let stored = self.stored(connection).await?;
        if stored == 0 && replaced > 0 && !options.lenient.replace_with_nothing {
            return Ok(Some(Published::nothing()));
        }
        let Some(placed) = self.place(connection).await? else {
            return Ok(None);
        };
        if placed != stored {
            return Err(self.differs(connection, stored, placed).await?);
        }
        if self.hooked {
            self.counted.holds(connection, stored, stored).await?;
        }
        Ok(Some(Published::default()))
    }

    pub(super) async fn upsert(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Option<Published>, Fault> {
        let Ending {
            options,
            schema,
            target,
            ..
        } = self.ending;
        let stage = &self.stage.table;
        let keys = keys::quoted(options);
        let distinct = format!("SELECT DISTINCT {keys} FROM {stage}");
        let staged = self
            .count(connection, &format!("SELECT FROM {stage}"))
            .await?;
        let stored = self.stored(connection).await?;
        if staged != stored {
            return Err(self.changed(staged, stored));
        }
        let updates = schema
            .fields
            .iter()
            .any(|field| !options.keys.iter().any(|key| *key == *field.name));
        // A statement that puts or overwrites a row a key says itself how many keys there were.
        if updates && !self.hooked {
            let placed = self.place(connection).await?;
            return Ok(placed.map(|placed| superseded(stored, placed)));
        }
        let due = self.count(connection, &distinct).await?;
        let before = match self.hooked {
            true => self.counted.rows(connection).await?,
            false => 0,
        };
        // Rows with keys that the table does not have yet.
        let same = keys::same(options, "t", "s");
        let new = format!(
            "SELECT FROM ({distinct}) s WHERE NOT EXISTS (SELECT FROM {target} t WHERE {same})"
        );
        let new = self.count(connection, &new).await?;
        let Some(placed) = self.place(connection).await? else {
            return Ok(None);
        };
        let expected = if updates { due } else { new };
        if placed != expected {
            return Err(self.differs(connection, expected, placed).await?);
        }
        if self.hooked {
            self.counted.holds(connection, before + new, due).await?;
        }
        Ok(Some(superseded(stored, due)))
    }

    /// Moves all rows, and says how many went in; none if the target refused one.
    async fn place(&self, connection: &mut PgConnection) -> Result<Option<u64>, Fault> {
        let place = self.counted.place;
        let marked = self.stage.marks.is_some();
        if marked {
            statement(connection, &format!("SAVEPOINT {ROWS}"), place).await?;
        }
        match move_rows(connection, self.ending, self.stage, "").await {
            Ok(placed) => Ok(Some(placed)),
            Err(error) if marked && of_row(&error).is_some() => {
                let back = format!("ROLLBACK TO SAVEPOINT {ROWS}");
                statement(connection, &back, place).await?;
                Ok(None)
            }
            Err(error) => Err(fault(error, place)),
        }
    }

    async fn execute(&self, connection: &mut PgConnection, sql: String) -> Result<u64, Fault> {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(connection)
            .await
            .map(|done| done.rows_affected())
            .map_err(|e| fault(e, self.counted.place))
    }

    async fn count(&self, connection: &mut PgConnection, rows: &str) -> Result<u64, Fault> {
        let sql = format!("SELECT count(*) FROM ({rows}) rows");
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(connection)
            .await
            .map_err(|e| fault(e, self.counted.place))?;
        Ok(unsigned(count))
    }

    /// How many rows the journal says are staged.
    async fn stored(&self, connection: &mut PgConnection) -> Result<u64, Fault> {
        let Ending { options, lease, .. } = self.ending;
        runs::stored(connection, &Journal::new(options), options, &lease.run).await
    }

    /// Why fewer or more rows went in than the journal has.
    async fn differs(
        &self,
        connection: &mut PgConnection,
        sent: u64,
        placed: u64,
    ) -> Result<Fault, Fault> {
        if self.hooked {
            let placed = placed.to_string();
            return self.counted.differs(connection, sent, &placed).await;
        }
        Ok(self.changed(placed, sent))
    }

    fn changed(&self, staged: u64, stored: u64) -> Fault {
        let problem = format!(
            "its staging table holds {staged} rows, but the journal says {stored}: another \
            program has changed one of them; start over with `--again`"
        );
        Journal::new(self.ending.options).misfit(problem).into()
    }
}

/// What an upsert of so many rows published whose keys were so many.
fn superseded(stored: u64, keys: u64) -> Published {
    Published {
        superseded: stored.saturating_sub(keys),
        ..Published::default()
    }
}

/// Moves the staged rows, or those of them that the condition leaves, into the target, and has
/// constraints looked at that would wait for the COMMIT.
pub(super) async fn move_rows(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
    stage: &Stage,
    within: &str,
) -> sqlx::Result<u64> {
    let Ending {
        options,
        schema,
        target,
        ..
    } = ending;
    let names = || schema.fields.iter().map(|field| &*field.name);
    let columns = quote_all(names());
    // COPY fills identity columns as it is told; so does this.
    let insert = format!("INSERT INTO {target} ({columns}) OVERRIDING SYSTEM VALUE");
    let sql = match &stage.marks {
        Some(marks) if options.mode == Mode::Upsert => {
            let keys = keys::quoted(options);
            format!(
                "{insert} SELECT DISTINCT ON ({keys}) {columns} FROM {} {within} \
                 ORDER BY {keys}, {} DESC {}",
                stage.table,
                marks.row,
                keys::on_conflict(options, names())
            )
        }
        _ => format!("{insert} SELECT {columns} FROM {} {within}", stage.table),
    };
    let placed = sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut *connection)
        .await?
        .rows_affected();
    // Only the target's own: what other tables have against rows that went is nothing that one of
    // these rows has done.
    let waiting: Option<String> = sqlx::query_scalar(
        "SELECT pg_catalog.string_agg(pg_catalog.quote_ident(n.nspname) || '.' \
         || pg_catalog.quote_ident(k.conname), ', ') \
         FROM pg_catalog.pg_constraint k \
         JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace \
         WHERE k.conrelid = pg_catalog.to_regclass($1) AND k.condeferrable",
    )
    .bind(*target)
    .fetch_one(&mut *connection)
    .await?;
    if let Some(names) = waiting {
        let checks = format!("SET CONSTRAINTS {names} IMMEDIATE; SET CONSTRAINTS {names} DEFERRED");
        sqlx::raw_sql(AssertSqlSafe(checks))
            .execute(connection)
            .await?;
    }
    Ok(placed)
}
