//! A catalog in each database.

use glovebox_catalog::{Catalog, Hasher, Hashing, Name, PasswordHash, Place, Roles, Session, User};
use glovebox_core::Secret;
use glovebox_tests::postgres::Postgres;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tempfile::TempDir;

/// A moment, in seconds since 1970.
pub(crate) const NOW: i64 = 1_800_000_000;

/// A catalog in SQLite and one in PostgreSQL.
pub(crate) struct Both {
    pub(crate) catalogs: Vec<Catalog>,
    pub(crate) folder: TempDir,
}

pub(crate) async fn both(test: &str) -> Both {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Place::Sqlite(folder.path().join("catalog.db"));
    let catalogs = vec![
        Catalog::open(&sqlite).await.unwrap(),
        Catalog::open(&postgres(test)).await.unwrap(),
    ];
    Both { catalogs, folder }
}

pub(crate) fn postgres(test: &str) -> Place {
    let server = Postgres::shared();
    let database = server.database(test);
    let options = PgConnectOptions::new_without_pgpass()
        .host(server.host())
        .port(server.port())
        .username(server.user())
        .password(server.password())
        .database(&database)
        .ssl_mode(PgSslMode::VerifyFull)
        .ssl_root_cert(server.ca_path());
    Place::Postgres {
        connect: Box::new(options),
        shown: database,
        connections: 8,
    }
}

/// A hash that takes no time.
pub(crate) async fn hash(password: &str) -> PasswordHash {
    let quick = Hashing {
        memory_kib: 64,
        passes: 1,
        ..Hashing::default()
    };
    let secret = Secret::new(password.into());
    Hasher::new(quick).unwrap().hash(secret).await.unwrap()
}

pub(crate) async fn ada(catalog: &Catalog) -> User {
    let roles = Roles::parse(["admin", "analyst"]).unwrap();
    let name = Name::parse("ada").unwrap();
    let password = hash("a long enough password").await;
    catalog
        .add_user(&name, &roles, &password, NOW)
        .await
        .unwrap()
}

/// A session of [`ada`]'s, good for 100 seconds.
pub(crate) async fn opened(catalog: &Catalog) -> Session {
    let name = Name::parse("ada").unwrap();
    let found = catalog.credentials(&name).await.unwrap().unwrap();
    let session = catalog.open_session(&found, NOW, NOW + 100).await;
    session.unwrap().unwrap()
}
