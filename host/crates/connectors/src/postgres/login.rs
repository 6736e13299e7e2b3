//! Server and login, shared by source and sink.
//! Connections are always verified: there is no field to disable it.

use std::path::PathBuf;
use std::time::Duration;

use glovebox_core::Secret;

/// A server and a login.
#[derive(Debug, Clone)]
pub struct Login {
    /// A host name or an IP address; the server's certificate must bear it.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The role.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// How the server proves who it is.
    pub tls: Tls,
    /// The longest wait for a connection, from the name's resolution to the password's check.
    pub connect_timeout: Duration,
}

impl Login {
    /// For people, without the role.
    pub(super) fn place(&self) -> String {
        place(&self.host, self.port, &self.database)
    }
}

pub(super) fn place(host: &str, port: u16, database: &str) -> String {
    format!("PostgreSQL database `{database}` at {host}:{port}")
}

/// Server verification. There is no way to turn it off.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// A PEM file with the certificates of the authorities to trust, besides the built-in public
    /// ones (Mozilla's); none for these alone.
    pub ca: Option<PathBuf>,
}
