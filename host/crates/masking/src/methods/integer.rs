//! Whole numbers of 64 bits, permuted so that the column that held one holds its mask too.
//!
//! A number keeps its sign and, from a million on, its number of decimal digits; within 10 and
//! within 16 digits it also stays on its side of 2^31 and of 2^53. So PostgreSQL's `integer` holds
//! the mask of what it held, as does a reader's double, and keys look like keys. FF1 over all 64
//! bits would tell less, namely nothing, and make of each key a number of 19 digits.
//!
//! Numbers below a million are one class, of exactly the million values that FF1 demands. So a
//! small number is masked as strongly as the standard asks, and does not keep its digits: 42 may
//! become 815,111, and a `smallint` does not hold that.
//!
//! A number and its digits as text have different masks, since text keeps a zero at its start: a
//! join needs the same type on both sides.
//!
//! Within a class of *n* values FF1 permutes the bits of *n* − 1 until it comes to one of the class
//! (cycle walking), at most two steps on average.

use super::{Ff1, ParameterError, Refusal, Way};

/// Where classes begin; each ends where the next does, the last with the sign bit.
const STARTS: [u64; 16] = [
    0,
    1_000_000,
    10_000_000,
    100_000_000,
    1_000_000_000,
    1 << 31,
    10_000_000_000,
    100_000_000_000,
    1_000_000_000_000,
    10_000_000_000_000,
    100_000_000_000_000,
    1_000_000_000_000_000,
    1 << 53,
    10_000_000_000_000_000,
    100_000_000_000_000_000,
    1_000_000_000_000_000_000,
];
const END: u64 = 1 << 63;

/// A permutation of whole numbers under a key.
///
/// ```
/// use glovebox_masking::methods::IntegerCipher;
///
/// let cipher = IntegerCipher::new(&[7; 32]).unwrap();
/// let masked = cipher.encrypt_i64(b"customer", 123_456_789).unwrap();
/// assert_eq!(masked.to_string().len(), 9);
/// assert_eq!(cipher.decrypt_i64(b"customer", masked), Ok(123_456_789));
/// ```
pub struct IntegerCipher(Ff1);

impl IntegerCipher {
    /// A key as [`Ff1::new`] takes it.
    ///
    /// # Errors
    /// When the key has another length.
    pub fn new(key: &[u8]) -> Result<Self, ParameterError> {
        Ff1::new(key, 2).map(IntegerCipher)
    }

    /// Another number of the same class.
    ///
    /// # Errors
    /// When the tweak is longer than 4 GiB.
    pub fn encrypt_i64(&self, tweak: &[u8], number: i64) -> Result<i64, Refusal> {
        self.permute(Way::Encrypt, tweak, number)
    }

    /// The number that was encrypted to this one. There is nothing to tell a wrong key or tweak by.
    ///
    /// # Errors
    /// As [`IntegerCipher::encrypt_i64`].
    pub fn decrypt_i64(&self, tweak: &[u8], number: i64) -> Result<i64, Refusal> {
        self.permute(Way::Decrypt, tweak, number)
    }

    fn permute(&self, way: Way, tweak: &[u8], number: i64) -> Result<i64, Refusal> {
        // All ones for a negative number: −1 is the 0 of its side, and each side has 2^63 numbers.
        let sign = number >> 63;
        let magnitude = (number ^ sign) as u64;
        let class = STARTS.partition_point(|start| *start <= magnitude);
        let end = STARTS.get(class).copied().unwrap_or(END);
        let start = STARTS.get(class.wrapping_sub(1)).copied().unwrap_or(0);
        let size = end - start;
        let bits = u64::BITS - (size - 1).leading_zeros();
        // The class is in the tweak, for classes of as many bits; so is the sign.
        let mark = [b'i', class as u8, u8::from(sign != 0)];
        let mut place = magnitude - start;
        loop {
            place = self.0.permute_bits(way, &[tweak, &mark], bits, place)?;
            if place < size {
                return Ok((start + place) as i64 ^ sign);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn cipher() -> IntegerCipher {
        IntegerCipher::new(&[3; 32]).unwrap()
    }

    #[test]
    fn each_class_has_the_million_values_that_ff1_demands() {
        let ends = STARTS.iter().skip(1).chain([&END]);
        for (start, end) in STARTS.iter().zip(ends) {
            assert!(
                u128::from(end - start) >= super::super::MIN_DOMAIN,
                "{start}"
            );
        }
    }

    #[test]
    fn all_small_numbers_are_permuted_among_themselves() {
        let cipher = cipher();
        let masks: HashSet<i64> = (0..1_000_000)
            .map(|n| cipher.encrypt_i64(b"t", n).unwrap())
            .collect();
        assert_eq!(masks.len(), 1_000_000);
        assert!(masks.iter().all(|mask| (0..1_000_000).contains(mask)));
    }

    #[test]
    fn numbers_at_every_edge_keep_their_class_and_come_back() {
        let cipher = cipher();
        let edges = STARTS.iter().chain([&END]);
        for edge in edges.flat_map(|e| [e.wrapping_sub(1), *e, e.wrapping_add(1)]) {
            for number in [edge as i64, !(edge as i64)] {
                let masked = cipher.encrypt_i64(b"t", number).unwrap();
                assert_eq!(cipher.decrypt_i64(b"t", masked), Ok(number));
                assert_eq!(masked < 0, number < 0);
                let magnitude = |n: i64| (n ^ (n >> 63)) as u64;
                let class = |n: i64| STARTS.partition_point(|start| *start <= magnitude(n));
                assert_eq!(class(masked), class(number), "{number}");
                assert_eq!(i32::try_from(masked).is_ok(), i32::try_from(number).is_ok());
            }
        }
    }

    #[test]
    fn key_tweak_class_and_sign_each_change_the_mask() {
        let cipher = cipher();
        let number = 1_234_567_890_123;
        let mask = cipher.encrypt_i64(b"t", number).unwrap();
        assert_eq!(cipher.encrypt_i64(b"t", number), Ok(mask));
        assert_ne!(cipher.encrypt_i64(b"u", number), Ok(mask));
        let other = IntegerCipher::new(&[4; 32]).unwrap();
        assert_ne!(other.encrypt_i64(b"t", number), Ok(mask));
        assert_ne!(cipher.encrypt_i64(b"t", !number), Ok(!mask));
    }

    #[test]
    fn random_numbers_come_back() {
        use proptest::prelude::*;
        let cipher = cipher();
        proptest!(|(number in any::<i64>(), shift in 0_u32..63)| {
            let number = number >> shift;
            let masked = cipher.encrypt_i64(b"t", number).unwrap();
            prop_assert_eq!(cipher.decrypt_i64(b"t", masked), Ok(number));
        });
    }
}
