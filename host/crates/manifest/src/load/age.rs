//! Files that are encrypted with age: to whom, and by which secret they are opened.

use glovebox_core::SecretName;
use serde_json::json;

use super::misplaced::Misplaced;
use super::mode::Mode;
use crate::block::{Block, Reader};
use crate::declare::{At, Section, section};
use crate::diagnostic::Diagnostic;
use crate::hide::is_age_recipient;
use crate::kinds::{Own, Secret};
use crate::node::Kind;
use crate::span::Spanned;

/// The most who can open a file.
const MAX_RECIPIENTS: usize = 16;

/// Public keys, as `age-keygen` shows them. A private one is refused, and no excerpt shows it.
pub(super) const ENCRYPT_TO: Own<Vec<Spanned<String>>> = Own {
    read: recipients,
    words: "list of public keys",
    schema: |_| {
        json!({
            "type": "array", "minItems": 1, "maxItems": MAX_RECIPIENTS, "uniqueItems": true,
            "items": { "type": "string", "pattern": "^age1[02-9ac-hj-np-z]{58}$" },
        })
    },
};

fn recipients(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Vec<Spanned<String>>>> {
    const HELP: &str = "write public keys as `age-keygen` shows them: encrypt-to: [age1…]";
    let items = reader.list(at.node, at.key, &at.example)?;
    if items.is_empty() || items.len() > MAX_RECIPIENTS {
        let problem = format!("`encrypt-to` names {} keys", items.len());
        let help = format!("name 1 to {MAX_RECIPIENTS} keys, or delete `encrypt-to`");
        reader.say(Diagnostic::error(at.head.clone(), problem).help(help));
    }
    let mut keys: Vec<Spanned<String>> = Vec::with_capacity(items.len());
    for item in items {
        let span = reader.first_line(&item.span);
        match &item.kind {
            Kind::Broken => {}
            Kind::Text(text) if is_age_recipient(text) => {
                match keys.iter().find(|key| key.value == *text) {
                    Some(before) => {
                        let twice = Diagnostic::error(span, "`encrypt-to` names this key twice");
                        let before = reader.first_line(&before.span);
                        reader.say(
                            twice
                                .context(before, "the same key")
                                .help("delete one of them"),
                        );
                    }
                    None => keys.push(Spanned::new(text.clone(), item.span.clone())),
                }
            }
            Kind::Text(text) if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") => {
                let secret = Diagnostic::error(span, "this is a private key, not a public one");
                reader.say(secret.help(HELP).note(
                    "remove it from the file, treat it as compromised, and make another one",
                ));
            }
            _ => reader.say(Diagnostic::error(span, "this is no public key of age").help(HELP)),
        }
    }
    Some(Spanned::new(keys, at.node.span.clone()))
}

section! {
    /// A private key of age, by the name of the secret that holds it: what `age-keygen` writes.
    struct AgeKey("AgeKey"): "the key", "decrypt-with: { secret: partner/age }" {
        /// The secret.
        secret: Spanned<SecretName> => needed, Secret, "secret: partner/age";
    }
}

/// The place of a private key. The key itself is refused, and neither message nor excerpt shows it.
pub(super) const DECRYPT_WITH: Own<SecretName> = Own {
    read: |reader, at| {
        let named = Misplaced {
            what: "a key",
            help: "name the secret that holds it: decrypt-with: { secret: partner/age }, and store it with: glovebox secret set partner/age".into(),
            note: "if this is a private key, treat it as compromised and make another one",
        };
        named.refuse(reader, at)?;
        AgeKey::read(reader, at.node, at.head.clone()).map(|block| block.secret)
    },
    words: "`{ secret: NAME }`",
    schema: |schema| schema.section::<AgeKey>(),
};

/// Complains where rows would be added to an encrypted file.
pub(super) fn whole(
    reader: &mut Reader<'_>,
    block: &Block<'_>,
    mode: Option<&Mode>,
    _: Option<&Vec<Spanned<String>>>,
) {
    if let Some((_, span)) = block.get("encrypt-to")
        && mode == Some(&Mode::Append)
    {
        reader.say(
            Diagnostic::error(span, "an encrypted file cannot be added to")
                .help("write mode: replace, or a new file for each run"),
        );
    }
}
