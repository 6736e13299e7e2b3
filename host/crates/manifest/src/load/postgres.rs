//! Reads the PostgreSQL sink, and the server and login that source and sink have in common.
//!
//! Refuses a password in plain text, and unverified TLS, for which there is no key.

use std::time::Duration;

use glovebox_core::SecretName;

use super::columns::LONGEST_NAME;
use super::lenient::{replace_with_nothing, side_effects};
use super::optional;
use super::sink::{keys, mode, table};
use crate::block::{Block, Reader, Shape, short};
use crate::diagnostic::Diagnostic;
use crate::model::{Mode, PostgresSink, Server, Span, Spanned};
use crate::yaml::{Kind, Node};

pub(crate) const POSTGRES: Shape = Shape {
    what: "the PostgreSQL sink",
    keys: &[
        "host",
        "port",
        "database",
        "user",
        "password",
        "tls",
        "table",
        "mode",
        "keys",
        "replace-with-nothing",
        "side-effects",
        "journal",
        "identity-key",
        "connections",
        "order",
        "connect-timeout",
        "retry-for",
    ],
    hints: &[
        ("columns", "`columns:` stands beside `postgres:`, not in it"),
        (
            "sslmode",
            "delete it: the server is always verified, chain and host name; its certificate goes into tls: { ca: FILE }",
        ),
        (
            "ssl",
            "delete it: TLS is always on; a private certificate goes into tls: { ca: FILE }",
        ),
        (
            "url",
            "write it in parts: host, port, database, user, password: { secret: NAME }",
        ),
        ("dbname", "write `database:`"),
        ("timeout", "write `connect-timeout:`"),
    ],
    example: "postgres: { host: db.internal, database: sales_db, user: loader, password: { secret: sales-db/loader }, table: sales }",
};

pub(crate) const PASSWORD: Shape = Shape {
    what: "the password",
    keys: &["secret"],
    hints: &[],
    example: "password: { secret: sales-db/loader }",
};

pub(crate) const IDENTITY_KEY: Shape = Shape {
    what: "the identity key",
    keys: &["secret"],
    hints: &[],
    example: "identity-key: { secret: sales/identity }",
};

pub(crate) const TLS: Shape = Shape {
    what: "the TLS settings",
    keys: &["ca"],
    hints: &[
        (
            "verify",
            "delete it: the server is always verified, chain and host name",
        ),
        (
            "insecure",
            "delete it: the server is always verified; name its certificate authority with ca: FILE",
        ),
        (
            "mode",
            "delete it: the server is always verified, chain and host name",
        ),
    ],
    example: "tls: { ca: certs/ca.pem }",
};

/// The sink's `postgres:`.
pub(super) fn postgres(reader: &mut Reader<'_>, node: &Node, head: Span) -> Option<PostgresSink> {
    let block = reader.block(node, head, &POSTGRES)?;
    let server = server(reader, &block);
    let table = table(reader, &block, true);
    let mode = mode(reader, &block, Mode::Append);
    let keys = keys(reader, &block, mode);
    let replace_with_nothing = replace_with_nothing(reader, &block, mode);
    let side_effects = side_effects(reader, &block, mode);
    let journal = block
        .get("journal")
        .and_then(|_| word(reader, &block, "journal", "journal: glovebox"));
    let connections = connections(reader, &block);
    let ordered = order(reader, &block);
    let bounds = Duration::ZERO..=Duration::from_secs(24 * 3600);
    let retry_for = optional(&block, "retry-for", |node| {
        reader.duration(node, "retry-for", bounds)
    });
    let server = server?;
    Some(PostgresSink {
        host: server.host,
        port: server.port,
        database: server.database,
        user: server.user,
        password: server.password,
        ca: server.ca,
        table: table?,
        mode,
        keys,
        identity_key: identity_key(reader, &block),
        replace_with_nothing,
        side_effects,
        journal: journal.map_or_else(|| "glovebox".to_owned(), |b| b.value),
        connections,
        ordered,
        retry_for: retry_for.unwrap_or(Duration::from_secs(60)),
        connect_timeout: server.connect_timeout,
    })
}

