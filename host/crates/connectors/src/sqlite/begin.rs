//! How a run begins in a file, or goes on.

use glovebox_core::{ChunkRecord, Job, Schema, SinkError};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use super::file::{connect, statement};
use super::lease::Lease;
use super::publish::{self, Marks};
use super::refusal::refusal;
use super::{Mode, Options, effects, rows, runs, table, tokens};

/// A run that has begun, in a transaction that may be open.
pub(super) struct Prepared {
    pub(super) connection: SqliteConnection,
    pub(super) marks: Option<Marks>,
    pub(super) halves: bool,
    pub(super) columns: Vec<rows::Column>,
    pub(super) lease: Lease,
    pub(super) chunks: Vec<ChunkRecord>,
}

/// Opens the file, with the tables that the run needs.
pub(super) async fn prepare(
    options: &Options,
    job: &Job,
    schema: &Schema,
) -> Result<Prepared, SinkError> {
    let place = options.place();
    let mut connection = connect(options, true).await?;
    let outcome = async {
        let connection = &mut connection;
        statement(connection, "BEGIN IMMEDIATE", &place).await?;
        let (mut refuses, mut halves) = (false, false);
        let columns = match table::find(connection, options).await? {
            Some(found) => {
                refuses = found.refuses;
                halves = found.halves && options.mode == Mode::Append;
                let others = effects::obstacles(connection, options, schema).await?;
                table::check(&found, others, schema, options)?
            }
            None => {
                table::creatable(schema, options)?;
                if options.mode == Mode::Append {
                    let create = table::create(schema, &options.table, &[]);
                    statement(connection, &create, &place).await?;
                }
                table::columns(schema, options)
            }
        };
        if job.keeps.tokens {
            tokens::ready(connection, &place).await?;
        }
        let staged = options.mode.stages();
        if job.resume {
            let (lease, chunks) = runs::resume(connection, options, job).await?;
            let marks = match staged {
                true => publish::prepared(connection, schema, &job.run)
                    .await
                    .map_err(|e| refusal(e, &place))?,
                false => None,
            };
            // At once: from here on the process before this one can store nothing more.
            statement(connection, "COMMIT", &place).await?;
            return Ok((columns, lease, chunks, marks, halves));
        }
        let (lease, given_up) = runs::begin(connection, options, job).await?;
        publish::clear(connection, options, &given_up).await?;
        let marks = match staged {
            true => publish::prepare(connection, options, schema, &job.run, refuses).await?,
            false => None,
        };
        Ok((columns, lease, Vec::new(), marks, halves))
    }
    .await;
    match outcome {
        Ok((columns, lease, chunks, marks, halves)) => Ok(Prepared {
            connection,
            marks,
            halves,
            columns,
            lease,
            chunks,
        }),
        Err(e) => {
            let _ = connection.close().await;
            Err(e)
        }
    }
}
