//! Texts encrypted to several recipients at once: one key for the text, and that key sealed to each.
//!
//! Owns the form of an envelope; refuses to tell why one does not open. The key is fresh for each text,
//! so that ChaCha20-Poly1305 has it once, with a nonce of zeros and the context as associated data; as a
//! value of the method `seal` it is sealed in the same context.

use std::cell::RefCell;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use glovebox_core::hex;
use glovebox_core::{Envelope, KeyError, Refusal, Seal, Secret, Unseal};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::cipher::PUBLIC_KEY;
use crate::methods::{Opener, ParameterError, Random, Sealer};

const NONCE: [u8; 12] = [0; 12];
const TAG: usize = 16;
/// Bytes of a public key's digest that tell it from others.
const FINGERPRINT: usize = 8;

/// Who envelopes are for.
pub struct Recipients(Vec<(String, Sealer)>);

impl Recipients {
    /// None yet.
    pub fn new() -> Self {
        Recipients(Vec::new())
    }

    /// Adds the owner of a public key, which is written `x25519:…`.
    ///
    /// # Errors
    /// When it is no such key, or there already.
    pub fn add(&mut self, key: &[u8]) -> Result<(), String> {
        let key = key.trim_ascii().strip_prefix(PUBLIC_KEY.as_bytes());
        let key = key.ok_or(
            "rows are encrypted to X25519 public keys: `x25519:…` as `glovebox key new NAME --pair` \
             prints it; this is another key, or a private one",
        )?;
        let sealer = Sealer::new(key).map_err(|error| error.to_string())?;
        // A point that gives everybody the same secret is refused by the first context.
        let random = &mut Random::new().map_err(|error| error.to_string())?;
        sealer.context(random).map_err(|error| error.to_string())?;
        let fingerprint = fingerprint(&sealer.public_key());
        if self.0.iter().any(|(other, _)| *other == fingerprint) {
            return Err("this is the key of another recipient too".into());
        }
        self.0.push((fingerprint, sealer));
        Ok(())
    }
}

impl Default for Recipients {
    fn default() -> Self {
        Self::new()
    }
}

impl Seal for Recipients {
    fn seal(&self, context: &[u8], text: &[u8]) -> Result<Envelope, KeyError> {
        let failed = |error: ParameterError| KeyError::Key(error.to_string());
        let mut random = Random::new().map_err(failed)?;
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut_slice()).map_err(|_| failed(ParameterError::Randomness))?;
        let mut envelope = Envelope::default();
        for (fingerprint, sealer) in &self.0 {
            let mut sealed = Vec::new();
            let mut one = sealer.context(&mut random).map_err(failed)?;
            one.encrypt(context, key.as_slice(), &mut sealed)
                .map_err(|refusal| KeyError::Key(refusal.to_string()))?;
            let sealed = URL_SAFE_NO_PAD.encode(sealed);
            envelope.keys.insert(fingerprint.clone(), sealed);
        }
        let mut bytes = text.to_vec();
        let cipher = ChaCha20Poly1305::new((&*key).into());
        let tag =
            cipher.encrypt_inout_detached(&NONCE.into(), context, bytes.as_mut_slice().into());
        let tag = tag.map_err(|_| KeyError::Key("the rows are too long to encrypt".into()))?;
        bytes.extend_from_slice(&tag);
        envelope.sealed = URL_SAFE_NO_PAD.encode(bytes);
        Ok(envelope)
    }
}

/// The owner of a private key.
pub struct Recipient {
    fingerprint: String,
    opener: RefCell<Opener>,
}

impl Recipient {
    /// A private key of 32 bytes, or their URL-safe base64.
    ///
    /// # Errors
    /// When it is neither, with what to do.
    pub fn new(key: &Secret) -> Result<Self, String> {
        if key.expose().starts_with(PUBLIC_KEY.as_bytes()) {
            return Err("this is the public key; rows are opened by the private one".into());
        }
        let opener = Opener::new(key.expose()).map_err(|error| error.to_string())?;
        Ok(Recipient {
            fingerprint: fingerprint(&opener.public_key()),
            opener: RefCell::new(opener),
        })
    }
}

