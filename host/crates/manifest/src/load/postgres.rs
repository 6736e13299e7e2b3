//! The PostgreSQL sink, and the server and login keys shared with the source.

use std::path::PathBuf;
use std::time::Duration;

use glovebox_core::{Login, SecretName};
use serde_json::json;

use super::columns::MAX_NAME_LEN;
use super::misplaced::Misplaced;
use super::mode::{Mode, Order, SIDE_EFFECTS, TABLE_MODE, removals, upserts};
use super::table_name::TABLE_OR_SCHEMA_TABLE;
use crate::block::Reader;
use crate::declare::{At, Section, Take, section};
use crate::diagnostic::Diagnostic;
use crate::kinds::{Bool, File, Names, Own, Secret, Time, Whole, nested, word};
use crate::span::Spanned;

section! {
    /// A PostgreSQL server and a login. TLS is always verified, chain and host name.
    pub struct Server("Server"): "the PostgreSQL server", "host: db.internal" {
        /// The server's name or address; its certificate must be valid for it.
        host: Spanned<String> => needed, HOST, "host: db.internal";
        /// Its port.
        port: u16 => default "5432", Whole(1..=65_535u16);
        /// The database.
        database: String => needed, NAME, "database: sales_db";
        /// The role that logs in.
        user: String => needed, NAME, "user: loader";
        /// The secret that holds the password; the password itself is refused.
        password: Spanned<SecretName>
            => needed, PASSWORD, "password: { secret: sales-db/loader }";
        /// Certificates to trust in addition to the built-in ones, as a PEM file. Chain and host
        /// name are always verified; this cannot be turned off.
        ca = "tls": Option<Spanned<PathBuf>> => empty, nested::<Tls>();
        /// How long connecting may take.
        connect_timeout: Duration
            => default "10s", Time(Duration::from_millis(100)..=Duration::from_secs(3600));
    }
    hints {
        "sslmode" => "delete it: the server is always verified, chain and host name; its certificate goes into tls: { ca: FILE }",
        "ssl" => "delete it: TLS is always on; a private certificate goes into tls: { ca: FILE }",
        "url" => "write it in parts: host, port, database, user, password: { secret: NAME }",
        "dbname" => "write `database:`",
        "timeout" => "write `connect-timeout:`",
    }
}

impl Server {
    /// The server, with the password.
    pub fn login(&self, password: glovebox_core::Secret) -> Login {
        Login {
            host: self.host.value.clone(),
            port: self.port,
            database: self.database.clone(),
            user: self.user.clone(),
            password,
            ca: self.ca.as_ref().map(|ca| ca.value.clone()),
            connect_timeout: self.connect_timeout,
        }
    }
}

section! {
    /// A table in a PostgreSQL database, over verified TLS.
    pub struct PostgresSink("PostgresSink"): "the PostgreSQL sink",
        "postgres: { host: db.internal, database: sales_db, user: loader, password: { secret: sales-db/loader }, table: sales }"
    {
        ..server: Server;
        /// `table` or `schema.table`, its [name](#names-of-tables); created if it is missing.
        table: Spanned<String> => needed, TABLE_OR_SCHEMA_TABLE, "table: sales";
        /// [What happens to existing rows](#sink).
        mode: Mode => default "append", TABLE_MODE, "mode: replace";
        /// With `upsert`: the columns that identify a row.
        keys: Vec<Spanned<String>> => empty, Names(1);
        /// With `replace`: whether a run without a good row removes the existing rows.
        replace_with_nothing: bool => default "false", Bool;
        /// With `replace` and `upsert`: whether foreign keys, triggers and rules may change other
        /// tables.
        side_effects: bool => default "refuse", SIDE_EFFECTS;
        /// The schema of the run's journal; created if it is missing and the role is allowed to.
        journal: String => default "glovebox", NAME, "journal: glovebox";
        /// The key of the [digests of inputs](#sink).
        identity_key: Option<Spanned<SecretName>>
            => optional "one kept in the database, in `glovebox.key`", IDENTITY_KEY;
        /// The number of parallel connections that load.
        connections: Option<usize> => optional "chosen automatically", Whole(1..=64usize);
        /// `source`: rows are stored in the source's order, over one connection.
        ordered = "order": bool => default "any", word::<Order>().help(
            "write order: source to keep the source's order, over one connection, or order: any"
        );
        /// How long to keep trying to reconnect after a connection is lost or while the server
        /// restarts.
        retry_for: Duration
            => default "60s", Time(Duration::ZERO..=Duration::from_secs(24 * 3600));
    }
    hints {
        "columns" => "`columns:` belongs next to `postgres:`, not inside it",
    }
    check upserts[mode, keys];
    check removals[mode];
}

