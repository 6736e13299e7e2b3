//! Identifiers and bearer tokens from the system's randomness, and the hashes kept of them.

use std::fmt;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use glovebox_core::hex;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{Error, Result};

/// A token that its bearer may use: 256 random bits behind a prefix.
pub struct Token(Zeroizing<String>);

impl Token {
    /// The token, for the one who gets it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A new token.
///
/// # Errors
/// When the system gives no random bytes.
pub fn token(prefix: &str) -> Result<Token> {
    let mut bytes = Zeroizing::new([0u8; 32]);
    fill(bytes.as_mut_slice())?;
    let mut text = Zeroizing::new(String::with_capacity(prefix.len() + 44));
    text.push_str(prefix);
    URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
    Ok(Token(text))
}

/// A new identifier of 128 random bits; no secret.
pub(crate) fn id(prefix: &str) -> Result<String> {
    let mut bytes = [0u8; 16];
    fill(&mut bytes)?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// The same, of which a later one is the greater in every collation: the microseconds since 1970 in 56 bits,
/// and 40 random bits, since it becomes a part of other names.
pub(crate) fn id_in_order(prefix: &str) -> Result<String> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let micros = since.unwrap_or_default().as_micros();
    let [.., a, b, c, d, e, f, g] = micros.to_be_bytes();
    let mut random = [0u8; 5];
    fill(&mut random)?;
    let [h, i, j, k, l] = random;
    let bytes = [a, b, c, d, e, f, g, h, i, j, k, l];
    Ok(format!("{prefix}{}", hex(bytes)))
}

pub(crate) fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|_| {
        Error::Crypto(
            "the operating system provided no random \
                                                     bytes",
        )
    })
}

/// What is stored of a token: SHA-256, which 256 random bits make as good as any slow hash.
pub fn digest(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_differ_and_are_not_shown() {
        let (one, two) = (token("gbk_").unwrap(), token("gbk_").unwrap());
        assert_eq!(one.expose().len(), 4 + 43);
        assert_ne!(one.expose(), two.expose());
        assert_eq!(format!("{one:?}"), "Token(…)");
        assert_ne!(digest(one.expose()), digest(two.expose()));
    }
}
