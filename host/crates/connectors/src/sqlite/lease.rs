//! A run as the process that works on it has it, until another one takes it over.

use glovebox_core::{Secret, SinkError};
use sqlx::sqlite::SqliteConnection;

/// A run in the journal, as the process that works on it knows it.
#[derive(Debug, Clone)]
pub(super) struct Lease {
    pub(super) run: String,
    pub(super) epoch: i64,
    /// The key of the journal's digests.
    pub(super) key: Secret,
}

/// The epoch of the run now. The write lock is held, so it is the same at the commit.
pub(super) async fn epoch(
    connection: &mut SqliteConnection,
    lease: &Lease,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar("SELECT epoch FROM glovebox_run WHERE run = ? AND state = 'running'")
        .bind(&lease.run)
        .fetch_optional(connection)
        .await
}

pub(super) fn held(epoch: Option<i64>, lease: &Lease, place: &str) -> Result<(), SinkError> {
    if epoch == Some(lease.epoch) {
        return Ok(());
    }
    Err(SinkError::Fenced {
        place: place.into(),
    })
}
