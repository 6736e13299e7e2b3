//! The pair of keys behind checkpoints: Ed25519, the secret half 32 bytes as URL-safe base64, as
//! `glovebox secret set --generate` makes them.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use glovebox_core::Secret;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::chain::Head;
use crate::error::AuditError;

/// Signs checkpoints.
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<Ed25519KeyPair>,
    public: PublicKey,
}

impl SigningKey {
    /// The key in a secret: 32 random bytes as base64.
    ///
    /// # Errors
    /// When it is something else, without repeating it.
    pub fn from_secret(secret: &Secret) -> Result<Self, AuditError> {
        const WRONG: AuditError = AuditError::Key(
            "the audit log's key is not 32 bytes as base64; `glovebox audit key` makes one",
        );
        let seed = Secret::new(decode(secret.expose()).ok_or(WRONG)?);
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose()).map_err(|_| WRONG)?;
        let public = PublicKey::from_bytes(pair.public_key().as_ref()).ok_or(WRONG)?;
        Ok(SigningKey {
            pair: Arc::new(pair),
            public,
        })
    }

    /// The half that everybody may have.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> String {
        URL_SAFE.encode(self.pair.sign(message).as_ref())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(…, public: {})", self.public)
    }
}

/// Verifies checkpoints.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// A key as text: 32 bytes as base64.
    pub fn parse(text: &str) -> Option<Self> {
        PublicKey::from_bytes(&decode(text.trim().as_bytes())?)
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(PublicKey)
    }

    /// A short name, which a checkpoint says beside its signature.
    pub fn id(&self) -> String {
        Head::of(&self.0).to_string().chars().take(16).collect()
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        // Only the alphabet that is written: another spelling would be an edit that verifies.
        URL_SAFE.decode(signature).is_ok_and(|signature| {
            UnparsedPublicKey::new(&ED25519, &self.0)
                .verify(message, &signature)
                .is_ok()
        })
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let bytes = URL_SAFE.decode(text).or_else(|_| STANDARD.decode(text));
    bytes.ok().filter(|bytes| bytes.len() == 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8032, section 7.1, test 2.
    const SEED: &str = "TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs=";
    const PUBLIC: &str = "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw=";
    const SIGNATURE: &str =
        "kqAJqfDUyrhyDoILX2QlQKKye1QWUD-Ps3YiI-vbadoIWsHkPhWZbkWPNhPQ8R2MOHsurrQwKu6wDSkWErsMAA==";

    fn key() -> SigningKey {
        SigningKey::from_secret(&Secret::new(SEED.into())).unwrap()
    }

    #[test]
    fn signatures_are_those_of_the_standard() {
        assert_eq!(key().public().to_string(), PUBLIC);
        assert_eq!(key().sign(b"r"), SIGNATURE);
        let public = PublicKey::parse(PUBLIC).unwrap();
        assert!(public.verifies(b"r", SIGNATURE));
        assert!(!public.verifies(b"s", SIGNATURE));
        assert!(!public.verifies(b"r", &SIGNATURE.replace('-', "+")));
        assert_eq!(public.id().len(), 16);
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        for canary in ["canary-5e1c", "", "Y2FuYXJ5LTVlMWM=", &SEED[..40]] {
            let told = SigningKey::from_secret(&Secret::new(canary.into())).unwrap_err();
            assert!(!told.to_string().contains("canary"), "{told}");
            assert_eq!(PublicKey::parse(canary), None);
        }
    }

    #[test]
    fn debug_shows_the_public_half_only() {
        let shown = format!("{:?}", key());
        assert!(shown.contains(PUBLIC) && !shown.contains(SEED), "{shown}");
    }
}