section! {
    /// How the server is verified. It always is.
    pub struct Tls("Tls"): "the TLS settings", "tls: { ca: certs/ca.pem }" {
        /// Certificates to trust in addition to the built-in ones: a PEM file.
        ca: Option<Spanned<PathBuf>> => optional, File, "tls: { ca: certs/ca.pem }";
    }
    hints {
        "verify" => "delete it: the server is always verified, chain and host name",
        "insecure" => "delete it: the server is always verified; name its certificate authority with ca: FILE",
        "mode" => "delete it: the server is always verified, chain and host name",
    }
}

impl Take<Tls> for Option<Spanned<PathBuf>> {
    fn take(tls: Spanned<Tls>) -> Self {
        tls.value.ca
    }
}

section! {
    /// A password, by the name of the secret that holds it.
    struct Password("Password"): "the password", "password: { secret: sales-db/loader }" {
        /// The secret.
        secret: Spanned<SecretName> => needed, Secret, "secret: sales-db/loader";
    }
}

section! {
    /// A key of digests, by the name of the secret that holds it: 16 bytes or more.
    struct IdentityKey("IdentityKey"): "the identity key", "identity-key: { secret: sales/identity }" {
        /// The secret.
        secret: Spanned<SecretName> => needed, Secret, "secret: sales/identity";
    }
}

/// A password's place. A password itself is refused, and neither message nor excerpt shows it.
pub const PASSWORD: Own<SecretName> = Own {
    read: |reader, at| {
        let named = Misplaced {
            what: "a password",
            help: "name the secret that holds it: password: { secret: sales-db/loader }, and store it with: glovebox secret set sales-db/loader".into(),
            note: "if this is a real password, treat it as compromised and change it",
        };
        named.refuse(reader, at)?;
        Password::read(reader, at.node, at.head.clone()).map(|block| block.secret)
    },
    words: "`{ secret: NAME }`",
    schema: |schema| schema.section::<Password>(),
};

/// The place of the key of the journal's digests.
pub(super) const IDENTITY_KEY: Own<SecretName> = Own {
    read: |reader, at| {
        let named = Misplaced {
            what: "a key",
            help: "name the secret that holds it: identity-key: { secret: sales/identity }, and make it with: glovebox secret set sales/identity --generate".into(),
            note: "",
        };
        named.refuse(reader, at)?;
        IdentityKey::read(reader, at.node, at.head.clone()).map(|block| block.secret)
    },
    words: "`{ secret: NAME }`",
    schema: |schema| schema.section::<IdentityKey>(),
};

/// The name or address of a server.
pub const HOST: Own<String> = Own {
    read: host,
    words: "text",
    schema: |_| json!({ "type": "string", "minLength": 1, "maxLength": 253 }),
};

fn host(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<String>> {
    let host = reader.text(at.node, at.key, &at.example)?;
    let ok = host.value.len() <= 253
        && host
            .value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':'));
    if !ok || host.value.contains("//") {
        reader.say(
            Diagnostic::error(host.span, "`host` is not the name or address of a server").help(
                "write the bare name, like db.internal; port, database and user have their own \
                keys",
            ),
        );
        return None;
    }
    Some(host)
}

/// A name in a database.
pub const NAME: Own<String> = Own {
    read: name,
    words: "text",
    schema: |_| json!({ "type": "string", "minLength": 1, "maxLength": MAX_NAME_LEN }),
};

fn name(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<String>> {
    let word = reader.text(at.node, at.key, &at.example)?;
    if word.value.len() > MAX_NAME_LEN {
        reader.say(
            Diagnostic::error(
                word.span,
                format!("`{}` is longer than PostgreSQL's 63 bytes", at.key),
            )
            .help(format!("write: {}", at.example)),
        );
        return None;
    }
    Some(word)
}
