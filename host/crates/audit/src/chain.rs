//! The chain: what a record's hash is made of. A hash must be 64 lower-case hexadecimal digits:
//! with two notations, two different lines would verify.

use std::fmt;

use sha2::{Digest, Sha256};

/// The hash of a record, to which the next one is chained.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Head([u8; 32]);

impl Head {
    /// What the first record of a log is chained to.
    pub(crate) const BEGINNING: Head = Head([0; 32]);

    /// The hash of a record with that body after a record with this hash.
    pub(crate) fn follow(&self, body: &[u8]) -> Head {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(body);
        Head(hash.finalize().into())
    }

    pub(crate) fn of(bytes: &[u8]) -> Head {
        Head(Sha256::digest(bytes).into())
    }

    pub(crate) fn parse(hex: &str) -> Option<Head> {
        let digits = hex.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let value = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let &[high, low] = pair else { return None };
            *byte = value(high)? << 4 | value(low)?;
        }
        Some(Head(bytes))
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&glovebox_core::hex(self.0))
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_has_one_spelling() {
        let head = Head::of(b"abc");
        // FIPS 180-4's example.
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(head.to_string(), hex);
        assert_eq!(Head::parse(hex), Some(head));
        assert_eq!(Head::parse(&hex.to_uppercase()), None);
        assert_eq!(Head::parse(&hex[1..]), None);
        assert_eq!(Head::parse(&format!("{hex}0")), None);
    }

    #[test]
    fn the_order_of_two_records_changes_the_hash() {
        let one = Head::BEGINNING.follow(b"a").follow(b"b");
        assert_ne!(one, Head::BEGINNING.follow(b"b").follow(b"a"));
        assert_eq!(
            Head::BEGINNING.follow(b"a"),
            Head::of(&[&[0; 32][..], b"a"].concat())
        );
    }
}
