//! Parquet files under their own encryption: by which secret they are written and opened.

use glovebox_core::SecretName;

use super::misplaced::Misplaced;
use crate::block::Reader;
use crate::declare::{At, Section, section};
use crate::kinds::{Own, Secret};
use crate::span::Spanned;

section! {
    /// A key of Parquet files, by the name of the secret that holds it: Base64 of 16 or 32 bytes.
    struct AesKey("AesKey"): "the key", "{ secret: handover/parquet }" {
        /// The secret.
        secret: Spanned<SecretName> => needed, Secret, "secret: handover/parquet";
    }
}

/// The place of such a key. The key itself is refused, and neither message nor excerpt shows it.
pub(super) const AES_KEY: Own<SecretName> = Own {
    read: key,
    words: "`{ secret: NAME }`",
    schema: |schema| schema.section::<AesKey>(),
};

fn key(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<SecretName>> {
    let named = Misplaced {
        what: "a key",
        help: format!(
            "name the secret that holds it: {}: {{ secret: handover/parquet }}, and make it with: \
             glovebox secret set handover/parquet --generate",
            at.key
        ),
        note: "if this is a key, treat it as compromised and make another one",
    };
    named.refuse(reader, at)?;
    AesKey::read(reader, at.node, at.head.clone()).map(|block| block.secret)
}
