//! Tokens: random-looking text that stands for a cell, and what a sink keeps of each, so that two
//! officers together can have the cell back. Whoever stores them cannot open them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::hex::hex;

/// What stands for a cell: 128 bits, written as `tok_` and 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub [u8; 16]);

impl Token {
    /// What each of them begins with.
    pub const PREFIX: &str = "tok_";
    /// How many characters each of them has.
    pub const LEN: usize = Self::PREFIX.len() + 32;

    /// The token that is written so; none of any other text.
    ///
    /// ```
    /// use glovebox_core::Token;
    ///
    /// let text = "tok_000102030405060708090a0b0c0d0e0f";
    /// assert_eq!(Token::parse(text).unwrap().to_string(), text);
    /// assert_eq!(Token::parse("tok_000102030405060708090A0B0C0D0E0F"), None);
    /// assert_eq!(Token::parse("000102030405060708090a0b0c0d0e0f"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(Self::PREFIX)?.as_bytes();
        let mut bytes = [0; 16];
        if digits.len() != 2 * bytes.len() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            for digit in pair {
                let value = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return None,
                };
                *byte = *byte << 4 | value;
            }
        }
        Some(Token(bytes))
    }

    /// Appends its text.
    pub fn write(&self, out: &mut Vec<u8>) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        out.extend_from_slice(Self::PREFIX.as_bytes());
        for byte in self.0 {
            for digit in [byte >> 4, byte & 0xf] {
                out.push(DIGITS.get(usize::from(digit)).copied().unwrap_or(b'0'));
            }
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, hex(self.0))
    }
}

/// Who may have cells back from a step's tokens, how long and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenTerms {
    /// The public keys of two officers, as `x25519:…`: only both together open a token.
    pub officers: [String; 2],
    /// How long after it was first made a token can be opened; none is for ever.
    pub expires: Option<Duration>,
    /// How often it can be opened; none is as often as one likes.
    pub uses: Option<u32>,
}

/// Tokens of a batch under one data key, each distinct value once, as a sink keeps them.
#[derive(Debug, Clone)]
pub struct TokenBatch {
    /// Whose masks are alike.
    pub domain: Arc<str>,
    /// The version of the key that has made them.
    pub version: u32,
    /// What they were encrypted under.
    pub key: TokenKey,
    /// See [`TokenTerms::expires`].
    pub expires: Option<Duration>,
    /// See [`TokenTerms::uses`].
    pub uses: Option<u32>,
    /// The tokens.
    pub tokens: Vec<NewToken>,
}

/// A data key in two halves, each sealed to an officer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenKey {
    /// Its random name.
    pub id: [u8; 16],
    /// Its halves, sealed, in the order of the officers.
    pub halves: [Vec<u8>; 2],
}

/// A token and the value that it stands for, encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// The token.
    pub token: Token,
    /// The value, encrypted.
    pub sealed: Vec<u8>,
}

/// A token that a sink keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredToken {
    /// The token.
    pub token: Token,
    /// Its value, encrypted.
    pub sealed: Vec<u8>,
    /// What it was encrypted under.
    pub key: TokenKey,
    /// Whether it has expired.
    pub expired: bool,
    /// Whether it was opened as often as it may be.
    pub used_up: bool,
}
