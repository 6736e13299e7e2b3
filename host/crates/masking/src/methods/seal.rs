//! Values sealed to a recipient's X25519 key by HPKE (RFC 9180), which the sealer cannot open. A sealed
//! value is the encapsulated key (32 bytes), the value's number (8 bytes, big-endian), ciphertext and
//! tag; an error does not say why one does not open.
//!
//! Encapsulating costs a hundred times what encrypting does, so a context does it once for all
//! its values. HPKE's own messages open in their order only. Here each value opens by itself:
//! base mode of DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305 with the info
//! [`SEAL_INFO`] exports 32 bytes for [`SEAL_EXPORT`] (§5.3), and these are the key of
//! ChaCha20-Poly1305, with four zeros and the value's number as nonce, and the domain as associated
//! data.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use hpke::aead::ChaCha20Poly1305 as HpkeAead;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use zeroize::Zeroizing;

use super::keys::key_of_32;
use super::{ParameterError, Random, Refusal};

/// HPKE's `info` of a sealed value.
pub const SEAL_INFO: &[u8] = b"glovebox seal v1";
/// HPKE's `exporter_context` of the key that values are encrypted with.
pub const SEAL_EXPORT: &[u8] = b"values";
/// How many bytes a sealed value has more than its value.
pub const SEAL_OVERHEAD: usize = ENC + NUMBER + TAG;

const ENC: usize = 32;
const NUMBER: usize = 8;
const TAG: usize = 16;
/// The most values of a context.
const CONTEXT_VALUES: u64 = 1 << 32;

type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

const PUBLIC: ParameterError = ParameterError::PublicKey {
    method: "seal",
    takes: "a recipient's X25519 public key: 32 bytes, or their URL-safe base64",
};

/// Who values are sealed to.
///
/// ```
/// use glovebox_masking::methods::{Opener, Random, Sealer};
///
/// let mut opener = Opener::new(&[7; 32]).unwrap();
/// let sealer = Sealer::new(&opener.public_key()).unwrap();
/// let mut context = sealer.context(&mut Random::new().unwrap()).unwrap();
/// let (mut sealed, mut value) = (Vec::new(), Vec::new());
/// context.encrypt(b"domain", b"Jane Doe", &mut sealed).unwrap();
/// opener.decrypt(b"domain", &sealed, &mut value).unwrap();
/// assert_eq!(value, b"Jane Doe");
/// ```
pub struct Sealer(PublicKey);

impl Sealer {
    /// A public key of 32 bytes, or their URL-safe base64.
    ///
    /// # Errors
    /// When it is neither.
    pub fn new(key: &[u8]) -> Result<Self, ParameterError> {
        let key = key_of_32(key, PUBLIC)?;
        let key = PublicKey::from_bytes(key.as_slice());
        key.map(Sealer).map_err(|_| PUBLIC)
    }

    /// The public key.
    pub fn public_key(&self) -> [u8; 32] {
        self.0.to_bytes().into()
    }

    /// Encapsulates a key for the values to come.
    ///
    /// # Errors
    /// When nothing can be sealed to the public key, which then is one of the few points that
    /// give everybody the same secret.
    pub fn context(&self, random: &mut Random) -> Result<SealContext, ParameterError> {
        let mode = OpModeS::Base;
        let (enc, context) = hpke::setup_sender_with_rng::<HpkeAead, HkdfSha256, X25519HkdfSha256>(
            &mode,
            &self.0,
            SEAL_INFO,
            &mut random.0,
        )
        .map_err(|_| PUBLIC)?;
        let mut key = Zeroizing::new([0; 32]);
        let exported = context.export(SEAL_EXPORT, key.as_mut_slice());
        exported.map_err(|_| PUBLIC)?;
        Ok(SealContext {
            enc: enc.to_bytes().into(),
            cipher: ChaCha20Poly1305::new((&*key).into()),
            next: 0,
        })
    }
}

/// A key encapsulated once, and the numbers of the values that it has encrypted.
pub struct SealContext {
    enc: [u8; ENC],
    cipher: ChaCha20Poly1305,
    next: u64,
}

