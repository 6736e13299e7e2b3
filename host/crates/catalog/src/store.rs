//! The database: where it is, how it is opened, and its tables brought up to date.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use glovebox_core::DatabasePlace;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, PgPool, SqlSafeStr, SqlitePool};

use crate::error::is_passing;
use crate::{Error, Result};

/// The schema of the tables in PostgreSQL.
pub(crate) const SCHEMA: &str = "glovebox_catalog";
/// What is to be done where that schema cannot be made.
pub(crate) const NO_SCHEMA: &str = "the schema `glovebox_catalog` does not exist and the role may \
                                   not create it; have the database's owner run: CREATE SCHEMA \
                                   glovebox_catalog AUTHORIZATION this_user";
/// How long a statement waits for another writer, or for a free connection.
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);

const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "catalog", include_str!("../migrations/0001_catalog.sql")),
    (2, "runs", include_str!("../migrations/0002_runs.sql")),
    (3, "reruns", include_str!("../migrations/0003_reruns.sql")),
    (
        4,
        "generations",
        include_str!("../migrations/0004_generations.sql"),
    ),
    (5, "anchors", include_str!("../migrations/0005_anchors.sql")),
];

/// The newest version that this program knows.
pub(crate) const NEWEST: i64 = 5;

/// Where the catalog is: a file that is made if it is missing, or a server, for more than one of ours.
pub type Place = DatabasePlace<Box<PgConnectOptions>>;

/// For people.
pub(crate) fn shown(place: &Place) -> String {
    match place {
        Place::Sqlite(path) => path.display().to_string(),
        Place::Postgres { shown, .. } => shown.clone(),
    }
}

/// Users, sessions, keys and failed logins.
#[derive(Debug, Clone)]
pub struct Catalog {
    pub(crate) pool: Pool,
}

#[derive(Debug, Clone)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Runs one expression against whichever database it is: the SQL is the same in both.
macro_rules! on {
    ($catalog:expr, $pool:ident => $body:expr) => {
        match &$catalog.pool {
            $crate::store::Pool::Sqlite($pool) => $body,
            $crate::store::Pool::Postgres($pool) => $body,
        }
    };
}
pub(crate) use on;

/// Makes an error of what is wrong, and of whether it may pass.
type Refuse<'r> = &'r dyn Fn(String, bool) -> Error;

fn failed(refuse: Refuse<'_>, error: sqlx::Error) -> Error {
    let passing = is_passing(&error);
    refuse(Error::from(error).to_string(), passing)
}

async fn sqlite(path: &Path, refuse: Refuse<'_>) -> Result<SqlitePool> {
    // Made here, so that nobody else may read it at any moment.
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(|e| refuse(e.to_string(), false))?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(WAIT_TIMEOUT)
        .disable_statement_logging();
    SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(WAIT_TIMEOUT)
        .connect_with(options)
        .await
        .map_err(|e| failed(refuse, e))
}

async fn postgres(
    options: &PgConnectOptions,
    connections: u32,
    refuse: Refuse<'_>,
) -> Result<PgPool> {
    let options = options
        .clone()
        .application_name("glovebox catalog")
        .options([("search_path", SCHEMA)])
        .disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(WAIT_TIMEOUT)
        .connect_with(options)
        .await
        .map_err(|e| failed(refuse, e))?;
    let there: Option<(i32,)> = sqlx::query_as("SELECT 1 FROM pg_namespace WHERE nspname = $1")
        .bind(SCHEMA)
        .fetch_optional(&pool)
        .await
        .map_err(|e| failed(refuse, e))?;
    if there.is_none() {
        sqlx::query("CREATE SCHEMA IF NOT EXISTS glovebox_catalog")
            .execute(&pool)
            .await
            .map_err(|e| match is_passing(&e) {
                true => failed(refuse, e),
                false => refuse(NO_SCHEMA.into(), false),
            })?;
    }
    Ok(pool)
}

impl Catalog {
    /// Opens it, and brings its tables up to date.
    ///
    /// # Errors
    /// When it cannot be reached or made, or a newer program has changed its tables.
    pub async fn open(place: &Place) -> Result<Self> {
        let refuse = |problem: String, passing| Error::Place {
            place: shown(place),
            problem,
            passing,
        };
        let pool = match place {
            Place::Sqlite(path) => Pool::Sqlite(sqlite(path, &refuse).await?),
            Place::Postgres {
                connect,
                connections,
                ..
            } => Pool::Postgres(postgres(connect, *connections, &refuse).await?),
        };
        let migrations = MIGRATIONS
            .iter()
            .map(|(version, name, sql)| {
                Migration::new(
                    *version,
                    (*name).into(),
                    MigrationType::Simple,
                    sql.into_sql_str(),
                    false,
                )
            })
            .collect();
        let migrator = Migrator::with_migrations(migrations);
        let migrated = match &pool {
            Pool::Sqlite(pool) => migrator.run(pool).await,
            Pool::Postgres(pool) => migrator.run(pool).await,
        };
        migrated.map_err(|error| match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)
                if is_passing(&error) =>
            {
                failed(&refuse, error)
            }
            _ => refuse(
                "its tables could not be upgraded; it may belong to a newer version or to another \
                program"
                    .into(),
                false,
            ),
        })?;
        Ok(Catalog { pool })
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ready(&self) -> Result<()> {
        on!(self, pool => {
            let _: (i32,) = sqlx::query_as("SELECT 1").fetch_one(pool).await?;
        });
        Ok(())
    }

    /// Closes every connection, after what runs.
    pub async fn close(&self) {
        on!(self, pool => pool.close().await);
    }
}
