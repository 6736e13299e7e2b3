//! Reads the keys whose owners a manifest trusts to sign plugins.
//!
//! Owns their form; refuses secret keys, which have no place in a manifest.

use crate::block::{Reader, Shape};
use crate::diagnostic::Diagnostic;
use crate::hide::is_signing_key;
use crate::model::{Span, Spanned, TrustedKey};
use crate::yaml::{Kind, Node};

pub(crate) const TRUSTED_KEY: Shape = Shape {
    what: "a trusted key",
    keys: &["file"],
    hints: &[
        ("path", "write `file:`"),
        ("key", "write the key without a colon: - RW…"),
    ],
    example: "- file: keys/acme.pub",
};

const EXAMPLE: &str = "trusted-keys: [{ file: keys/acme.pub }]";

/// The manifest's `trusted-keys:`.
pub(super) fn trusted_keys(
    reader: &mut Reader<'_>,
    node: &Node,
    head: Span,
) -> Vec<Spanned<TrustedKey>> {
    let Some(items) = reader.list(node, "trusted-keys", EXAMPLE) else {
        return Vec::new();
    };
    if items.is_empty() {
        // It could be meant as "trust nobody" or as "ask for no signature".
        reader.say(
            Diagnostic::error(head, "`trusted-keys` has no key in it").help(
                "add the public key of whoever signs your plugins, or delete `trusted-keys` to take plugins without a signature",
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
                    Diagnostic::error(
                        reader.first_line(&item.span),
                        "this key is in the list twice",
                    )
                    .label("again here")
                    .context(first, "first here")
                    .help("delete one of them"),
                );
            }
            None => keys.push(Spanned::new(key, item.span.clone())),
        }
    }
    keys
}

fn trusted_key(reader: &mut Reader<'_>, node: &Node) -> Option<TrustedKey> {
    let span = reader.first_line(&node.span);
    match &node.kind {
        Kind::Broken => None,
        Kind::Map(entries) => {
            let head = entries
                .first()
                .map_or(node.span.clone(), |e| e.key.span.clone());
            let block = reader.block(node, head, &TRUSTED_KEY)?;
            if block.has_strangers() || block.present(&["file"]).is_empty() {
                return None;
            }
            let (node, _) = reader.need(&block, "file", TRUSTED_KEY.example)?;
            reader
                .path(node, "file", TRUSTED_KEY.example)
                .map(|path| TrustedKey::File(path.value))
        }
        Kind::Text(text) if is_public_key(text) => Some(TrustedKey::Base64(text.clone())),
        Kind::Text(text) if is_signing_key(text) => {
            reader.say(
                Diagnostic::error(span, "this is a secret key, not a public one")
                    .help("write the public key: the second line of `minisign.pub`")
                    .note("take the secret key out of the file, treat it as known to others, and sign with a new one"),
            );
            None
        }
        _ => {
            reader.say(
                Diagnostic::error(span, "this is no public key of minisign's").help(
                    "write the second line of `minisign.pub`, 56 signs that begin with RW, or the file: - file: keys/acme.pub",
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