impl SealContext {
    /// Writes a sealed value after what is in `out`. It opens with the same domain only.
    ///
    /// # Errors
    /// When the context has sealed 2^32 values, and another must be begun.
    pub fn encrypt(
        &mut self,
        domain: &[u8],
        value: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        if self.next >= CONTEXT_VALUES {
            return Err(Refusal::Spent);
        }
        let number = self.next.to_be_bytes();
        self.next += 1;
        let start = out.len();
        out.extend_from_slice(&self.enc);
        out.extend_from_slice(&number);
        out.extend_from_slice(value);
        let text = out.get_mut(start + ENC + NUMBER..).unwrap_or_default();
        match self
            .cipher
            .encrypt_inout_detached(&nonce(number).into(), domain, text.into())
        {
            Ok(tag) => out.extend_from_slice(&tag),
            Err(_) => {
                out.truncate(start);
                return Err(Refusal::Length);
            }
        }
        Ok(())
    }
}

/// Opens what was sealed to its key.
pub struct Opener {
    key: PrivateKey,
    /// The key of the last value, since many have the same.
    last: Option<([u8; ENC], ChaCha20Poly1305)>,
}

impl Opener {
    /// A private key of 32 bytes, or their URL-safe base64. Any 32 random bytes are one.
    ///
    /// # Errors
    /// When it is neither.
    pub fn new(key: &[u8]) -> Result<Self, ParameterError> {
        let error = ParameterError::KeyLength {
            method: "opening what is sealed",
            takes: "32 bytes",
        };
        let key = key_of_32(key, error)?;
        let key = PrivateKey::from_bytes(key.as_slice()).map_err(|_| error)?;
        Ok(Opener { key, last: None })
    }

    /// The public key, which others seal to.
    pub fn public_key(&self) -> [u8; 32] {
        X25519HkdfSha256::sk_to_pk(&self.key).to_bytes().into()
    }

    /// Writes the value after what is in `out`.
    ///
    /// # Errors
    /// When it was not sealed to this key in this domain, or was altered. Nothing is written then.
    pub fn decrypt(
        &mut self,
        domain: &[u8],
        sealed: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let (enc, rest) = sealed.split_first_chunk().ok_or(Refusal::Closed)?;
        let (number, rest) = rest.split_first_chunk().ok_or(Refusal::Closed)?;
        let (text, tag) = rest.split_last_chunk::<TAG>().ok_or(Refusal::Closed)?;
        let cipher = match &self.last {
            Some((last, cipher)) if last == enc => cipher,
            _ => {
                let cipher = self.cipher(enc)?;
                &self.last.insert((*enc, cipher)).1
            }
        };
        let start = out.len();
        out.extend_from_slice(text);
        let text = out.get_mut(start..).unwrap_or_default();
        let nonce = nonce(*number).into();
        let opened = cipher.decrypt_inout_detached(&nonce, domain, text.into(), tag.into());
        opened.map_err(|_| {
            out.truncate(start);
            Refusal::Closed
        })
    }

    fn cipher(&self, enc: &[u8; ENC]) -> Result<ChaCha20Poly1305, Refusal> {
        let mut key = Zeroizing::new([0; 32]);
        self.export(enc, SEAL_INFO, SEAL_EXPORT, key.as_mut_slice())?;
        Ok(ChaCha20Poly1305::new((&*key).into()))
    }

    /// HPKE's export on the recipient's side.
    fn export(
        &self,
        enc: &[u8; ENC],
        info: &[u8],
        context: &[u8],
        out: &mut [u8],
    ) -> Result<(), Refusal> {
        let enc = EncappedKey::from_bytes(enc).map_err(|_| Refusal::Closed)?;
        let mode = OpModeR::Base;
        hpke::setup_receiver::<HpkeAead, HkdfSha256, X25519HkdfSha256>(&mode, &self.key, &enc, info)
            .and_then(|receiver| receiver.export(context, out))
            .map_err(|_| Refusal::Closed)
    }
}

fn nonce(number: [u8; NUMBER]) -> [u8; 12] {
    let mut nonce = [0; 12];
    if let Some(end) = nonce.last_chunk_mut() {
        *end = number;
    }
    nonce
}

#[cfg(test)]
#[path = "seal_tests.rs"]
mod tests;
