//! One connection and the one transaction that a run is.
//!
//! Owns the order of statements from BEGIN to COMMIT; refuses to outlive an error, which is why
//! commit and rollback take it.

use std::time::Duration;

use glovebox_core::{Schema, SinkError};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection};
use tokio::runtime::Runtime;

use super::refusal::{ends_session, refusal};
use super::table::{self, Name};
use super::{Mode, Options, connect, copy};
use crate::database::quote_all;

/// Bytes gathered before they go out as one COPY: enough that its round trip does not show, few
/// enough that the server's complaint comes soon. (It is only heard at the end of a COPY.)
const COPY_BYTES: usize = 4 << 20;
/// Bytes of one message of a COPY; sqlx buffers a whole one.
const MESSAGE_BYTES: usize = 256 << 10;
/// The longest wait for a goodbye.
const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(5);

/// What holds for the transaction: notices, which may quote cells, are not sent; what is committed
/// is on the disk; and a table that another session holds is waited for only so long.
fn settings(wait: Duration) -> String {
    format!(
        "SET LOCAL client_min_messages = error; SET LOCAL lock_timeout = {}; \
         SELECT pg_catalog.set_config('synchronous_commit', 'on', true) \
         WHERE pg_catalog.current_setting('synchronous_commit') = 'off'",
        // None at all would mean forever.
        wait.as_millis().clamp(1, i32::MAX as u128)
    )
}

pub(super) struct Session {
    // Before the runtime: a connection may not outlive the reactor that it is registered with.
    connection: PgConnection,
    runtime: Runtime,
    place: String,
    copy: String,
    pending: Vec<Vec<u8>>,
    pending_bytes: usize,
}

impl Session {
    /// Connects.
    pub(super) fn start(options: &Options) -> Result<Self, SinkError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|problem| SinkError::Io {
                place: options.place(),
                problem,
            })?;
        match runtime.block_on(connect::connect(options)) {
            Ok(connection) => Ok(Session {
                connection,
                runtime,
                place: options.place(),
                copy: String::new(),
                pending: Vec::new(),
                pending_bytes: 0,
            }),
            Err(e) => {
                // A name lookup that hangs may not hold up the error.
                runtime.shutdown_background();
                Err(e)
            }
        }
    }

    /// The rows of a query.
    pub(super) fn read(&mut self, sql: AssertSqlSafe<String>) -> sqlx::Result<Vec<PgRow>> {
        self.runtime
            .block_on(sqlx::query(sql).fetch_all(&mut self.connection))
    }

    /// Every check, no change.
    pub(super) fn probe(mut self, options: &Options, schema: &Schema) -> Result<(), SinkError> {
        let outcome = self.runtime.block_on(async {
            let connection = &mut self.connection;
            statement(connection, "BEGIN", &self.place).await?;
            statement(connection, &settings(options.connect_timeout), &self.place).await?;
            let name = Name::parse(options)?;
            match table::find(connection, &name, options).await? {
                Some(found) => table::check(connection, found, schema, options)
                    .await
                    .map(drop),
                None => table::creatable(connection, &name, schema, options).await,
            }
        });
        self.rollback();
        outcome
    }

    /// Checks or creates the table, and begins the run's transaction. Returns its columns.
    pub(super) fn begin(
        &mut self,
        options: &Options,
        schema: &Schema,
    ) -> Result<Vec<copy::Column>, SinkError> {
        let place = &self.place;
        let connection = &mut self.connection;
        let name = Name::parse(options)?;
        self.copy = format!(
            "COPY {} ({}) FROM STDIN (FORMAT binary)",
            name.quoted(),
            quote_all(schema.fields.iter().map(|f| &*f.name))
        );
        self.runtime.block_on(async {
            statement(connection, "BEGIN", place).await?;
            statement(connection, &settings(options.connect_timeout), place).await?;
            let columns = match table::find(connection, &name, options).await? {
                Some(found) => {
                    // Held to the end, so that the table stays what it was checked to be; readers
                    // go on, and in mode replace other writers wait.
                    let lock = match options.mode {
                        Mode::Append => "ROW EXCLUSIVE",
                        Mode::Replace => "SHARE ROW EXCLUSIVE",
                    };
                    found.permits(options)?;
                    let lock = format!("LOCK TABLE {} IN {lock} MODE", name.quoted());
                    statement(connection, &lock, place).await?;
                    let columns = table::check(connection, found, schema, options).await?;
                    if options.mode == Mode::Replace {
                        // Not TRUNCATE: it would shut readers out until the commit. The price is
                        // that the old rows take up room until the next VACUUM.
                        let delete = format!("DELETE FROM {}", name.quoted());
                        statement(connection, &delete, place).await?;
                    }
                    columns
                }
                None => {
                    table::creatable(connection, &name, schema, options).await?;
                    let create = table::create(&name, schema);
                    statement(connection, &create, place).await?;
                    table::columns(schema)
                }
            };
            statement(connection, "SET LOCAL lock_timeout TO DEFAULT", place).await?;
            Ok(columns)
        })
    }

    /// Takes tuples, and sends them once there are enough.
    pub(super) fn push(&mut self, tuples: Vec<u8>) -> Result<(), SinkError> {
        self.pending_bytes += tuples.len();
        self.pending.push(tuples);
        if self.pending_bytes >= COPY_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        let pending = std::mem::take(&mut self.pending);
        if std::mem::take(&mut self.pending_bytes) == 0 {
            return Ok(());
        }
        self.runtime
            .block_on(async {
                let mut stream = self.connection.copy_in_raw(&self.copy).await?;
                stream.send(copy::HEADER).await?;
                for message in pending
                    .iter()
                    .flat_map(|tuples| tuples.chunks(MESSAGE_BYTES))
                {
                    stream.send(message).await?;
                }
                stream.send(copy::TRAILER).await?;
                stream.finish().await.map(drop)
            })
            .map_err(|e| refusal(e, &self.place))
    }

    /// Sends the rest and publishes.
    pub(super) fn commit(mut self) -> Result<(), SinkError> {
        if let Err(e) = self.flush() {
            self.rollback();
            return Err(e);
        }
        let committed = self
            .runtime
            .block_on(sqlx::raw_sql("COMMIT").execute(&mut self.connection));
        match committed {
            Ok(_) => {
                self.close();
                Ok(())
            }
            Err(e) if ends_session(&e) => Err(SinkError::Unknown {
                place: self.place,
                problem: "the connection was lost while the rows were being committed, so they \
                          are stored either all or not at all; look into the table before \
                          running again"
                    .into(),
            }),
            Err(e) => Err(refusal(e, &self.place)),
        }
    }

    /// Takes everything back. That the server would do so alone once the connection is gone does
    /// not help the next run, which would wait for its locks.
    pub(super) fn rollback(mut self) {
        let _ = self.runtime.block_on(async {
            let rollback = sqlx::raw_sql("ROLLBACK").execute(&mut self.connection);
            tokio::time::timeout(ROLLBACK_TIMEOUT, rollback).await
        });
        self.close();
    }

    fn close(self) {
        let Session {
            connection,
            runtime,
            ..
        } = self;
        let _ = runtime
            .block_on(async { tokio::time::timeout(ROLLBACK_TIMEOUT, connection.close()).await });
    }
}

async fn statement(connection: &mut PgConnection, sql: &str, place: &str) -> Result<(), SinkError> {
    // Safe by construction: literals, and names through `quote`.
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .map(drop)
        .map_err(|e| refusal(e, place))
}
