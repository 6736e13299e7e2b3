//! Fernet tokens, as the specification has them (github.com/fernet/spec) and every Fernet library
//! opens them: version, time, IV, AES-128-CBC and HMAC-SHA-256, all as URL-safe base64.
//!
//! The code is verified before anything is decrypted, and an error does not say why a token does not
//! open. A token names neither its key's version nor a domain: with several keys, each is tried.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use aes::{Aes128Dec, Aes128Enc};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, Mac};
use rand::Rng;
use sha2::Sha256;
use zeroize::Zeroize;

use super::keys::key_of_32;
use super::{ParameterError, Random, Refusal};

const VERSION: u8 = 0x80;
const BLOCK: usize = 16;
const CODE: usize = 32;
/// Version and time.
const HEAD: usize = 9;

/// How far in the future the time of a token may be when its age is judged, in seconds: the
/// specification's `MAX_CLOCK_SKEW`.
const CLOCK_SKEW: u64 = 60;

/// How old a token may be, and what time it is: seconds, and seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct MaxAge {
    /// The oldest that opens.
    pub seconds: u64,
    /// The time now.
    pub now: u64,
}

/// What a token is put together and taken apart in: used again, it is not allocated again.
#[derive(Debug, Default)]
pub struct FernetBuffer {
    bytes: Vec<u8>,
    token: String,
}

impl Drop for FernetBuffer {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// Fernet under a key.
///
/// ```
/// use glovebox_masking::methods::{Fernet, FernetBuffer, Random};
///
/// let fernet = Fernet::new(b"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=").unwrap();
/// let (mut there, mut back) = (FernetBuffer::default(), FernetBuffer::default());
/// let mut random = Random::new().unwrap();
/// let token = fernet.encrypt(&mut random, 499_162_800, b"hello", &mut there).unwrap();
/// assert_eq!(fernet.decrypt(token, None, &mut back), Ok(&b"hello"[..]));
/// ```
pub struct Fernet {
    code: Hmac<Sha256>,
    encrypt: Aes128Enc,
    decrypt: Aes128Dec,
}

impl Fernet {
    /// A key of 32 bytes, of which the first half is for the code and the second for the cipher;
    /// or its URL-safe base64 of 44 characters, which is what other libraries call the key.
    ///
    /// # Errors
    /// When the key is neither.
    pub fn new(key: &[u8]) -> Result<Self, ParameterError> {
        let error = ParameterError::KeyLength {
            method: "fernet",
            takes: "32 bytes",
        };
        let key = key_of_32(key, error)?;
        let (code, cipher) = key.split_at(BLOCK);
        Ok(Fernet {
            code: Hmac::new_from_slice(code).map_err(|_| error)?,
            encrypt: Aes128Enc::new_from_slice(cipher).map_err(|_| error)?,
            decrypt: Aes128Dec::new_from_slice(cipher).map_err(|_| error)?,
        })
    }

    /// A token of this time, in seconds since 1970.
    ///
    /// # Errors
    /// When the value is longer than memory is.
    pub fn encrypt<'b>(
        &self,
        random: &mut Random,
        now: u64,
        value: &[u8],
        buffer: &'b mut FernetBuffer,
    ) -> Result<&'b str, Refusal> {
        let mut iv = [0; BLOCK];
        random.0.fill_bytes(&mut iv);
        self.encrypt_with(iv, now, value, buffer)
    }

    fn encrypt_with<'b>(
        &self,
        iv: [u8; BLOCK],
        now: u64,
        value: &[u8],
        buffer: &'b mut FernetBuffer,
    ) -> Result<&'b str, Refusal> {
        let FernetBuffer { bytes, token } = buffer;
        bytes.clear();
        bytes.push(VERSION);
        bytes.extend_from_slice(&now.to_be_bytes());
        bytes.extend_from_slice(&iv);
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len() + BLOCK - value.len() % BLOCK, 0);
        let text = bytes.get_mut(HEAD + BLOCK..).ok_or(Refusal::Length)?;
        cbc::Encryptor::inner_iv_init(&self.encrypt, &iv.into())
            .encrypt_padded::<Pkcs7>(text, value.len())
            .map_err(|_| Refusal::Length)?;
        let mut code = self.code.clone();
        code.update(bytes);
        bytes.extend_from_slice(&code.finalize().into_bytes());
        token.clear();
        URL_SAFE.encode_string(bytes, token);
        Ok(token)
    }

    /// The value of a token, if it is not older than this.
    ///
    /// # Errors
    /// When the token is not one of this key, or too old, or of the future. Its age is judged only
    /// where one is given, as by other libraries.
    pub fn decrypt<'b>(
        &self,
        token: &str,
        age: Option<MaxAge>,
        buffer: &'b mut FernetBuffer,
    ) -> Result<&'b [u8], Refusal> {
        let bytes = &mut buffer.bytes;
        bytes.clear();
        let decoded = URL_SAFE.decode_vec(token, bytes);
        decoded.map_err(|_| Refusal::Closed)?;
        let end = bytes.len().checked_sub(CODE).ok_or(Refusal::Closed)?;
        let (signed, code) = bytes.split_at_mut_checked(end).ok_or(Refusal::Closed)?;
        let mut computed = self.code.clone();
        computed.update(signed);
        // In constant time.
        computed.verify_slice(code).map_err(|_| Refusal::Closed)?;
        let (head, rest) = signed.split_at_mut_checked(HEAD).ok_or(Refusal::Closed)?;
        let (iv, text) = rest.split_at_mut_checked(BLOCK).ok_or(Refusal::Closed)?;
        let [VERSION, time @ ..] = head else {
            return Err(Refusal::Closed);
        };
        let time = <[u8; 8]>::try_from(&*time).map_err(|_| Refusal::Closed)?;
        let time = u64::from_be_bytes(time);
        let fits = |age: MaxAge| {
            age.now <= time.saturating_add(age.seconds)
                && time <= age.now.saturating_add(CLOCK_SKEW)
        };
        if !age.is_none_or(fits) {
            return Err(Refusal::Closed);
        }
        let iv = <[u8; BLOCK]>::try_from(&*iv).map_err(|_| Refusal::Closed)?;
        cbc::Decryptor::inner_iv_init(&self.decrypt, &iv.into())
            .decrypt_padded::<Pkcs7>(text)
            .map_err(|_| Refusal::Closed)
    }
}

#[cfg(test)]
#[path = "fernet_tests.rs"]
mod tests;
