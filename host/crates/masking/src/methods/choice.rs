//! A keyed choice: the same value gives the same place in a list, and nobody without the key
//! knows which.
//!
//! HMAC-SHA-256 of a domain and a value makes a draw of 128 bits, which is reduced modulo the length
//! of the list: a place is at most 2^−64 likelier than another.

use std::num::NonZeroU64;

use crate::hmac::Keyed;

use super::ParameterError;

/// Draws under a key, in one domain.
///
/// ```
/// use std::num::NonZeroU64;
/// use glovebox_masking::methods::Choice;
///
/// let choice = Choice::new(&[7; 32], "first-name").unwrap();
/// let names = ["Ada", "Grace", "Katherine"];
/// let place = choice.pick(b"Jane", NonZeroU64::new(3).unwrap());
/// assert!(place < 3);
/// assert_eq!(place, choice.pick(b"Jane", NonZeroU64::new(3).unwrap()));
/// ```
pub struct Choice {
    /// HMAC that has taken the domain.
    first: Keyed,
    /// The same for what is drawn beyond the first two.
    further: Keyed,
}

impl Choice {
    /// A key of any length but none.
    ///
    /// # Errors
    /// When the key is empty.
    pub fn new(key: &[u8], domain: &str) -> Result<Self, ParameterError> {
        Choice::labelled(key, "pick", domain)
    }

    /// The same for another use, which has no draw in common with it.
    pub(super) fn labelled(key: &[u8], label: &str, domain: &str) -> Result<Self, ParameterError> {
        let error = ParameterError::KeyLength {
            method: "a keyed choice",
            takes: "16 bytes or more",
        };
        if key.is_empty() {
            return Err(error);
        }
        let keyed = |step: &[u8]| {
            let mut keyed = Keyed::new(key).map_err(|_| error)?;
            for part in [label.as_bytes(), step, domain.as_bytes()] {
                keyed.absorb(&(part.len() as u64).to_be_bytes());
                keyed.absorb(part);
            }
            Ok(keyed)
        };
        Ok(Choice {
            first: keyed(b"first")?,
            further: keyed(b"further")?,
        })
    }

    /// One of the numbers below `n`.
    pub fn pick(&self, value: &[u8], n: NonZeroU64) -> u64 {
        self.draws(value).below(n)
    }

    /// As many draws as are asked for.
    pub fn draws(&self, value: &[u8]) -> Draws<'_> {
        let code = self.first.mask(value);
        Draws {
            choice: self,
            seed: code,
            code,
            drawn: 0,
        }
    }
}

/// The draws of one value: two of each code, the first code being the seed of all others.
pub struct Draws<'c> {
    choice: &'c Choice,
    seed: [u8; 32],
    code: [u8; 32],
    drawn: u64,
}

impl Draws<'_> {
    /// The next draw, as one of the numbers below `n`.
    pub fn below(&mut self, n: NonZeroU64) -> u64 {
        if self.drawn > 0 && self.drawn.is_multiple_of(2) {
            let count = (self.drawn / 2).to_be_bytes();
            self.code = self.choice.further.mask_parts(&[&self.seed, &count]);
        }
        let code = self.code;
        let (left, right) = code.split_at(16);
        let half = if self.drawn.is_multiple_of(2) {
            left
        } else {
            right
        };
        self.drawn += 1;
        let draw = half.iter().fold(0, |n, byte| (n << 8) | u128::from(*byte));
        (draw % u128::from(n.get())) as u64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn n(n: u64) -> NonZeroU64 {
        NonZeroU64::new(n).unwrap()
    }

    fn choice(key: &[u8], domain: &str) -> Choice {
        Choice::new(key, domain).unwrap()
    }

    /// The construction as it stands in the comments, by HMAC alone.
    #[test]
    fn draws_are_halves_of_codes_of_domain_and_value() {
        let keyed = Keyed::new(b"key").unwrap();
        let prefix = |step: &str| {
            let mut prefix = Vec::new();
            for part in ["pick", step, "names"] {
                prefix.extend_from_slice(&(part.len() as u64).to_be_bytes());
                prefix.extend_from_slice(part.as_bytes());
            }
            prefix
        };
        let seed = keyed.mask_parts(&[&prefix("first"), b"Jane"]);
        let number = |half: &[u8]| u128::from_be_bytes(half.try_into().unwrap());
        let mut expected = vec![number(&seed[..16]), number(&seed[16..])];
        for count in 1..4_u64 {
            let code = keyed.mask_parts(&[&prefix("further"), &seed, &count.to_be_bytes()]);
            expected.extend([number(&code[..16]), number(&code[16..])]);
        }
        let choice = choice(b"key", "names");
        let mut draws = choice.draws(b"Jane");
        for (place, draw) in expected.iter().enumerate() {
            let below = n(1 + 1_000_003 * place as u64);
            assert_eq!(
                u128::from(draws.below(below)),
                draw % u128::from(below.get())
            );
        }
        assert_eq!(
            choice.pick(b"Jane", n(u64::MAX)),
            (expected[0] % u128::from(u64::MAX)) as u64
        );
    }

    #[test]
    fn key_domain_and_value_each_change_the_choice() {
        let pick = |choice: &Choice, value: &[u8]| choice.pick(value, n(u64::MAX));
        let all = [
            pick(&choice(b"key", "names"), b"Jane"),
            pick(&choice(b"other", "names"), b"Jane"),
            pick(&choice(b"key", "cities"), b"Jane"),
            pick(&choice(b"key", "names"), b"John"),
            pick(&choice(b"key", "namesJ"), b"ane"),
            pick(
                &Choice::labelled(b"key", "shift", "names").unwrap(),
                b"Jane",
            ),
        ];
        assert_eq!(HashSet::from(all).len(), all.len());
    }

    /// Chi-square over ten places: 27.88 is passed once in a thousand times, and this is one.
    #[test]
    fn places_are_chosen_evenly() {
        let choice = choice(b"key", "names");
        let mut counts = [0_f64; 10];
        for value in 0..100_000_u32 {
            counts[choice.pick(&value.to_be_bytes(), n(10)) as usize] += 1.0;
        }
        let chi: f64 = counts
            .iter()
            .map(|c| (c - 10_000.0).powi(2) / 10_000.0)
            .sum();
        assert!(chi < 27.88, "{chi}");
    }

    #[test]
    fn one_place_is_always_it_and_an_empty_key_is_refused() {
        assert_eq!(choice(b"key", "").pick(b"", n(1)), 0);
        let error = Choice::new(b"", "names")
            .err()
            .map(|error| error.to_string());
        assert!(error.is_some_and(|e| e.starts_with("a keyed choice takes a key of 16 bytes")));
    }
}