/// The keys that say which server it is and who logs in, for source and sink alike.
pub(super) fn server(reader: &mut Reader<'_>, block: &Block<'_>) -> Option<Server> {
    let host = reader
        .need(block, "host", "host: db.internal")
        .and_then(|(node, _)| host(reader, node));
    let port = optional(block, "port", |node| reader.whole(node, "port", 1..=65_535));
    let database = word(reader, block, "database", "database: sales_db");
    let user = word(reader, block, "user", "user: loader");
    let password = reader
        .need(block, "password", PASSWORD.example)
        .and_then(|(node, head)| password(reader, node, head));
    let ca = block
        .get("tls")
        .and_then(|(node, head)| reader.block(node, head, &TLS))
        .and_then(|tls| optional(&tls, "ca", |node| reader.path(node, "ca", TLS.example)));
    let bounds = Duration::from_millis(100)..=Duration::from_secs(3600);
    let connect_timeout = optional(block, "connect-timeout", |node| {
        reader.duration(node, "connect-timeout", bounds)
    });
    Some(Server {
        host: host?,
        port: port.and_then(|p| u16::try_from(p).ok()).unwrap_or(5432),
        database: database?,
        user: user?,
        password: password?,
        ca,
        connect_timeout: connect_timeout.unwrap_or(Duration::from_secs(10)),
    })
}

/// How many connections work at the same time.
pub(super) fn connections(reader: &mut Reader<'_>, block: &Block<'_>) -> Option<usize> {
    optional(block, "connections", |node| {
        reader.whole(node, "connections", 1..=64)
    })
    .and_then(|c| usize::try_from(c).ok())
}

/// Whether rows are to come in the source's order.
fn order(reader: &mut Reader<'_>, block: &Block<'_>) -> bool {
    let Some((node, _)) = block.get("order") else {
        return false;
    };
    let Some(text) = reader.text(node, "order", "order: source") else {
        return false;
    };
    match text.value.as_str() {
        "source" => true,
        "any" => false,
        _ => {
            reader.say(
                Diagnostic::error(
                    text.span,
                    format!("unknown order `{}`", short(&text.value)),
                )
                .help("write order: source to keep the source's order, over one connection, or order: any"),
            );
            false
        }
    }
}

fn host(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<String>> {
    let host = reader.text(node, "host", "host: db.internal")?;
    let ok = host.value.len() <= 253
        && host
            .value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':'));
    if !ok || host.value.contains("//") {
        reader.say(
            Diagnostic::error(host.span, "`host` is not the name or address of a server").help(
                "write the bare name, like db.internal; port, database and user have keys of their own",
            ),
        );
        return None;
    }
    Some(host)
}

/// A password's place. A password itself is refused, and neither message nor excerpt shows it.
fn password(reader: &mut Reader<'_>, node: &Node, head: Span) -> Option<Spanned<SecretName>> {
    if !matches!(node.kind, Kind::Map(_) | Kind::Broken) {
        reader.say(
            Diagnostic::error(
                reader.first_line(&node.span),
                "a password does not belong in a manifest",
            )
            .help("name the secret that holds it: password: { secret: sales-db/loader }, and store it with: glovebox secret set sales-db/loader")
            .note("if this is a real password, treat it as known to others, and change it"),
        );
        return None;
    }
    let block = reader.block(node, head, &PASSWORD)?;
    let (node, _) = reader.need(&block, "secret", "secret: sales-db/loader")?;
    reader.secret(node, "`secret`")
}

/// The place of the key of the journal's digests.
pub(super) fn identity_key(
    reader: &mut Reader<'_>,
    block: &Block<'_>,
) -> Option<Spanned<SecretName>> {
    let (node, head) = block.get("identity-key")?;
    if !matches!(node.kind, Kind::Map(_) | Kind::Broken) {
        reader.say(
            Diagnostic::error(
                reader.first_line(&node.span),
                "a key does not belong in a manifest",
            )
            .help("name the secret that holds it: identity-key: { secret: sales/identity }, and make it with: glovebox secret set sales/identity --generate"),
        );
        return None;
    }
    let block = reader.block(node, head, &IDENTITY_KEY)?;
    let (node, _) = reader.need(&block, "secret", "secret: sales/identity")?;
    reader.secret(node, "`secret`")
}

fn word(
    reader: &mut Reader<'_>,
    block: &Block<'_>,
    key: &'static str,
    example: &str,
) -> Option<Spanned<String>> {
    let (node, _) = reader.need(block, key, example)?;
    let word = reader.text(node, key, example)?;
    if word.value.len() > LONGEST_NAME {
        reader.say(
            Diagnostic::error(
                word.span,
                format!("`{key}` is longer than PostgreSQL's 63 bytes"),
            )
            .help(format!("write: {example}")),
        );
        return None;
    }
    Some(word)
}
