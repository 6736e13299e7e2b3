//! Turns a configured database into one that can be opened; PostgreSQL only over verified TLS.

use anyhow::anyhow;
use glovebox_catalog as catalog;
use glovebox_connectors::{page, postgres};
use glovebox_core::Secret;

use super::config::{Database, Server};

/// Looks a secret up.
pub type Secrets<'s> = &'s dyn Fn(&glovebox_core::SecretName) -> anyhow::Result<Secret>;

/// Where the catalog is.
///
/// # Errors
/// When its password or its authorities cannot be had.
pub fn catalog_place(database: &Database, secrets: Secrets<'_>) -> anyhow::Result<catalog::Place> {
    Ok(match database {
        Database::Sqlite(path) => catalog::Place::Sqlite(path.clone()),
        Database::Postgres(server) => catalog::Place::Postgres {
            options: Box::new(
                postgres::verified(&login(server, secrets)?)
                    .map_err(|problem| anyhow!("{}: {problem}", shown(server)))?,
            ),
            shown: shown(server),
            connections: server.connections,
        },
    })
}

/// Where a dataset is.
pub(super) fn page_place(database: &Database, secrets: Secrets<'_>) -> anyhow::Result<page::Place> {
    Ok(match database {
        Database::Sqlite(path) => page::Place::Sqlite(path.clone()),
        Database::Postgres(server) => page::Place::Postgres {
            options: Box::new(
                postgres::verified(&login(server, secrets)?)
                    .map_err(|problem| anyhow!("{}: {problem}", shown(server)))?,
            ),
            shown: shown(server),
            connections: server.connections,
        },
    })
}

fn shown(server: &Server) -> String {
    format!("{}:{}/{}", server.host, server.port, server.database)
}

fn login(server: &Server, secrets: Secrets<'_>) -> anyhow::Result<postgres::Login> {
    Ok(postgres::Login {
        host: server.host.clone(),
        port: server.port,
        database: server.database.clone(),
        user: server.user.clone(),
        password: secrets(&server.password)?,
        tls: postgres::Tls {
            ca: server.ca.clone(),
        },
        connect_timeout: postgres::Options::CONNECT_TIMEOUT,
    })
}