impl Unseal for Recipient {
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn open(&self, context: &[u8], envelope: &Envelope) -> Result<Secret, Refusal> {
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| Refusal::Closed);
        let sealed = envelope.keys.get(&self.fingerprint);
        let sealed = decoded(sealed.ok_or(Refusal::Closed)?)?;
        let mut key = Zeroizing::new(Vec::new());
        let mut opener = self.opener.borrow_mut();
        opener.decrypt(context, &sealed, &mut key)?;
        let key: &[u8; 32] = key.as_slice().try_into().map_err(|_| Refusal::Closed)?;
        let mut bytes = decoded(&envelope.sealed)?;
        let (text, tag) = bytes.split_last_chunk_mut::<TAG>().ok_or(Refusal::Closed)?;
        let cipher = ChaCha20Poly1305::new(key.into());
        let opened =
            cipher.decrypt_inout_detached(&NONCE.into(), context, text.into(), (&*tag).into());
        opened.map_err(|_| Refusal::Closed)?;
        bytes.truncate(bytes.len() - TAG);
        Ok(Secret::new(bytes))
    }
}

/// Tells a public key from others: the first bytes of its SHA-256, in hexadecimal.
fn fingerprint(public: &[u8; 32]) -> String {
    let digest = Sha256::digest(public);
    hex(digest.get(..FINGERPRINT).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE;

    use super::*;

    fn pair(seed: u8) -> (Secret, String) {
        let opener = Opener::new(&[seed; 32]).unwrap();
        let public = format!("x25519:{}", URL_SAFE.encode(opener.public_key()));
        (Secret::new(vec![seed; 32]), public)
    }

    #[test]
    fn each_recipient_opens_it_within_its_context_only() {
        let mut recipients = Recipients::new();
        for seed in [1, 2] {
            recipients.add(pair(seed).1.as_bytes()).unwrap();
        }
        let envelope = recipients.seal(b"here", b"Jane Doe").unwrap();
        for seed in [1, 2] {
            let one = Recipient::new(&pair(seed).0).unwrap();
            assert_eq!(one.open(b"here", &envelope).unwrap().expose(), b"Jane Doe");
            assert_eq!(one.open(b"there", &envelope).err(), Some(Refusal::Closed));
        }
        let other = Recipient::new(&pair(3).0).unwrap();
        assert_eq!(other.open(b"here", &envelope).err(), Some(Refusal::Closed));
        let again = recipients.seal(b"here", b"Jane Doe").unwrap();
        assert!(envelope.sealed != again.sealed && envelope.keys != again.keys);
    }

    #[test]
    fn a_changed_envelope_does_not_open() {
        let mut recipients = Recipients::new();
        recipients.add(pair(1).1.as_bytes()).unwrap();
        let one = Recipient::new(&pair(1).0).unwrap();
        let envelope = recipients.seal(b"here", b"Jane Doe").unwrap();
        for at in 0..envelope.sealed.len() {
            let mut bent = envelope.clone();
            let other = if bent.sealed.as_bytes()[at] == b'A' {
                "B"
            } else {
                "A"
            };
            bent.sealed.replace_range(at..=at, other);
            assert_eq!(
                one.open(b"here", &bent).err(),
                Some(Refusal::Closed),
                "{at}"
            );
        }
    }

    #[test]
    fn private_keys_doubles_and_words_are_no_recipients() {
        let mut recipients = Recipients::new();
        recipients.add(pair(1).1.as_bytes()).unwrap();
        let (private, public) = pair(1);
        assert!(recipients.add(public.as_bytes()).is_err(), "twice");
        let text = URL_SAFE.encode(private.expose());
        let zero = format!("x25519:{}", URL_SAFE.encode([0; 32]));
        let pem = "-----BEGIN PUBLIC KEY-----";
        for bad in [
            text.as_bytes(),
            private.expose(),
            b"",
            b"x25519:",
            zero.as_bytes(),
            pem.as_bytes(),
        ] {
            let problem = recipients.add(bad).unwrap_err();
            assert!(!problem.contains(&text), "{problem}");
        }
        assert!(Recipient::new(&Secret::new(public.into_bytes())).is_err());
    }
}
