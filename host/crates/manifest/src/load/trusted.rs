//! The keys whose owners a manifest trusts to sign plugins.
//! Secret keys are refused, since they do not belong in a manifest.

use std::path::PathBuf;

use serde_json::json;

use crate::block::Reader;
use crate::declare::{At, Section, section};
use crate::diagnostic::Diagnostic;
use crate::hide::is_signing_key;
use crate::kinds::{File, Own};
use crate::model::TrustedKey;
use crate::node::{Kind, Node};
use crate::span::Spanned;

section! {
    /// A file that holds a public key of minisign's.
    struct KeyFile("KeyFile"): "a trusted key", "- file: keys/acme.pub" {
        /// The file, such as `minisign.pub`.
        file: PathBuf => needed, File, "- file: keys/acme.pub";
    }
    hints {
        "path" => "write `file:`",
        "key" => "write the key without a colon: - RW…",
    }
}

/// The manifest's `trusted-keys:`.
pub(super) const TRUSTED_KEYS: Own<Vec<Spanned<TrustedKey>>> = Own {
    read: trusted_keys,
    words: "list",
    schema: |schema| {
        let file = schema.section::<KeyFile>();
        let key = json!({
            "description": "The key itself: the second line of `minisign.pub`.",
            "type": "string", "pattern": "^RW[A-Za-z0-9+/]{54}$",
        });
        json!({
            "type": "array", "minItems": 1, "uniqueItems": true, "items": { "anyOf": [key, file] },
        })
    },
};

fn trusted_keys(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Vec<Spanned<TrustedKey>>>> {
    let items = reader.list(at.node, at.key, &at.example)?;
    if items.is_empty() {
        // It could be meant as "trust nobody" or as "ask for no signature".
        reader.say(
            Diagnostic::error(at.head.clone(), "`trusted-keys` lists no key").help(
                "add the public key of whoever signs your plugins, or delete `trusted-keys` to \
                accept unsigned plugins",
            ),
        );
    }
    let mut keys: Vec<Spanned<TrustedKey>> = Vec::with_capacity(items.len());
    for item in items {
        let Some(key) = trusted_key(reader, item) else {
            continue;
        };
        match keys.iter().find(|k| k.value == key) {
            Some(first) => {
                let first = reader.first_line(&first.span);
                reader.say(
                    Diagnostic::error(reader.first_line(&item.span), "this key is listed twice")
                        .label("again here")
                        .context(first, "first here")
                        .help("delete one of them"),
                );
            }
            None => keys.push(Spanned::new(key, item.span.clone())),
        }
    }
    Some(Spanned::new(keys, at.node.span.clone()))
}

fn trusted_key(reader: &mut Reader<'_>, node: &Node) -> Option<TrustedKey> {
    let span = reader.first_line(&node.span);
    match &node.kind {
        Kind::Broken => None,
        Kind::Map(_) => {
            let block = KeyFile::block(reader, node, node.first_key())?;
            // What was said about strangers says what is missing.
            if block.has_strangers() {
                return None;
            }
            KeyFile::of(reader, &block).map(|key| TrustedKey::File(key.file))
        }
        Kind::Text(text) if is_public_key(text) => Some(TrustedKey::Base64(text.clone())),
        Kind::Text(text) if is_signing_key(text) => {
            reader.say(
                Diagnostic::error(span, "this is a secret key, not a public one")
                    .help("write the public key: the second line of `minisign.pub`")
                    .note(
                        "remove the secret key from the file, treat it as compromised, and sign \
                          with a new one",
                    ),
            );
            None
        }
        _ => {
            reader.say(
                Diagnostic::error(span, "this is not a minisign public key").help(
                    "write the second line of `minisign.pub`, 56 characters that begin with RW, \
                    or the file: - file: keys/acme.pub",
                ),
            );
            None
        }
    }
}

/// 42 bytes as Base64, of which the first two say Ed25519.
fn is_public_key(text: &str) -> bool {
    text.len() == 56
        && text.starts_with("RW")
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
}
