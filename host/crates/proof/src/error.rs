//! Why a pack is refused, or cannot be made.

/// What is wrong with a pack or a key. No variant repeats what a file said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The secret is none.
    #[error("the proof key is not 32 bytes as base64; `glovebox proof key NAME` makes one")]
    Key,
    /// The text is no public key.
    #[error(
        "this is not a public key: it takes the PEM text of a P-256 or an Ed25519 key, as \
         `glovebox proof key` prints it"
    )]
    PublicKey,
    /// The file is larger than any pack.
    #[error("a proof pack has at most {0} bytes")]
    Size(usize),
    /// It does not read as a pack.
    #[error("this is not a proof pack: {0}")]
    Form(&'static str),
    /// It reads as one, but is not written as one.
    #[error("the pack was changed after it was written: it is not spelt as its content is")]
    Spelling,
    /// It names another key.
    #[error("the pack is signed by key {named}, not by this one, which is {given}")]
    OtherKey {
        /// The key that the pack names.
        named: String,
        /// The key that it was verified with.
        given: String,
    },
    /// The key is of the other kind.
    #[error("the pack is {pack}, and the key is for {key}")]
    KeyKind {
        /// The pack's form.
        pack: &'static str,
        /// What the key signs.
        key: &'static str,
    },
    /// The signature does not fit.
    #[error("the signature does not match: the pack was changed, or another key signed it")]
    Signature,
    /// What was signed contradicts itself.
    #[error("the signed statement contradicts itself: {0}")]
    Contradiction(&'static str),
    /// The signing went wrong.
    #[error("the pack could not be signed")]
    Signing,
}
