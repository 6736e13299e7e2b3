//! Keys that can be found by trying: short ones, and words that people take for keys.

use std::collections::BTreeSet;

use glovebox_core::Secret;

/// A key that can be found by trying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeakKey {
    /// The plugin's name for it.
    pub key: String,
    /// The secret's name.
    pub secret: String,
    /// How.
    pub weakness: Weakness,
    /// Whether it is the version that masks.
    pub masks: bool,
}

/// How a key is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// It is short enough to be tried out.
    Short,
    /// It is a word that is tried first.
    Known,
}

/// Words that people take for keys, in lower case and without digits at their end.
const KNOWN: [&str; 40] = [
    "",
    "abc",
    "admin",
    "changeit",
    "changeme",
    "customer",
    "default",
    "demo",
    "dev",
    "dummy",
    "example",
    "glovebox",
    "hash",
    "hmac",
    "key",
    "letmein",
    "mask",
    "masking",
    "mysalt",
    "mysecret",
    "mysecretkey",
    "none",
    "passw",
    "passwd",
    "password",
    "pepper",
    "placeholder",
    "prod",
    "production",
    "pseudonym",
    "qwerty",
    "salt",
    "saltsalt",
    "sample",
    "secret",
    "secretkey",
    "staging",
    "supersecret",
    "test",
    "welcome",
];

/// Different bytes of a key that anybody has taken at random, and not typed with one finger.
const FEWEST_BYTES: usize = 6;

pub(crate) fn weakness(secret: &Secret) -> Option<Weakness> {
    let bytes = secret.expose();
    let word = bytes.iter().filter(|b| b.is_ascii_alphabetic());
    let word: Vec<u8> = word.map(u8::to_ascii_lowercase).collect();
    // What has anything beside letters, digits and signs between them is no word.
    let plain = bytes.is_ascii() && bytes.len() < 2 * MIN_KEY_LEN;
    let known = plain && KNOWN.iter().any(|known| known.as_bytes() == word);
    let short = bytes.len() < MIN_KEY_LEN;
    let distinct: BTreeSet<u8> = bytes.iter().copied().collect();
    match (known || !short && distinct.len() < FEWEST_BYTES, short) {
        (true, _) => Some(Weakness::Known),
        (false, true) => Some(Weakness::Short),
        (false, false) => None,
    }
}

/// Bytes of a key that nobody can try out: 128 bits, if they are random.
pub const MIN_KEY_LEN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: &str) -> Option<Weakness> {
        weakness(&Secret::new(key.into()))
    }

    #[test]
    fn words_and_short_keys_are_told_and_random_ones_pass() {
        for known in [
            "salt",
            "Secret123",
            "change-me!",
            "changeme12345678",
            "aaaaaaaaaaaaaaaa",
        ] {
            assert_eq!(of(known), Some(Weakness::Known), "{known}");
        }
        assert_eq!(of("short"), Some(Weakness::Short));
        assert_eq!(of("sixteen bytes ok"), None);
        assert_eq!(of("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), None);
    }
}
