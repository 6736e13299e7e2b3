//! A PostgreSQL database that no manifest names yet, and tables in it.

use std::path::Path;

use anyhow::Context;
use glovebox_connectors::discover::Found;
use glovebox_core::{Login, ObjectUrl, Secret, SecretName, TableName};
use glovebox_engine::Toolbox;
use glovebox_manifest::model::Store;
use percent_encoding::percent_decode_str;
use url::Url;

use super::given::Given;
use super::manifest::scalar;
use super::places::Places;
use crate::compose::Composed;

/// How such a database is written.
const EXAMPLE: &str = "write it as postgres://USER@HOST/DATABASE, with `--table TABLE`";

/// What is said where a table has to be named.
pub(in crate::cli) const NO_TABLE: &str =
    "a database has several tables; name one, like `--table public.customers`";

/// A database, and how its server is reached.
pub(in crate::cli) struct Database {
    secret: SecretName,
    /// Without the password.
    login: Login,
}

impl Database {
    /// The database that the arguments name, with the table if they name one; none if they name files.
    ///
    /// # Errors
    /// What is wrong, without a word of the address, in which there may be a password.
    pub(in crate::cli) fn asked_for(
        given: &Given,
    ) -> Result<Option<(Database, Option<TableName>)>, String> {
        let text = given.input.to_string_lossy();
        let scheme = text
            .split_once("://")
            .map(|(scheme, _)| scheme.to_ascii_lowercase());
        if let Some(scheme) = scheme {
            if ObjectUrl::is_meant(&text) {
                return Err(
                    "objects of a store are looked at by way of a manifest: write their address there, \
                     under `path:`, and run `glovebox scan MANIFEST`"
                        .into(),
                );
            }
            if !matches!(scheme.as_str(), "postgres" | "postgresql") {
                return Err(format!(
                    "only PostgreSQL databases are read by an address; {EXAMPLE}"
                ));
            }
        } else {
            return match given.table {
                Some(_) => Err(format!("`--table` is for a PostgreSQL database; {EXAMPLE}")),
                None if is_sqlite(&given.input) => Err(format!(
                    "{} is a SQLite file, which can be a sink but not a source; export the table as CSV \
                     first",
                    given.input.display()
                )),
                None => Ok(None),
            };
        }
        let mut login = login(&text)?;
        login.ca = given.ca.clone();
        let secret = match &given.secret {
            Some(name) => SecretName::parse(name).map_err(|_| {
                "`--secret` takes the name of a secret, not the password; store the password with: \
                 glovebox secret set NAME"
                    .to_owned()
            })?,
            None => {
                SecretName::parse(&format!("{}/{}", login.database, login.user)).map_err(|_| {
                    "name the secret that holds the password: `--secret NAME`".to_owned()
                })?
            }
        };
        let parse = |table: &String| {
            TableName::parse(table).map_err(|problem| format!("`--table`: {problem}"))
        };
        let table = given.table.as_ref().map(parse).transpose()?;
        Ok(Some((Database { secret, login }, table)))
    }

    /// With the password, from the stores.
    ///
    /// # Errors
    /// When none has it.
    pub(in crate::cli) fn login(&self, composed: &Composed) -> anyhow::Result<Login> {
        // As a manifest looks secrets up that says nothing of it.
        let stores = [Store::Keyring, Store::Env];
        let password = composed
            .secret(&stores, &self.secret)
            .context("the password for the database")?;
        Ok(Login {
            password,
            ..self.login.clone()
        })
    }

    /// The source's keys, as the manifest has them.
    pub(in crate::cli) fn keys(&self, table: &TableName, places: &Places) -> Vec<String> {
        let Login {
            host,
            port,
            database,
            user,
            ca,
            ..
        } = &self.login;
        let mut keys = vec![format!("host: {}", scalar(host))];
        if *port != Login::PORT {
            keys.push(format!("port: {port}"));
        }
        keys.push(format!("database: {}", scalar(database)));
        keys.push(format!("user: {}", scalar(user)));
        keys.push(format!(
            "password: {{ secret: {} }}",
            scalar(self.secret.as_str())
        ));
        if let Some(ca) = ca {
            keys.push(format!("tls: {{ ca: {} }}", scalar(&places.written(ca))));
        }
        keys.push(format!("table: {}", scalar(&table.to_string())));
        keys
    }
}

