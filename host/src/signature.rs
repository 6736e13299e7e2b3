//! Signatures on plugins, in minisign's form: `x.wasm.minisig` beside `x.wasm`.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use glovebox_core::PluginError;
use glovebox_core::shown::printable;
use glovebox_engine::{PublicKey, SignedBy};
use glovebox_files::bounded;
use glovebox_manifest::model::TrustedKey;
use minisign_verify::Signature;

/// A signature or a key's file has a few hundred bytes; one that is larger is something else.
const MAX_SIZE: u64 = 16 << 10;
/// The most characters of a trusted comment that are shown.
const MAX_COMMENT_LEN: usize = 200;

/// A trusted key, read from its file where it has one; or why it cannot be used.
pub(crate) fn public_key(key: &TrustedKey) -> Result<PublicKey, String> {
    let help = "write the public key that `minisign -G` left in minisign.pub";
    match key {
        TrustedKey::Base64(text) => {
            decode(text).ok_or_else(|| format!("this is not a minisign public key; {help}"))
        }
        TrustedKey::File(path) => {
            let place = path.display();
            let text = read(path)
                .map_err(|e| format!("the trusted key {place} cannot be read: {e}; {help}"))?;
            in_file(&text).ok_or_else(|| {
                format!("the trusted key {place} is not a minisign public key; {help}")
            })
        }
    }
}

/// The key in a `minisign.pub`: a comment and the key, or the key alone.
fn in_file(text: &str) -> Option<PublicKey> {
    let mut lines = text.lines().map(str::trim).filter(|line| {
        let is_comment = line.starts_with("untrusted comment:");
        !line.is_empty() && !is_comment
    });
    let key = decode(lines.next()?)?;
    lines.next().is_none().then_some(key)
}

fn decode(text: &str) -> Option<PublicKey> {
    let text = text.trim();
    minisign_verify::PublicKey::from_base64(text).ok()?;
    number(text)?;
    Some(PublicKey(text.to_owned()))
}

/// The number of the key in the first bytes of a key or a signature, as minisign shows it.
fn number(base64: &str) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(base64.trim()).ok()?;
    let number = bytes.get(2..10)?.iter().rev();
    Some(number.map(|b| format!("{b:02X}")).collect())
}

/// Who signed these bytes of a file; none where no key is trusted, since then nobody was asked.
pub(crate) fn vouched(
    path: &Path,
    bytes: &[u8],
    trusted: &[PublicKey],
) -> Result<Option<SignedBy>, PluginError> {
    if trusted.is_empty() {
        return Ok(None);
    }
    let beside = beside(path);
    let (place, file) = (beside.display(), path.display());
    let refuse = |problem: String| PluginError::Refused {
        plugin: file.to_string(),
        problem,
    };
    let text = read(&beside).map_err(|e| {
        refuse(match e.kind() {
            io::ErrorKind::NotFound => format!(
                "is not signed: there is no {place}, which the manifest's `trusted-keys` require; \
                the owner of one of those keys makes it with: minisign -S -m {file}"
            ),
            _ => format!("its signature {place} cannot be read: {e}"),
        })
    })?;
    let (signature, signer) = parse(&text).ok_or_else(|| {
        refuse(format!(
            "its signature {place} is not a minisign signature; make it again with: minisign -S \
            -m {file}"
        ))
    })?;
    let numbers: Vec<String> = trusted.iter().filter_map(|k| number(&k.0)).collect();
    if !numbers.contains(&signer) {
        return Err(refuse(format!(
            "is signed by key {signer}, which is not one of the manifest's `trusted-keys` ({}); find out whose it is before you trust it",
            numbers.join(", ")
        )));
    }
    let fits = |key: &PublicKey| {
        minisign_verify::PublicKey::from_base64(&key.0)
            // Both of minisign's forms, over the content or over its BLAKE2b: no component is
            // the 64 bytes that one could be taken for the other with.
            .and_then(|key| key.verify(bytes, &signature, true))
            .is_ok()
    };
    if !trusted.iter().any(fits) {
        return Err(refuse(format!(
            "does not have the content that was signed: {place} names key {signer} but does not \
            match; the plugin or its signature was changed: get both again from the signer"
        )));
    }
    Ok(Some(SignedBy {
        key: signer,
        comment: comment(signature.trusted_comment()),
    }))
}

/// The number of the key that the signature beside a file names. Nothing is verified.
pub(crate) fn claimed(path: &Path) -> Option<String> {
    parse(&read(&beside(path)).ok()?).map(|(_, signer)| signer)
}

/// Where the signature of a file is.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".minisig");
    name.into()
}

fn parse(text: &str) -> Option<(Signature, String)> {
    let signature = Signature::decode(text).ok()?;
    let signer = number(text.lines().nth(1)?)?;
    Some((signature, signer))
}

fn read(path: &Path) -> io::Result<String> {
    bounded::read_text(path, MAX_SIZE)
}

fn comment(text: &str) -> String {
    let cut: String = text.chars().take(MAX_COMMENT_LEN).collect();
    // minisign's own comments have tabs between their parts.
    printable(&cut.replace('\t', " "))
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
