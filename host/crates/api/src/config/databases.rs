//! The databases that a configuration names: the catalog's, and those of datasets.

use std::path::PathBuf;

use glovebox_core::{Login, Secret, SecretName};
use glovebox_manifest::declare::{Block, Reader, section};
use glovebox_manifest::kinds::{File, Text, Whole, nested};
use glovebox_manifest::model::Spanned;
use glovebox_manifest::shared::{HOST, NAME, PASSWORD, Tls};

use super::Database;
use super::values::wrong;

section! {
    /// Where users, sessions, keys, failed logins and runs are kept: one of these.
    pub(super) struct CatalogKeys("Catalog"): "the catalog", "catalog: { sqlite: { path: catalog.db } }" {
        /// A SQLite file.
        sqlite: Option<CatalogFile> => optional, nested::<CatalogFile>();
        /// A PostgreSQL database, for more than one server.
        postgres: Option<Server> => optional, nested::<Server>();
    }
    rules {
        "oneOf": [{ "required": ["sqlite"] }, { "required": ["postgres"] }]
    }
    check one_database[];
    settle Database: catalog;
}

section! {
    /// The catalog's file.
    struct CatalogFile("CatalogFile"): "the catalog's SQLite file", "sqlite: { path: catalog.db }" {
        /// The file; created if it is missing.
        path: PathBuf => needed, File, "path: catalog.db";
    }
    hints {
        "table" => "delete it: the catalog creates its own tables",
    }
}

section! {
    /// A PostgreSQL server. TLS is always verified, chain and host name.
    pub struct Server("Server"): "the PostgreSQL server",
        "postgres: { host: db.internal, database: glovebox, user: api, password: { secret: api/db } }"
    {
        /// The server's name or address; its certificate must be valid for it.
        host: String => needed, HOST, "host: db.internal";
        /// Its port.
        port: u16 => default "5432", Whole(1..=65_535u16);
        /// The database.
        database: String => needed, NAME, "database: glovebox";
        /// The role that logs in.
        user: String => needed, NAME, "user: api";
        /// The secret that holds the password; the password itself is refused.
        password: SecretName => needed, PASSWORD, "password: { secret: api/db }";
        /// Certificates to trust in addition to the built-in ones, as a PEM file.
        ca = "tls": Option<Spanned<PathBuf>> => empty, nested::<Tls>();
        /// The number of connections.
        connections: u32 => default "4", Whole(1..=100u32);
    }
    hints {
        "table" => "delete it: the catalog creates its own tables",
    }
}

section! {
    /// A table or view in a SQLite file.
    pub(super) struct DatasetFile("DatasetFile"): "the dataset's SQLite file",
        "sqlite: { path: sales.db, table: sales }"
    {
        /// The file.
        path: PathBuf => needed, File, "path: sales.db";
        /// The table's [name](manifest.md#names-of-tables).
        table: Spanned<String> => needed, Text, "table: sales";
    }
}

section! {
    /// A table or view in a PostgreSQL database.
    pub(super) struct DatasetServer("DatasetServer"): "the dataset's PostgreSQL server",
        "postgres: { host: db.internal, database: shop, user: api, password: { secret: api/db }, table: sales }"
    {
        ..server: Server;
        /// `table` or `schema.table`, its [name](manifest.md#names-of-tables).
        table: Spanned<String> => needed, Text, "table: sales";
    }
}

impl Server {
    pub(crate) fn login(&self, password: Secret) -> Login {
        Login {
            host: self.host.clone(),
            port: self.port,
            database: self.database.clone(),
            user: self.user.clone(),
            password,
            ca: self.ca.as_ref().map(|ca| ca.value.clone()),
            connect_timeout: Login::CONNECT_TIMEOUT,
        }
    }
}

fn catalog(keys: CatalogKeys, _: &mut Reader<'_>, _: &Block<'_>) -> Option<Database> {
    let file = keys.sqlite.map(|sqlite| Database::Sqlite(sqlite.path));
    file.or(keys.postgres.map(Database::Postgres))
}

/// Complains of two databases, and of none.
pub(super) fn one_database(reader: &mut Reader<'_>, block: &Block<'_>) {
    if block.present(&["sqlite", "postgres"]).len() != 1 && !block.has_strangers() {
        let help = "write sqlite: { path: FILE } or postgres: { host: …, … }";
        let problem = "name one database: `sqlite` or `postgres`";
        wrong(reader, &block.head, problem, help);
    }
}
