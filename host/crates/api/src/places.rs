//! Turns a configured database into one that can be opened; PostgreSQL only over verified TLS.

use anyhow::anyhow;
use glovebox_catalog as catalog;
use glovebox_core::Secret;
use glovebox_datasets as datasets;

use super::config::Database;

/// Looks a secret up.
pub type Secrets<'s> = &'s dyn Fn(&glovebox_core::SecretName) -> anyhow::Result<Secret>;

/// Where a database is.
///
/// # Errors
/// When its password or its authorities cannot be had.
pub fn database_place(database: &Database, secrets: Secrets<'_>) -> anyhow::Result<catalog::Place> {
    Ok(match database {
        Database::Sqlite(path) => catalog::Place::Sqlite(path.clone()),
        Database::Postgres(server) => {
            let login = server.login(secrets(&server.password)?);
            datasets::server(&login, server.connections).map_err(|problem| anyhow!(problem))?
        }
    })
}
