//! The key of files that Parquet's own encryption protects, and how it opens their parts.
//!
//! A file's parts ("modules") are sealed by AES-GCM one by one: four bytes of length, the nonce, the
//! sealed bytes, the tag. What is authenticated beside them says which part of which file they are, so
//! that none can be put in another's place:
//! <https://github.com/apache/parquet-format/blob/master/Encryption.md>.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use glovebox_core::Secret;
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::errors::ParquetError;
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::age::Identity;

/// Bytes of a module's length.
const LENGTH: usize = 4;
/// Bytes of what proves a module to be genuine.
const TAG: usize = 16;
/// What a module has beside the bytes that are sealed in it.
pub(super) const OVERHEAD: usize = LENGTH + NONCE_LEN + TAG;

/// The key of footer and columns: 16 or 32 bytes, for AES-128 or AES-256.
#[derive(Clone)]
pub struct Key {
    bytes: Secret,
    opening: LessSafeKey,
}

impl Key {
    /// Of Base64, as `openssl rand -base64 32` and `glovebox secret set NAME --generate` write it.
    ///
    /// # Errors
    /// The end of a sentence that says nothing of the text.
    pub fn parse(secret: &Secret) -> Result<Self, String> {
        let text = secret.expose().trim_ascii();
        let engine = match text.iter().any(|byte| matches!(byte, b'-' | b'_')) {
            true => URL_SAFE,
            false => STANDARD,
        };
        let bytes = engine.decode(text).map(Secret::new);
        let length = bytes.as_ref().map_or(0, |bytes| bytes.expose().len());
        let algorithm = match length {
            16 => &AES_128_GCM,
            32 => &AES_256_GCM,
            24 => {
                return Err(wrong(
                    "is Base64 of 24 bytes: AES-192 is not supported, and a text of 32 characters \
                     is no key of 32 bytes",
                ));
            }
            _ => return Err(wrong("is not Base64 of 16 or 32 bytes")),
        };
        let bytes = bytes.map_err(|_| wrong("is not Base64"))?;
        let key = UnboundKey::new(algorithm, bytes.expose());
        let opening = LessSafeKey::new(key.map_err(|_| wrong("is no key"))?);
        Ok(Key { bytes, opening })
    }

    /// What tells the crate to seal all of a file by this key.
    pub(super) fn sealing(&self) -> Result<Arc<FileEncryptionProperties>, ParquetError> {
        FileEncryptionProperties::builder(self.bytes.expose().to_vec()).build()
    }

    /// The opened bytes of a module; none if it is another key's, another place's or changed.
    pub(super) fn open(&self, module: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
        let (length, sealed) = module.split_first_chunk::<LENGTH>()?;
        (u32::from_le_bytes(*length) as usize == sealed.len()).then_some(())?;
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut opened = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self
            .opening
            .open_in_place(nonce, Aad::from(aad), &mut opened);
        let plain = plain.ok()?.len();
        opened.truncate(plain);
        Some(opened)
    }
}

/// What opens a source's files.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// Parquet's own key, where they are encrypted as Parquet itself defines it.
    pub of_file: Option<Key>,
    /// The key of age that is around each file as a whole.
    pub around: Option<Identity>,
}

fn wrong(what: &str) -> String {
    format!("{what}; make a key with: openssl rand -base64 32")
}

/// Equal in bytes.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.bytes.expose() == other.bytes.expose()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// A part of a file that is sealed by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Module {
    Footer,
    /// The page of that number in its column, and the head before it.
    Data(u16),
    DataHead(u16),
    Dictionary,
    DictionaryHead,
}

/// Where in a file a column's pages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Spot {
    pub(super) group: u16,
    pub(super) column: u16,
}

/// One file's key, and what its parts are bound to.
#[derive(Debug, Clone)]
pub(super) struct Sealed {
    pub(super) key: Key,
    /// The prefix that the writer chose, and the number that it drew for the file.
    pub(super) file: Vec<u8>,
}

impl Sealed {
    /// The opened bytes of a part; none if it is not that part, was changed, or the key is another one.
    pub(super) fn open(&self, part: Module, spot: Spot, module: &[u8]) -> Option<Vec<u8>> {
        let (kind, page) = match part {
            Module::Footer => (0, None),
            Module::Data(page) => (2, Some(page)),
            Module::Dictionary => (3, None),
            Module::DataHead(page) => (4, Some(page)),
            Module::DictionaryHead => (5, None),
        };
        let mut aad = self.file.clone();
        aad.push(kind);
        if part != Module::Footer {
            aad.extend_from_slice(&spot.group.to_le_bytes());
            aad.extend_from_slice(&spot.column.to_le_bytes());
        }
        if let Some(page) = page {
            aad.extend_from_slice(&page.to_le_bytes());
        }
        self.key.open(module, &aad)
    }
}

/// How long the module is that begins so, its length included.
pub(super) fn whole(start: [u8; LENGTH]) -> u64 {
    u64::from(u32::from_le_bytes(start)) + LENGTH as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Key, String> {
        Key::parse(&Secret::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn a_key_is_base64_of_16_or_32_bytes_and_is_not_shown() {
        let long = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        for good in [long, "AAECAwQFBgcICQoLDA0ODw==", &format!("{long}\n")] {
            assert_eq!(format!("{:?}", parse(good).unwrap()), "Key");
        }
        // What `glovebox secret set --generate` writes may have other signs.
        let url = "-_8CAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        assert_eq!(parse(url), parse(&url.replace('-', "+").replace('_', "/")));
        for wrong in ["", "canary-0a6c", &long[..40], "AAEC", "canary canary"] {
            let problem = parse(wrong).unwrap_err();
            assert!(problem.contains("openssl rand"), "{problem}");
            assert!(!problem.contains("canary"), "{problem}");
        }
        let problem = parse("0123456789abcdef0123456789abcdef").unwrap_err();
        assert!(problem.contains("24 bytes"), "{problem}");
    }
}
