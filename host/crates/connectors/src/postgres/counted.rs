//! Compares the number of rows that a table stored, by the server's own count, with the number
//! sent.

use glovebox_core::SinkError;
use sqlx::postgres::PgConnection;

use super::effects;
use super::refusal::{Fault, fault};
use super::session::statement;

/// Fires what waits for the commit, so that what it does is counted too.
const FIRE: &str = "SET CONSTRAINTS ALL IMMEDIATE";
/// The table `$1` and its partitions.
const TREE: &str = "SELECT pg_catalog.to_regclass($1)::oid AS oid UNION \
     SELECT relid::oid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1))";

/// A table, by the name that statements have.
#[derive(Debug, Clone)]
pub(super) struct Counted<'a> {
    pub(super) table: &'a str,
    pub(super) place: &'a str,
}

/// Rows that this session has put into a table and taken out of it, partitions and all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Activity {
    inserted: i64,
    deleted: i64,
    /// Whether a trigger of the table waits for the commit.
    late: bool,
}

impl Counted<'_> {
    /// The session's activity up to now. The server adds it up while a transaction runs; nothing of
    /// other sessions is in it.
    pub(super) async fn activity(&self, connection: &mut PgConnection) -> Result<Activity, Fault> {
        let (inserted, deleted, late) = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT coalesce(sum(pg_catalog.pg_stat_get_xact_tuples_inserted(t.oid)), 0)::int8, \
             coalesce(sum(pg_catalog.pg_stat_get_xact_tuples_deleted(t.oid)), 0)::int8, \
             coalesce(bool_or(EXISTS (SELECT FROM pg_catalog.pg_trigger g \
                 WHERE g.tgrelid = t.oid AND g.tgdeferrable AND NOT g.tgisinternal)), false) \
             FROM ({TREE}) t"
        )))
        .bind(self.table)
        .fetch_one(connection)
        .await
        .map_err(|e| fault(e, self.place))?;
        Ok(Activity {
            inserted,
            deleted,
            late,
        })
    }

    /// Refuses what a statement did not do once for each of `sent` rows, which the server says it
    /// did for `taken`, and which began at `before`.
    pub(super) async fn once_each(
        &self,
        connection: &mut PgConnection,
        sent: u64,
        taken: u64,
        before: Activity,
    ) -> Result<(), Fault> {
        if taken != sent {
            return Err(self.differs(connection, sent, &taken.to_string()).await?);
        }
        if before.late {
            statement(connection, FIRE, self.place).await?;
        }
        let now = self.activity(connection).await?;
        let inserted = count(now.inserted, before.inserted);
        let deleted = count(now.deleted, before.deleted);
        // Less is not wrong by itself: tables that extensions keep may count elsewhere. A row that
        // moves between partitions is taken out and put in.
        let added = inserted.saturating_sub(deleted) > sent;
        let removed = deleted > inserted.saturating_sub(sent);
        if added || removed {
            let kept = match inserted.saturating_sub(deleted) {
                kept if added => kept.to_string(),
                _ => format!("{sent} and took {deleted} away"),
            };
            return Err(self.differs(connection, sent, &kept).await?);
        }
        Ok(())
    }

    /// Refuses a table that does not hold as many rows as it should after `sent` were brought.
    pub(super) async fn holds(
        &self,
        connection: &mut PgConnection,
        rows: u64,
        sent: u64,
    ) -> Result<(), Fault> {
        if self.activity(connection).await?.late {
            statement(connection, FIRE, self.place).await?;
        }
        let held = self.rows(connection).await?;
        if held == rows {
            return Ok(());
        }
        let kept = match i128::from(sent) + i128::from(held) - i128::from(rows) {
            kept @ 0.. => kept.to_string(),
            lost => format!("none, and lost {}", lost.unsigned_abs()),
        };
        Err(self.differs(connection, sent, &kept).await?)
    }

    /// All rows of the table.
    pub(super) async fn rows(&self, connection: &mut PgConnection) -> Result<u64, Fault> {
        let sql = format!("SELECT count(*) FROM {}", self.table);
        let rows: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_one(connection)
            .await
            .map_err(|e| fault(e, self.place))?;
        Ok(u64::try_from(rows).unwrap_or(0))
    }

    /// The refusal, with what in the table may have done it.
    pub(super) async fn differs(
        &self,
        connection: &mut PgConnection,
        sent: u64,
        kept: &str,
    ) -> Result<Fault, Fault> {
        let oid: Option<i64> = sqlx::query_scalar("SELECT pg_catalog.to_regclass($1)::oid::int8")
            .bind(self.table)
            .fetch_one(&mut *connection)
            .await
            .map_err(|e| fault(e, self.place))?;
        let suspects = match oid {
            Some(oid) => effects::suspects(connection, oid, self.place).await?,
            None => "another session, which dropped the table".into(),
        };
        Ok(SinkError::Refused {
            place: self.place.into(),
            problem: format!(
                "{sent} rows were sent, but the table kept {kept}, by the database's own count; \
                the cause is {suspects}. None of these rows is stored: disable it for the load, \
                or filter such rows with a step before they are sent"
            ),
        }
        .into())
    }
}

fn count(now: i64, before: i64) -> u64 {
    u64::try_from(now.saturating_sub(before)).unwrap_or(0)
}
