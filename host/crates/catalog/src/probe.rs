//! Checks whether a catalog could be opened, without changing anything.

use std::fs::OpenOptions;
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::anchors::ANCHORS;
use crate::random::id;
use crate::store::{NEWEST, NO_SCHEMA, Place, SCHEMA, shown};
use crate::{Catalog, Error, LogAnchor, Result};

const NEWER: &str = "its tables belong to a newer version of Glovebox";

impl Catalog {
    /// Whether it could be opened: a file can be written or made, a server be reached, and its
    /// tables are not a newer program's; then what it knows of audit logs.
    ///
    /// # Errors
    /// Why it could not.
    pub async fn probe(place: &Place) -> Result<Vec<LogAnchor>> {
        let refuse = |problem: String| Error::Place {
            place: shown(place),
            problem,
            passing: false,
        };
        match place {
            Place::Sqlite(path) if path.exists() => {
                OpenOptions::new()
                    .read(true)
                    .append(true)
                    .open(path)
                    .map_err(|e| refuse(e.to_string()))?;
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .create_if_missing(false)
                    .disable_statement_logging();
                let mut connection = options.connect().await?;
                let there: Option<(i64,)> =
                    sqlx::query_as("SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations'")
                        .fetch_optional(&mut connection)
                        .await
                        .map_err(|_| refuse("it is not a SQLite database".into()))?;
                if there.is_some() {
                    let newest: (Option<i64>,) =
                        sqlx::query_as("SELECT max(version) FROM _sqlx_migrations")
                            .fetch_one(&mut connection)
                            .await?;
                    if newest.0 > Some(NEWEST) {
                        return Err(refuse(NEWER.into()));
                    }
                }
                let anchored: Option<(i64,)> =
                    sqlx::query_as("SELECT 1 FROM sqlite_master WHERE name = 'audit_anchors'")
                        .fetch_optional(&mut connection)
                        .await?;
                let known = match anchored {
                    Some(_) => sqlx::query_as(ANCHORS).fetch_all(&mut connection).await?,
                    None => Vec::new(),
                };
                connection.close().await?;
                Ok(known.into_iter().map(LogAnchor::read).collect())
            }
            Place::Sqlite(path) => makeable(path).map(|()| Vec::new()).map_err(refuse),
            Place::Postgres {
                connect: options, ..
            } => {
                let options = options
                    .as_ref()
                    .clone()
                    .options([("search_path", SCHEMA)])
                    .disable_statement_logging();
                let mut connection = options
                    .connect()
                    .await
                    .map_err(|e| refuse(Error::from(e).to_string()))?;
                let (there, may, anchored): (bool, bool, bool) = sqlx::query_as(
                    "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1), \
                     has_database_privilege(current_database(), 'CREATE'), \
                     EXISTS (SELECT 1 FROM pg_tables \
                     WHERE schemaname = $1 AND tablename = 'audit_anchors')",
                )
                .bind(SCHEMA)
                .fetch_one(&mut connection)
                .await?;
                let known = match anchored {
                    true => sqlx::query_as(ANCHORS).fetch_all(&mut connection).await?,
                    false => Vec::new(),
                };
                connection.close().await?;
                if !there && !may {
                    return Err(refuse(NO_SCHEMA.into()));
                }
                Ok(known.into_iter().map(LogAnchor::read).collect())
            }
        }
    }
}

/// Whether a file could be made there.
fn makeable(path: &Path) -> std::result::Result<(), String> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(format!(
            "there is no folder {}; create it",
            folder.display()
        ));
    }
    let name = id("glovebox-probe-").map_err(|e| e.to_string())?;
    let probe = folder.join(name);
    let made = OpenOptions::new().write(true).create_new(true).open(&probe);
    made.and_then(|_| std::fs::remove_file(&probe))
        .map_err(|e| format!("cannot create a file in {}: {e}", folder.display()))
}
