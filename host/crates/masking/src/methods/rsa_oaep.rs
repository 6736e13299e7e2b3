//! Values sealed to a recipient's RSA key by RSA-OAEP with SHA-256 (RFC 8017 §7.1), for recipients
//! whose key stores support nothing else.
//!
//! Values are only encrypted here: private keys stay where they are. Keys below 2048 bits are refused,
//! and values longer than the padding leaves room for. No domain is bound to a value: key stores
//! open with an empty label.

use rsa::pkcs8::DecodePublicKey;
use rsa::traits::PublicKeyParts;
use rsa::{Oaep, PublicKey};
use sha2::Sha256;

use super::{ParameterError, Random, Refusal};

const MIN_BITS: u32 = 2048;
/// What the padding takes: two hashes and two bytes.
const PADDING: usize = 2 * 32 + 2;

const KEY: ParameterError = ParameterError::PublicKey {
    method: "rsa-oaep",
    takes: "a recipient's RSA public key of 2048 to 8192 bits, as `openssl pkey -pubout` writes it \
            in PEM or DER",
};

/// Who values are sealed to.
pub struct RsaSealer(PublicKey);

impl RsaSealer {
    /// A SubjectPublicKeyInfo in PEM or DER.
    ///
    /// # Errors
    /// When it is none of an RSA key, or the key has fewer than 2048 bits.
    pub fn new(key: &[u8]) -> Result<Self, ParameterError> {
        let parsed = match std::str::from_utf8(key) {
            Ok(text) if text.trim_start().starts_with("-----BEGIN") => {
                PublicKey::from_public_key_pem(text.trim())
            }
            _ => PublicKey::from_public_key_der(key),
        };
        let key = parsed.map_err(|_| KEY)?;
        if key.n().bit_width() < MIN_BITS {
            return Err(KEY);
        }
        Ok(RsaSealer(key))
    }

    /// How many bytes the longest value has: 190 for a key of 2048 bits.
    pub fn longest(&self) -> usize {
        self.0.size().saturating_sub(PADDING)
    }

    /// Writes the sealed value after what is in `out`.
    ///
    /// # Errors
    /// When the value is longer than [`RsaSealer::longest`].
    pub fn encrypt(
        &self,
        random: &mut Random,
        value: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        if value.len() > self.longest() {
            return Err(Refusal::Length);
        }
        let sealed = self.0.encrypt(&mut random.0, Oaep::<Sha256>::new(), value);
        out.extend_from_slice(&sealed.map_err(|_| Refusal::Length)?);
        Ok(())
    }
}

#[cfg(test)]
#[path = "rsa_oaep_tests.rs"]
mod tests;
