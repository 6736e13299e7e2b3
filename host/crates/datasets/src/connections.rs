//! PostgreSQL connections for reading pages, each used by one page at a time.
//! sqlx's pool would need two more round trips per page.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgArguments, PgConnectOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Error, PgConnection};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long a free connection is waited for.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// One that rested for longer is asked whether it lives.
const TRUSTED: Duration = Duration::from_secs(1);
/// One that rested for longer is closed.
const RESTED: Duration = Duration::from_secs(600);
/// The oldest that is used, so that changes of rights and passwords arrive.
const OLDEST: Duration = Duration::from_secs(1800);

/// Connections of one dataset.
pub(super) struct Connections {
    options: PgConnectOptions,
    places: Semaphore,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: PgConnection,
    born: Instant,
    since: Instant,
}

impl Idle {
    fn is_fit(&self) -> bool {
        self.since.elapsed() <= RESTED && self.born.elapsed() <= OLDEST
    }
}

impl Connections {
    /// None yet, and never more than `most`.
    pub(super) fn new(options: PgConnectOptions, most: u32) -> Self {
        Connections {
            options,
            places: Semaphore::new(most as usize),
            idle: Mutex::default(),
        }
    }

    /// The rows of a statement. It is sent once more, over a new connection, if an old one turns
    /// out to be broken: the server was restarted, and reading changes nothing.
    pub(super) async fn rows(
        &self,
        statement: &str,
        bound: PgArguments,
    ) -> Result<Vec<PgRow>, Error> {
        let place = timeout(ACQUIRE_TIMEOUT, self.places.acquire()).await;
        let Ok(Ok(_place)) = place else {
            return Err(Error::PoolTimedOut);
        };
        if let Some(mut old) = self.rested().await {
            match fetch(&mut old.connection, statement, bound.clone()).await {
                Err(error) if is_broken(&error) => {}
                done => {
                    self.keep(old);
                    return done;
                }
            }
        }
        let Ok(connected) = timeout(ACQUIRE_TIMEOUT, self.options.connect()).await else {
            return Err(Error::PoolTimedOut);
        };
        let mut new = Idle {
            connection: connected?,
            born: Instant::now(),
            since: Instant::now(),
        };
        let done = fetch(&mut new.connection, statement, bound).await;
        if !done.as_ref().is_err_and(is_broken) {
            self.keep(new);
        }
        done
    }

    /// The one that was used last, if it lives.
    async fn rested(&self) -> Option<Idle> {
        loop {
            let mut found = self.list().pop()?;
            if !found.is_fit() {
                // It is of no use, whatever the server says to that.
                let _ = timeout(TRUSTED, found.connection.close()).await;
            } else if found.since.elapsed() < TRUSTED
                || matches!(timeout(TRUSTED, found.connection.ping()).await, Ok(Ok(())))
            {
                return Some(found);
            }
        }
    }

    fn keep(&self, used: Idle) {
        let since = Instant::now();
        let mut list = self.list();
        // Those that a burst has left lie at the bottom, where nobody takes them.
        list.retain(Idle::is_fit);
        list.push(Idle { since, ..used });
    }

    fn list(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn fetch(
    connection: &mut PgConnection,
    statement: &str,
    bound: PgArguments,
) -> Result<Vec<PgRow>, Error> {
    // Safe by construction: declared names through `quote`, values bound.
    let statement = AssertSqlSafe(statement.to_owned());
    let query = sqlx::query_with(statement, bound);
    query.fetch_all(connection).await
}

/// Whether a connection is of no more use: anything but a statement that was refused, and that too
/// if the server is going down (class 57, but for a statement that took too long).
fn is_broken(error: &Error) -> bool {
    match error {
        Error::Database(refused) => {
            let code = refused.code();
            code.is_none_or(|code| code.starts_with("57P") || code.starts_with("08"))
        }
        _ => true,
    }
}
