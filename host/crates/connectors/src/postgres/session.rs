//! A connection that reconnects: statements are retried on a new one after a transient error.
//! After an error the connection is not reused, so that nothing of a failed transaction remains.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use glovebox_core::SinkError;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use tokio::runtime::Runtime;

use super::refusal::{Fault, contended, fault};
use super::retry::RetryBudget;
use super::{Options, connect};

/// The longest wait for a goodbye.
const GOODBYE: Duration = Duration::from_secs(1);
/// How soon a request to stop is noticed.
const NOTICE: Duration = Duration::from_millis(20);

/// What a transaction begins with: notices, which may quote cells, are not sent; what is committed
/// is on the disk; and the server's defaults cannot make a fence see old rows. It is one message,
/// and holds behind a pooler too.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
     SET LOCAL client_min_messages = error; \
     SELECT pg_catalog.set_config('synchronous_commit', 'on', true) \
     WHERE pg_catalog.current_setting('synchronous_commit') = 'off'";

/// The longest wait for a lock, in the transaction.
pub(super) fn lock_timeout(wait: Duration) -> String {
    // None at all would mean forever.
    let millis = wait.as_millis().clamp(1, i32::MAX as u128);
    format!("SET LOCAL lock_timeout = {millis}")
}

/// The longest silence of ours between two statements of the transaction, unless the server allows
/// less.
pub(super) fn idle_timeout(silence: Duration) -> String {
    let millis = silence.as_millis().clamp(1, i32::MAX as u128);
    format!(
        "SELECT pg_catalog.set_config(name, '{millis}', true) FROM pg_catalog.pg_settings \
         WHERE name = 'idle_in_transaction_session_timeout' \
         AND setting::bigint NOT BETWEEN 1 AND {millis}"
    )
}

pub(super) struct Session {
    options: Arc<Options>,
    name: String,
    connection: Option<PgConnection>,
    /// The server's process behind the last connection, and since when.
    backend: Option<(i32, String)>,
    // Taken only at the end. After the connection: that may not outlive its reactor.
    runtime: Option<Runtime>,
    stop: Arc<AtomicBool>,
}

impl Session {
    /// A session that connects when it is used, under a name that other sessions see. Once `stop`
    /// is set it gives up whatever it does.
    pub(super) fn new(
        options: Arc<Options>,
        name: String,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, SinkError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|problem| SinkError::Io {
                place: options.place(),
                problem,
            })?;
        Ok(Session {
            options,
            name,
            connection: None,
            backend: None,
            runtime: Some(runtime),
            stop,
        })
    }

    /// Does `work`, and again on a new connection for as long as it fails by what passes and
    /// the budget lasts.
    pub(super) fn attempt<T>(
        &mut self,
        budget: &mut RetryBudget,
        mut work: impl AsyncFnMut(&mut PgConnection) -> Result<T, Fault>,
    ) -> Result<T, SinkError> {
        loop {
            let error = match self.once(&mut work) {
                Ok(value) => {
                    budget.renew();
                    return Ok(value);
                }
                Err(Fault::Lasting(error)) => {
                    self.hang_up();
                    return Err(error);
                }
                Err(Fault::Passing(error)) => error,
            };
            self.hang_up();
            let Some(pause) = budget.pause() else {
                return Err(error);
            };
            tracing::warn!(%error, ?pause, "trying again");
            self.wait(pause);
        }
    }

    fn once<T>(
        &mut self,
        work: &mut impl AsyncFnMut(&mut PgConnection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let Session {
            options,
            name,
            connection,
            backend,
            runtime: Some(runtime),
            stop,
        } = self
        else {
            return Err(ended(&self.options).into());
        };
        runtime.block_on(async {
            let task = pin!(async {
                let connection = match connection {
                    Some(connection) => connection,
                    none => {
                        let mut new = connect::connect(&options.login, name).await?;
                        *backend = Some(succeed(&mut new, backend.take(), options).await?);
                        none.insert(new)
                    }
                };
                work(connection).await
            });
            let stopped = pin!(async {
                while !stop.load(Ordering::Relaxed) {
                    tokio::time::sleep(NOTICE).await;
                }
            });
            match select(task, stopped).await {
                Either::Left((outcome, _)) => outcome,
                Either::Right(_) => Err(ended(options).into()),
            }
        })
    }

    fn wait(&self, pause: Duration) {
        let start = Instant::now();
        while start.elapsed() < pause && !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(NOTICE.min(pause.saturating_sub(start.elapsed())));
        }
    }

    /// Ends the connection, and with it its transaction, if there is one.
    pub(super) fn hang_up(&mut self) {
        if let (Some(connection), Some(runtime)) = (self.connection.take(), &self.runtime) {
            let _ =
                runtime.block_on(async { tokio::time::timeout(GOODBYE, connection.close()).await });
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.hang_up();
        if let Some(runtime) = self.runtime.take() {
            // A name lookup that hangs may not hold up the end.
            runtime.shutdown_background();
        }
    }
}

fn ended(options: &Options) -> SinkError {
    SinkError::Io {
        place: options.place(),
        problem: std::io::Error::new(std::io::ErrorKind::Interrupted, "the run was ended"),
    }
}

/// Ends the process that served the connection before, if it lives on because the network does not
/// tell it: its transaction would block ours. Returns the new connection's.
async fn succeed(
    connection: &mut PgConnection,
    before: Option<(i32, String)>,
    options: &Options,
) -> Result<(i32, String), Fault> {
    let (pid, since) = before.unzip();
    sqlx::query_as(
        "SELECT pid, backend_start::text FROM pg_catalog.pg_stat_activity \
         WHERE pid = pg_catalog.pg_backend_pid() \
         AND (SELECT count(pg_catalog.pg_terminate_backend(pid)) \
              FROM pg_catalog.pg_stat_activity \
              WHERE pid = $1 AND backend_start::text = $2 AND usename = current_user) >= 0",
    )
    .bind(pid)
    .bind(since)
    .fetch_one(connection)
    .await
    .map_err(|e| fault(e, &options.login.to_string()))
}

/// Executes statements without arguments: literals, and names through `quote`.
pub(super) async fn statement(
    connection: &mut PgConnection,
    sql: &str,
    place: &str,
) -> Result<(), Fault> {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .map(drop)
        .map_err(|e| fault(e, place))
}

/// As [`statement`], for what other sessions may be making or removing at this moment.
pub(super) async fn contend(
    connection: &mut PgConnection,
    sql: &str,
    place: &str,
) -> Result<(), Fault> {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .map(drop)
        .map_err(|e| contended(e, place))
}
