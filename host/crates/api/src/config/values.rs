//! What a configuration has and a manifest has not: roles, addresses, networks, permissions, URLs.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use glovebox_manifest::Diagnostic;
use glovebox_manifest::declare::{At, Reader, json};
use glovebox_manifest::kinds::{Named, Own};
use glovebox_manifest::model::{Span, Spanned};
use ipnet::IpNet;

use crate::rules::{self, Permission};

/// Roles with what each may.
pub(super) type Roles = BTreeMap<String, Vec<Permission>>;

/// Remembers what is wrong, with what to write instead if there is more to say.
pub(super) fn wrong(
    reader: &mut Reader<'_>,
    span: &Span,
    problem: impl Into<String>,
    help: impl Into<String>,
) {
    reader.say(Diagnostic::error(span.clone(), problem).help(help));
}

pub(super) fn roles(reader: &mut Reader<'_>, written: Named<Vec<Spanned<Permission>>>) -> Roles {
    let mut roles = rules::built_in();
    for (name, may) in written {
        if glovebox_catalog::Roles::parse([name.as_str()]).is_err() {
            let help = "use up to 32 lower-case letters, digits and `-`";
            wrong(
                reader,
                &name.span,
                "this cannot be the name of a role",
                help,
            );
        }
        let may = may.value.into_iter().map(|permission| permission.value);
        roles.insert(name.value, may.collect());
    }
    roles
}

/// Complains of a role that there is not; whether there is.
pub(super) fn known_role(reader: &mut Reader<'_>, role: &Spanned<String>, roles: &Roles) -> bool {
    let known = roles.contains_key(&role.value);
    if !known {
        let names: Vec<_> = roles.keys().map(String::as_str).collect();
        let help = format!("the roles are: {}", names.join(", "));
        wrong(reader, &role.span, "there is no such role", help);
    }
    known
}

/// Reads a text by a function of ours.
fn parsed<T>(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    parse: impl Fn(&str) -> Option<T>,
    problem: &str,
    help: &str,
) -> Option<Spanned<T>> {
    let text = reader.text(at.node, at.key, &at.example)?;
    let value = parse(&text.value);
    if value.is_none() {
        wrong(reader, &text.span, problem, help);
    }
    Some(Spanned::new(value?, text.span))
}

pub(super) const ADDRESS: Own<SocketAddr> = Own {
    read: |reader, at| {
        let help = "write an IP address and a port: 127.0.0.1:8000, or 0.0.0.0:8000 for all";
        let parse = |text: &str| text.parse().ok();
        parsed(
            reader,
            at,
            parse,
            "this is not an address to listen on",
            help,
        )
    },
    words: "address and port",
    schema: |_| json!({ "type": "string", "minLength": 1 }),
};

pub(super) const NETWORK: Own<IpNet> = Own {
    read: |reader, at| {
        let help = "write 10.0.0.5 or 10.0.0.0/8";
        parsed(
            reader,
            at,
            crate::client::network,
            "this is not an address or network",
            help,
        )
    },
    words: "networks",
    schema: |_| json!({ "type": "string", "minLength": 1 }),
};

pub(super) const PERMISSION: Own<Permission> = Own {
    read: |reader, at| {
        let help = format!("write some of: {}", Permission::words().join(", "));
        parsed(
            reader,
            at,
            Permission::parse,
            "there is no such permission",
            &help,
        )
    },
    words: "permissions",
    schema: |_| json!({ "enum": Permission::words() }),
};

/// The URL of a server.
pub(super) const URL: Own<String> = Own {
    read: |reader, at| {
        let parse = |text: &str| is_url(text).then(|| text.trim_end_matches('/').to_owned());
        let help = "write how clients reach it: https://data.example.org";
        parsed(reader, at, parse, "this is not the URL of a server", help)
    },
    words: "URL",
    schema: |_| json!({ "type": "string", "pattern": "^https?://" }),
};

/// The same, to the letter.
pub(super) const ISSUER_URL: Own<String> = Own {
    read: |reader, at| {
        let parse = |text: &str| is_url(text).then(|| text.to_owned());
        let help = "write it exactly as in its tokens: https://idp.example.org";
        parsed(reader, at, parse, "this is not the URL of a server", help)
    },
    words: "URL",
    schema: |_| json!({ "type": "string", "pattern": "^https?://" }),
};

fn is_url(text: &str) -> bool {
    let known = ["http://", "https://"].iter().any(|s| text.starts_with(s));
    known && text.bytes().all(|b| b.is_ascii_graphic())
}
