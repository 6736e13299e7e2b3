//! Reads proofs and public keys from files.

use std::path::Path;

use anyhow::Context;
use glovebox_files::bounded;
use glovebox_proof::{MAX_PACK, PublicKey};

/// The largest file of a public key, in bytes.
const MAX_KEY: u64 = 16 << 10;

pub(in crate::cli) fn pack(path: &Path) -> anyhow::Result<Vec<u8>> {
    bounded::read(path, MAX_PACK as u64)
        .with_context(|| format!("cannot read the proof {}", path.display()))
}

pub(in crate::cli) fn public_key(path: &Path) -> anyhow::Result<PublicKey> {
    let text = bounded::read_text(path, MAX_KEY);
    let text = text.with_context(|| format!("cannot read the public key {}", path.display()))?;
    PublicKey::from_pem(&text).with_context(|| path.display().to_string())
}
