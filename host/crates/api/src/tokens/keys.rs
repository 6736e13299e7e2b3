//! Signing keys, each a secret of 32 random bytes, and their public halves.

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use base64::{alphabet, engine::DecodePaddingMode};
use glovebox_core::Secret;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use ring::aead::{CHACHA20_POLY1305, LessSafeKey, UnboundKey};
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::jws::PublicKey;

/// As `glovebox secret set --generate` writes it, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A key that signs tokens, and those for cursors and ETags made of the same secret.
pub(crate) struct Key {
    signing: EncodingKey,
    /// The public half, in base64.
    x: String,
    pub(crate) kid: String,
    pub(crate) public: PublicKey,
    pub(crate) cursors: LessSafeKey,
    pub(crate) etags: hmac::Key,
}

/// The secret is no key.
#[derive(Debug, thiserror::Error)]
#[error("it is not 32 bytes in base64; make one with: glovebox secret set --generate NAME")]
pub(crate) struct NotAKey;

impl Key {
    /// A key of a secret: 32 bytes in base64, RFC 8032's private key.
    ///
    /// # Errors
    /// When the secret is something else.
    pub(crate) fn new(secret: &Secret) -> Result<Self, NotAKey> {
        let text = secret.expose().trim_ascii();
        // With room for more than there may be, since the decoder guesses.
        let mut seed = Zeroizing::new([0u8; 64]);
        let length = BASE64
            .decode_slice(text, seed.as_mut_slice())
            .map_err(|_| NotAKey)?;
        let seed = seed
            .get(..length)
            .filter(|s| s.len() == 32)
            .ok_or(NotAKey)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| NotAKey)?;
        let public = pair.public_key().as_ref();
        let x = URL_SAFE_NO_PAD.encode(public);
        let public = PublicKey::new(Algorithm::EdDSA, DecodingKey::from_ed_der(public));
        let root = hmac::Key::new(hmac::HMAC_SHA256, seed);
        let sealed = hmac::sign(&root, b"glovebox cursor v1");
        let cursors = UnboundKey::new(&CHACHA20_POLY1305, sealed.as_ref()).map_err(|_| NotAKey)?;
        Ok(Key {
            signing: EncodingKey::from_ed_der(seed),
            kid: thumbprint(&x),
            x,
            public: public.ok_or(NotAKey)?,
            cursors: LessSafeKey::new(cursors),
            etags: hmac::Key::new(
                hmac::HMAC_SHA256,
                hmac::sign(&root, b"glovebox etag v1").as_ref(),
            ),
        })
    }

    /// A token of these claims; none if they cannot be signed.
    pub(crate) fn sign(&self, claims: &Value) -> Option<String> {
        let header = Header {
            kid: Some(self.kid.clone()),
            typ: Some("at+jwt".into()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, claims, &self.signing).ok()
    }

    /// The public half as a JSON Web Key (RFC 8037).
    pub(crate) fn jwk(&self) -> Value {
        json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "x": self.x,
            "kid": self.kid,
            "alg": "EdDSA",
            "use": "sig",
        })
    }
}

/// RFC 7638 of an Ed25519 key.
fn thumbprint(x: &str) -> String {
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A: key, thumbprint.
    #[test]
    fn the_key_of_rfc_8037_has_its_thumbprint() {
        let secret = Secret::new(b"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A".to_vec());
        let key = Key::new(&secret).unwrap();
        assert_eq!(key.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(
            key.jwk()["x"],
            "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        );
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for bad in ["", "short", &"A".repeat(42), &"A".repeat(86), "ä"] {
            assert!(Key::new(&Secret::new(bad.into())).is_err(), "{bad}");
        }
        let padded = format!("{}=\n", "A".repeat(43));
        assert!(Key::new(&Secret::new(padded.into())).is_ok());
    }
}
