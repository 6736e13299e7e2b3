//! `proof`: the key that signs what runs let out, and the form of their packs.

use glovebox_core::SecretName;

use crate::declare::{section, words};
use crate::kinds::{Secret, word};
use crate::span::Spanned;

section! {
    /// How runs are proven.
    pub struct Proof("Proof"): "the block `proof`", "proof: { key: sales/proof }" {
        /// The secret that signs: 32 bytes as base64, as `glovebox proof key NAME` makes them.
        key: Spanned<SecretName> => needed, Secret, "key: sales/proof";
        /// What `--proof` writes: a Sigstore bundle, signed by ECDSA over P-256, or a plain DSSE envelope,
        /// signed by Ed25519.
        format: ProofFormat => default "sigstore", word::<ProofFormat>();
    }
    hints {
        "secret" => "write `key:`",
        "file" => "say where with `glovebox run --proof FILE`",
    }
}

words! {
    /// The form of proof packs.
    pub enum ProofFormat {
        /// A Sigstore bundle v0.3.
        Sigstore = "sigstore",
        /// A plain DSSE envelope.
        Dsse = "dsse",
    }
}
