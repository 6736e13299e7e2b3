//! AES-SIV (RFC 5297): the same value gives the same mask, and no other key opens it. A mask is the
//! synthetic IV and the ciphertext, as in the RFC.
//!
//! An error does not say whether the key, the associated data or the mask was wrong.

use aes::cipher::KeyInit;
use aes::{Aes128, Aes192, Aes256};
use aes_siv::siv::{CmacSiv, IV_SIZE};

use super::keys::key_bytes;
use super::{ParameterError, Refusal};

/// How many bytes a mask has more than its value.
pub const SIV_OVERHEAD: usize = IV_SIZE;

const KEY: ParameterError = ParameterError::KeyLength {
    method: "aes-siv",
    takes: "32, 48 or 64 bytes (64 for AES-256)",
};

/// AES-SIV under a key, for one thread.
///
/// ```
/// use glovebox_masking::methods::{AesSiv, Refusal};
///
/// let mut siv = AesSiv::new(&[7; 64]).unwrap();
/// let (mut mask, mut value) = (Vec::new(), Vec::new());
/// siv.encrypt(&[b"domain"], b"Jane Doe", &mut mask).unwrap();
/// siv.decrypt(&[b"domain"], &mask, &mut value).unwrap();
/// assert_eq!(value, b"Jane Doe");
/// assert_eq!(siv.decrypt(&[b"other"], &mask, &mut value), Err(Refusal::Closed));
/// ```
pub struct AesSiv(Cipher);

/// AES by half the key's length. The crates wipe keys and schedules when they are dropped.
enum Cipher {
    Aes128(Box<CmacSiv<Aes128>>),
    Aes192(Box<CmacSiv<Aes192>>),
    Aes256(Box<CmacSiv<Aes256>>),
}

impl AesSiv {
    /// A key of 32, 48 or 64 bytes, of which half are for the code and half for the cipher; or
    /// the URL-safe base64 of 32 or 64.
    ///
    /// # Errors
    /// When the key is none of these.
    pub fn new(key: &[u8]) -> Result<Self, ParameterError> {
        let key = key_bytes(key, &[32, 48, 64], KEY)?;
        let cipher = match key.len() {
            32 => CmacSiv::new_from_slice(&key)
                .map(Box::new)
                .map(Cipher::Aes128),
            48 => CmacSiv::new_from_slice(&key)
                .map(Box::new)
                .map(Cipher::Aes192),
            _ => CmacSiv::new_from_slice(&key)
                .map(Box::new)
                .map(Cipher::Aes256),
        };
        cipher.map(AesSiv).map_err(|_| KEY)
    }

    /// Writes the mask of a value after what is in `out`. A mask opens with the same associated
    /// data only; with a nonce as the last of them, masks of a value differ.
    ///
    /// # Errors
    /// When there are more than 126 pieces of associated data.
    pub fn encrypt(
        &mut self,
        associated: &[&[u8]],
        value: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let start = out.len();
        out.resize(start + IV_SIZE, 0);
        out.extend_from_slice(value);
        let Some((head, text)) = tail(out, start) else {
            return Err(Refusal::Length);
        };
        let iv = match &mut self.0 {
            Cipher::Aes128(siv) => siv.encrypt_inout_detached(associated, text.into()),
            Cipher::Aes192(siv) => siv.encrypt_inout_detached(associated, text.into()),
            Cipher::Aes256(siv) => siv.encrypt_inout_detached(associated, text.into()),
        };
        match iv {
            Ok(iv) => head.copy_from_slice(&iv),
            Err(_) => {
                out.truncate(start);
                return Err(Refusal::Length);
            }
        }
        Ok(())
    }

    /// Writes the value of a mask after what is in `out`.
    ///
    /// # Errors
    /// When the mask is not one of this key with this associated data. Nothing is written then.
    pub fn decrypt(
        &mut self,
        associated: &[&[u8]],
        mask: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let (iv, text) = mask.split_at_checked(IV_SIZE).ok_or(Refusal::Closed)?;
        let iv = iv.try_into().map_err(|_| Refusal::Closed)?;
        let start = out.len();
        out.extend_from_slice(text);
        let opened = match out.get_mut(start..) {
            None => return Err(Refusal::Closed),
            Some(text) => match &mut self.0 {
                Cipher::Aes128(siv) => siv.decrypt_inout_detached(associated, text.into(), iv),
                Cipher::Aes192(siv) => siv.decrypt_inout_detached(associated, text.into(), iv),
                Cipher::Aes256(siv) => siv.decrypt_inout_detached(associated, text.into(), iv),
            },
        };
        opened.map_err(|_| {
            out.truncate(start);
            Refusal::Closed
        })
    }
}

/// The IV and the text that were put after so many bytes.
fn tail(out: &mut [u8], start: usize) -> Option<(&mut [u8], &mut [u8])> {
    out.get_mut(start..)?.split_at_mut_checked(IV_SIZE)
}

#[cfg(test)]
#[path = "aes_siv_tests.rs"]
mod tests;