/// What the server says of a table; no row is read yet.
#[cfg(feature = "postgres")]
pub(in crate::cli) fn discover(login: Login, table: &TableName) -> anyhow::Result<Found> {
    use std::num::NonZeroUsize;

    use glovebox_connectors::{discover::discover_table, postgres};

    let rows = postgres::Rows::Table(table.to_string());
    let mut options = postgres::SourceOptions::new(login, rows);
    // The first rows come over the first.
    options.connections = Some(NonZeroUsize::MIN);
    Ok(discover_table(options)?)
}

#[cfg(not(feature = "postgres"))]
pub(in crate::cli) fn discover(_: Login, _: &TableName) -> anyhow::Result<Found> {
    anyhow::bail!(crate::without::POSTGRES.refusal())
}

/// The tables of a schema that the role may read.
#[cfg(feature = "postgres")]
pub(in crate::cli) fn tables(login: Login, schema: &str) -> anyhow::Result<Vec<TableName>> {
    Ok(glovebox_connectors::postgres::tables(login, schema)?)
}

#[cfg(not(feature = "postgres"))]
pub(in crate::cli) fn tables(_: Login, _: &str) -> anyhow::Result<Vec<TableName>> {
    anyhow::bail!(crate::without::POSTGRES.refusal())
}

/// The server, database and role of an address.
fn login(address: &str) -> Result<Login, String> {
    let unreadable = || format!("the database's address cannot be read; {EXAMPLE}");
    let url = Url::parse(address).map_err(|_| unreadable())?;
    if url.password().is_some() {
        return Err(
            "a password in the address stands in the shell's history and in every list of \
            processes, so treat it as compromised; leave it out, and store the new one with: \
            glovebox secret set DATABASE/USER"
                .into(),
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(
            "the database's address may have no parameters: TLS is always on, and the server is \
            always verified; name a private authority with `--ca FILE`"
                .into(),
        );
    }
    let decoded = |part: &str| {
        let text = percent_decode_str(part).decode_utf8().ok()?;
        (!text.is_empty() && !text.contains(['/', '\0'])).then(|| text.into_owned())
    };
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.and_then(|host| decoded(host.trim_matches(['[', ']'])));
    Ok(Login {
        host: host.ok_or_else(unreadable)?,
        port: url.port().unwrap_or(Login::PORT),
        database: decoded(url.path().trim_start_matches('/')).ok_or_else(unreadable)?,
        user: decoded(url.username()).ok_or_else(unreadable)?,
        password: Secret::new(Vec::new()),
        ca: None,
        connect_timeout: Login::CONNECT_TIMEOUT,
    })
}

/// Whether it is a SQLite file.
pub(in crate::cli) fn is_sqlite(input: &Path) -> bool {
    if !input.is_file() {
        // A pipe would lose what is read of it here.
        return false;
    }
    let mut start = [0; 15];
    let file = std::fs::File::open(input);
    let read = file.and_then(|mut file| std::io::Read::read_exact(&mut file, &mut start));
    read.is_ok() && start == *b"SQLite format 3"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_server_database_and_role() {
        let read = |address| {
            let login = login(address).unwrap();
            (login.user, login.host, login.port, login.database)
        };
        let due = |user: &str, host: &str, port, database: &str| {
            (user.to_owned(), host.to_owned(), port, database.to_owned())
        };
        assert_eq!(
            read("postgres://reader@db.internal/shop"),
            due("reader", "db.internal", 5432, "shop")
        );
        assert_eq!(
            read("postgresql://r%40x@[::1]:5433/my%20shop"),
            due("r@x", "::1", 5433, "my shop")
        );
    }

    #[test]
    fn what_an_address_may_not_have_is_said_without_it() {
        for (address, said) in [
            ("postgres://u:canary@h/d", "compromised"),
            ("postgres://u@h/d?sslmode=disable", "always verified"),
            ("postgres://u@h/d#canary", "no parameters"),
            ("postgres://h/canary", "USER@HOST"),
            ("postgres://u@h", "USER@HOST"),
            ("postgres://u@/canary", "USER@HOST"),
            ("postgres://u@h:99999/canary", "USER@HOST"),
            ("postgres://u@h/a/canary", "USER@HOST"),
        ] {
            let problem = login(address).unwrap_err();
            assert!(problem.contains(said), "{address}: {problem}");
            assert!(!problem.contains("canary"), "{problem}");
        }
    }
}
