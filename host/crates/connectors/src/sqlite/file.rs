//! The database file: opened, created for its owner's eyes only, and asked who else has it.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use glovebox_core::SinkError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokio::runtime::Runtime;

use super::Options;
use super::refusal::{opening, refusal};

/// How long another writer is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages of the database kept in memory, in KiB; a run's changed pages go to the log beyond it.
const CACHE_KIB: u32 = 16 << 10;

pub(super) async fn connect(
    options: &Options,
    for_writing: bool,
) -> Result<SqliteConnection, SinkError> {
    // SQLite takes a bare `:memory:` or `file:…` for something else than a file's name.
    let path = if options.path.is_absolute() {
        options.path.clone()
    } else {
        Path::new(".").join(&options.path)
    };
    let mut settings = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging();
    if for_writing {
        settings = settings
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("cache_size", format!("-{CACHE_KIB}"));
    }
    SqliteConnection::connect_with(&settings)
        .await
        .map_err(|e| SinkError::Connect {
            place: options.place(),
            problem: opening(&e).into(),
        })
}

/// Whether no other process has the file open, wherever it runs: then nobody works on it.
pub(super) fn is_alone(options: &Options) -> bool {
    let settings = SqliteConnectOptions::new()
        .filename(Path::new(".").join(&options.path))
        .locking_mode(SqliteLockingMode::Exclusive)
        .busy_timeout(Duration::ZERO)
        .disable_statement_logging();
    let Ok(runtime) = runtime(options) else {
        return false;
    };
    runtime.block_on(async {
        let Ok(mut connection) = SqliteConnection::connect_with(&settings).await else {
            return false;
        };
        let place = options.place();
        let taken = statement(&mut connection, "BEGIN IMMEDIATE; ROLLBACK", &place).await;
        let _ = connection.close().await;
        taken.is_ok()
    })
}

pub(super) async fn statement(
    connection: &mut SqliteConnection,
    sql: &str,
    place: &str,
) -> Result<(), SinkError> {
    // Safe by construction: literals, and names through `quote`.
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .map(drop)
        .map_err(|e| refusal(e, place))
}

pub(super) fn runtime(options: &Options) -> Result<Runtime, SinkError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| io_error(options, e))
}

pub(super) fn exists(options: &Options) -> Result<bool, SinkError> {
    options.path.try_exists().map_err(|e| io_error(options, e))
}

/// Whether its folder is there.
pub(super) fn creatable(options: &Options) -> Result<(), SinkError> {
    let folder = folder(&options.path);
    match folder.is_dir() {
        true => Ok(()),
        false => Err(io_error(options, no_folder(folder))),
    }
}

pub(super) fn create(options: &Options) -> Result<(), SinkError> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&options.path);
    match made {
        Ok(_) => Ok(()),
        // Another run was quicker: it is one database for both.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            Err(io_error(options, no_folder(folder(&options.path))))
        }
        Err(e) => Err(io_error(options, e)),
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn no_folder(folder: &Path) -> io::Error {
    let text = format!("there is no folder {}; create it", folder.display());
    io::Error::new(io::ErrorKind::NotFound, text)
}

fn io_error(options: &Options, problem: io::Error) -> SinkError {
    SinkError::Io {
        place: options.path.display().to_string(),
        problem,
    }
}
