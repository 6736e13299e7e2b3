//! What is done with a file outside of a run: checks, and reading the journal.

use glovebox_core::{KeptReject, Schema, SealedBlock, SinkError};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use super::file::{self, connect, exists, runtime, statement};
use super::refusal::refusal;
use super::{Options, chunks, effects, table};

/// Every check, no change.
pub(super) fn probe(options: &Options, schema: &Schema) -> Result<(), SinkError> {
    table::name(options)?;
    if !exists(options)? {
        file::creatable(options)?;
        return table::creatable(schema, options);
    }
    let runtime = runtime(options)?;
    runtime.block_on(async {
        let place = options.place();
        let mut connection = connect(options, false).await?;
        // Takes the lock for writing, which a read-only file or folder has not got.
        statement(&mut connection, "BEGIN IMMEDIATE", &place).await?;
        let fits = match table::find(&mut connection, options).await? {
            Some(found) => match effects::obstacles(&mut connection, options, schema).await {
                Ok(others) => table::check(&found, others, schema, options).map(drop),
                Err(e) => Err(e),
            },
            None => table::creatable(schema, options),
        };
        let ended = statement(&mut connection, "ROLLBACK", &place).await;
        let _ = connection.close().await;
        fits.and(ended)
    })
}

/// The rejects of a run, by row.
pub(super) fn rejects(
    options: &Options,
    run: &str,
    each: &mut dyn FnMut(KeptReject),
) -> Result<(), SinkError> {
    read(options, async |connection| {
        chunks::rejects(connection, run, each).await
    })
}

/// The sealed blocks of a run.
pub(super) fn sealed(
    options: &Options,
    run: &str,
    each: &mut dyn FnMut(SealedBlock),
) -> Result<(), SinkError> {
    read(options, async |connection| {
        chunks::sealed(connection, run, each).await
    })
}

pub(super) fn read<T>(
    options: &Options,
    query: impl AsyncFnOnce(&mut SqliteConnection) -> sqlx::Result<T>,
) -> Result<T, SinkError> {
    runtime(options)?.block_on(async {
        let mut connection = connect(options, false).await?;
        let found = query(&mut connection).await;
        let _ = connection.close().await;
        found.map_err(|e| refusal(e, &options.place()))
    })
}
