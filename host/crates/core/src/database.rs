//! How databases are reached: a PostgreSQL server and its login, and the places that pools connect to.
//! Connections are always verified: there is no field to disable it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::secret::Secret;

/// A PostgreSQL server and a login.
#[derive(Debug, Clone)]
pub struct Login {
    /// A host name or an IP address; the server's certificate must be valid for it.
    pub host: String,
    /// The TCP port, [`Login::PORT`] by default.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The role.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// A PEM file with the certificates of the authorities to trust, besides the built-in public
    /// ones (Mozilla's); none for these alone.
    pub ca: Option<PathBuf>,
    /// The longest wait for a connection, from the name's resolution to the password's check.
    pub connect_timeout: Duration,
}

impl Login {
    /// PostgreSQL's port.
    pub const PORT: u16 = 5432;
    /// A wait that spans a slow network and a busy server.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
}

/// For people, without the role.
impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Login {
            host,
            port,
            database,
            ..
        } = self;
        write!(f, "PostgreSQL database `{database}` at {host}:{port}")
    }
}

/// A database that is reached over a pool of connections.
#[derive(Debug, Clone)]
pub enum DatabasePlace<Connect> {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database; whoever makes `connect` has it verify the server.
    Postgres {
        /// How it is reached.
        connect: Connect,
        /// Its name in messages.
        shown: String,
        /// The most connections.
        connections: u32,
    },
}
