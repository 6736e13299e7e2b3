//! One connection of a reader, and the runtime that its thread blocks on.
//! There is no second attempt, since the snapshot is lost with the connection.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use glovebox_core::SourceError;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::runtime::Runtime;

use super::Options;
use super::refusal::unconnected;
use crate::postgres::connect::connect;

/// What sessions are called.
const NAME: &str = "glovebox source";
/// The longest wait for a goodbye.
const GOODBYE: Duration = Duration::from_secs(1);
/// How soon a request to stop is noticed.
const NOTICE: Duration = Duration::from_millis(20);

pub(super) struct Session {
    pub(super) options: Arc<Options>,
    pub(super) stop: Arc<AtomicBool>,
    connection: Option<PgConnection>,
    /// Whether the connection waits for a statement.
    idle: bool,
    // Taken only at the end. After the connection: that may not outlive its reactor.
    runtime: Option<Runtime>,
}

impl Session {
    /// Connects. Once `stop` is set it gives up whatever it does.
    pub(super) fn open(options: Arc<Options>, stop: Arc<AtomicBool>) -> Result<Self, SourceError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|problem| SourceError::Io {
                place: options.place(),
                problem,
            })?;
        let connected = runtime.block_on(unless(&stop, &options, async {
            connect(&options.login, NAME).await.map_err(unconnected)
        }));
        Ok(Session {
            connection: Some(connected?),
            idle: true,
            runtime: Some(runtime),
            options,
            stop,
        })
    }

    /// Does `work`; after an error the connection is of no use any more.
    pub(super) fn work<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, SourceError>,
    ) -> Result<T, SourceError> {
        let (Some(connection), Some(runtime)) = (&mut self.connection, &self.runtime) else {
            return Err(ended(&self.options));
        };
        self.idle = false;
        let done = runtime.block_on(unless(&self.stop, &self.options, work(connection)));
        self.idle = done.is_ok();
        done
    }
}

/// The outcome of `task`, unless `stop` is set before.
async fn unless<T>(
    stop: &AtomicBool,
    options: &Options,
    task: impl Future<Output = Result<T, SourceError>>,
) -> Result<T, SourceError> {
    let stopped = pin!(async {
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(NOTICE).await;
        }
    });
    match select(pin!(task), stopped).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(_) => Err(ended(options)),
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        if let Some(connection) = self.connection.take() {
            runtime.block_on(async {
                // In the midst of a statement the server would go on before it reads the goodbye.
                if self.idle {
                    let _ = tokio::time::timeout(GOODBYE, connection.close()).await;
                } else {
                    drop(connection);
                }
            });
        }
        // A name lookup that hangs may not hold up the end.
        runtime.shutdown_background();
    }
}

pub(super) fn ended(options: &Options) -> SourceError {
    SourceError::Io {
        place: options.place(),
        problem: io::Error::new(io::ErrorKind::Interrupted, "the run was ended"),
    }
}
