//! How far audit logs were: what someone who truncates a log and its checkpoints would also have to
//! change.

use crate::random::id;
use crate::store::on;
use crate::{Catalog, Result};

/// How far an audit log was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogAnchor {
    /// The log's own name.
    pub log: String,
    /// Where it is written: a machine and a folder.
    pub place: String,
    /// The number of its last checkpoint; 0 when it had none.
    pub checkpoint: u64,
    /// The number of its last record.
    pub sequence: u64,
    /// That record's hash.
    pub head: String,
}

type Row = (String, String, i64, i64, String);

/// All of them, the newest first.
pub(crate) const ANCHORS: &str = "SELECT log, place, checkpoint, sequence, head FROM audit_anchors \
     ORDER BY anchored DESC, log";

impl LogAnchor {
    pub(crate) fn read((log, place, checkpoint, sequence, head): Row) -> Self {
        LogAnchor {
            log,
            place,
            checkpoint: u64::try_from(checkpoint).unwrap_or(0),
            sequence: u64::try_from(sequence).unwrap_or(0),
            head,
        }
    }
}

/// A number of the log's as the databases have it.
fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl Catalog {
    /// The newest anchor of every log.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn anchors(&self) -> Result<Vec<LogAnchor>> {
        let found = on!(self, pool => sqlx::query_as(ANCHORS).fetch_all(pool).await?);
        Ok(found.into_iter().map(LogAnchor::read).collect())
    }

    /// Remembers how far a log is; one that was further is left as it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn anchor(&self, anchor: &LogAnchor, now: i64) -> Result<()> {
        on!(self, pool => sqlx::query(
            "INSERT INTO audit_anchors (log, place, checkpoint, sequence, head, anchored) \
             VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (log) DO UPDATE SET place = excluded.place, \
             checkpoint = excluded.checkpoint, sequence = excluded.sequence, \
             head = excluded.head, anchored = excluded.anchored \
             WHERE excluded.sequence >= audit_anchors.sequence",
        )
        .bind(&anchor.log)
        .bind(&anchor.place)
        .bind(number(anchor.checkpoint))
        .bind(number(anchor.sequence))
        .bind(&anchor.head)
        .bind(now)
        .execute(pool)
        .await?
        .rows_affected());
        Ok(())
    }

    /// Forgets the anchor of a log that was restored from a backup, and keeps for good that it was
    /// there, and why it is not any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn restore_anchor(&self, log: &str, because: &str, now: i64) -> Result<()> {
        let id = id("restore_")?;
        on!(self, pool => {
            let mut transaction = pool.begin().await?;
            sqlx::query(
                "INSERT INTO audit_restores \
                 (id, log, place, checkpoint, sequence, head, restored, because) \
                 SELECT $1, log, place, checkpoint, sequence, head, $3, $4 \
                 FROM audit_anchors WHERE log = $2",
            )
            .bind(&id)
            .bind(log)
            .bind(now)
            .bind(because)
            .execute(&mut *transaction)
            .await?;
            sqlx::query("DELETE FROM audit_anchors WHERE log = $1")
                .bind(log)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
        });
        Ok(())
    }
}
