//! FF1 (NIST SP 800-38G): a keyed and tweaked permutation of strings of numerals.
//!
//! Owns the key's schedule and the ten rounds; refuses strings with fewer than a million possible
//! values, as revision 1 (second draft, 2025) demands, and numerals that are not below the radix.
//!
//! Halves below 2^128, which is 76 decimal digits in all, are computed as numbers here, without an
//! allocation; longer ones by the crate `fpe`, which is an order of magnitude slower.

use aes::cipher::consts::U16;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128Enc, Aes192Enc, Aes256Enc};
use fpe::ff1::{FF1, FlexibleNumeralString, NumeralStringError};

use super::keys::key_bytes;
use super::{ParameterError, Refusal, Way};

/// The fewest possible values that FF1 may permute (SP 800-38G rev. 1, §5.1).
pub const MIN_DOMAIN: u128 = 1_000_000;

const KEY: ParameterError = ParameterError::KeyLength {
    method: "ff1",
    takes: "16, 24 or 32 bytes",
};

const ROUNDS: u8 = 10;
const RADIXES: std::ops::RangeInclusive<u32> = 2..=65_536;

/// FF1 under one key, for numerals of one radix.
///
/// ```
/// use glovebox_masking::methods::{Ff1, Refusal};
///
/// let ff1 = Ff1::new(&[7; 32], 10).unwrap();
/// let mut digits = [0, 1, 2, 3, 4, 5, 6, 7, 8];
/// ff1.encrypt(b"domain", &mut digits).unwrap();
/// assert_ne!(digits, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
/// ff1.decrypt(b"domain", &mut digits).unwrap();
/// assert_eq!(digits, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
/// assert_eq!(ff1.encrypt(b"domain", &mut [1; 5]), Err(Refusal::Domain));
/// ```
pub struct Ff1 {
    cipher: Cipher,
    radix: u32,
    /// The powers of the radix that are below 2^128, from the zeroth on.
    powers: Vec<u128>,
}

/// AES by the key's length. The crate wipes the schedules when they are dropped.
enum Cipher {
    Aes128(Box<Keyed<Aes128Enc>>),
    Aes192(Box<Keyed<Aes192Enc>>),
    Aes256(Box<Keyed<Aes256Enc>>),
}

struct Keyed<C> {
    aes: C,
    long: FF1<C>,
}

/// What the rounds need to know of a string, but for its numerals.
struct Shape {
    radix: u32,
    /// Numerals in all.
    length: u32,
    /// How many values the left half has, and the right one.
    left: u128,
    right: u128,
}

impl Ff1 {
    /// A key of 16, 24 or 32 bytes, or the URL-safe base64 of 32, and a radix of 2 to 65,536.
    ///
    /// # Errors
    /// When the key or the radix is none of these.
    pub fn new(key: &[u8], radix: u32) -> Result<Self, ParameterError> {
        if !RADIXES.contains(&radix) {
            return Err(ParameterError::Radix);
        }
        let key = key_bytes(key, &[16, 24, 32], KEY)?;
        let cipher = match key.len() {
            16 => Keyed::new(&key, radix).map(Cipher::Aes128),
            24 => Keyed::new(&key, radix).map(Cipher::Aes192),
            _ => Keyed::new(&key, radix).map(Cipher::Aes256),
        };
        let powers = std::iter::successors(Some(1_u128), |p| p.checked_mul(u128::from(radix)));
        Ok(Ff1 {
            cipher: cipher.ok_or(KEY)?,
            radix,
            powers: powers.collect(),
        })
    }

    /// How many strings of so many numerals there are, or the most that a `u128` holds.
    pub fn domain(&self, length: usize) -> u128 {
        self.powers.get(length).copied().unwrap_or(u128::MAX)
    }

    /// Encrypts the numerals in place.
    ///
    /// # Errors
    /// When there are fewer than a million strings of this length, or a numeral is not below the
    /// radix. The numerals then are as they were.
    pub fn encrypt(&self, tweak: &[u8], numerals: &mut [u16]) -> Result<(), Refusal> {
        self.permute(Way::Encrypt, &[tweak], numerals)
    }

    /// Decrypts the numerals in place. There is nothing to tell a wrong key or tweak by.
    ///
    /// # Errors
    /// As [`Ff1::encrypt`].
    pub fn decrypt(&self, tweak: &[u8], numerals: &mut [u16]) -> Result<(), Refusal> {
        self.permute(Way::Decrypt, &[tweak], numerals)
    }

    /// The same by a tweak in parts, which count as one after the other.
    pub(super) fn permute(
        &self,
        way: Way,
        tweak: &[&[u8]],
        numerals: &mut [u16],
    ) -> Result<(), Refusal> {
        if self.domain(numerals.len()) < MIN_DOMAIN {
            return Err(Refusal::Domain);
        }
        self.permute_any(way, tweak, numerals)
    }

    /// The same with no regard to how few strings there are.
    fn permute_any(&self, way: Way, tweak: &[&[u8]], numerals: &mut [u16]) -> Result<(), Refusal> {
        if numerals.iter().any(|n| u32::from(*n) >= self.radix) {
            return Err(Refusal::Alphabet);
        }
        let Some(shape) = self.shape(numerals.len()) else {
            let tweak = tweak.concat();
            return match &self.cipher {
                Cipher::Aes128(keyed) => permute_long(&keyed.long, way, &tweak, numerals),
                Cipher::Aes192(keyed) => permute_long(&keyed.long, way, &tweak, numerals),
                Cipher::Aes256(keyed) => permute_long(&keyed.long, way, &tweak, numerals),
            };
        };
        let (left, right) = numerals.split_at_mut(numerals.len() / 2);
        let halves = (self.number(left), self.number(right));
        let (a, b) = self.rounds(way, &shape, tweak, halves)?;
        self.write(a, left);
        self.write(b, right);
        Ok(())
    }

    /// A number of so many bits, as FF1 of radix 2 permutes its bits.
    pub(super) fn permute_bits(
        &self,
        way: Way,
        tweak: &[&[u8]],
        bits: u32,
        number: u64,
    ) -> Result<u64, Refusal> {
        debug_assert!(self.radix == 2 && bits <= u64::BITS);
        let shape = self.shape(bits as usize).ok_or(Refusal::Domain)?;
        let number = u128::from(number);
        let halves = (number / shape.right, number % shape.right);
        let (a, b) = self.rounds(way, &shape, tweak, halves)?;
        u64::try_from(a * shape.right + b).map_err(|_| Refusal::Range)
    }

    /// Nothing for a string with a half that may reach 2^128.
    fn shape(&self, length: usize) -> Option<Shape> {
        Some(Shape {
            radix: self.radix,
            length: u32::try_from(length).ok()?,
            left: *self.powers.get(length / 2)?,
            right: *self.powers.get(length.div_ceil(2))?,
        })
    }

    fn rounds(
        &self,
        way: Way,
        shape: &Shape,
        tweak: &[&[u8]],
        halves: (u128, u128),
    ) -> Result<(u128, u128), Refusal> {
        match &self.cipher {
            Cipher::Aes128(keyed) => rounds(&keyed.aes, way, shape, tweak, halves),
            Cipher::Aes192(keyed) => rounds(&keyed.aes, way, shape, tweak, halves),
            Cipher::Aes256(keyed) => rounds(&keyed.aes, way, shape, tweak, halves),
        }
    }

    /// NUM of the specification, for a half below 2^128.
    fn number(&self, numerals: &[u16]) -> u128 {
        let radix = u128::from(self.radix);
        numerals
            .iter()
            .fold(0, |number, n| number * radix + u128::from(*n))
    }

    /// STR of the specification.
    fn write(&self, mut number: u128, numerals: &mut [u16]) {
        let mut places = numerals.iter_mut().rev();
        // Divisions of 64 bits are several times as fast.
        while number > u128::from(u64::MAX) {
            let Some(place) = places.next() else { return };
            *place = (number % u128::from(self.radix)) as u16;
            number /= u128::from(self.radix);
        }
        let (mut number, radix) = (number as u64, u64::from(self.radix));
        for place in places {
            *place = (number % radix) as u16;
            number /= radix;
        }
    }
}

impl<C: BlockCipherEncrypt<BlockSize = U16> + KeyInit + Clone> Keyed<C> {
    fn new(key: &[u8], radix: u32) -> Option<Box<Self>> {
        let aes = C::new_from_slice(key).ok()?;
        let long = FF1::new(key, radix).ok()?;
        Some(Box::new(Keyed { aes, long }))
    }
}

/// Any length, a million values and more.
fn permute_long<C: BlockCipherEncrypt + Clone>(
    ff1: &FF1<C>,
    way: Way,
    tweak: &[u8],
    numerals: &mut [u16],
) -> Result<(), Refusal> {
    let text = FlexibleNumeralString::from(numerals.to_vec());
    let permuted = match way {
        Way::Encrypt => ff1.encrypt(tweak, &text),
        Way::Decrypt => ff1.decrypt(tweak, &text),
    };
    let permuted = permuted.map_err(|error| match error {
        NumeralStringError::InvalidForRadix(_) => Refusal::Alphabet,
        NumeralStringError::TooShort { .. } => Refusal::Domain,
        NumeralStringError::TooLong { .. } => Refusal::Length,
    })?;
    numerals.copy_from_slice(&Vec::from(permuted));
    Ok(())
}

/// The ten rounds on both halves (algorithms 7 and 8, step 6).
fn rounds<C: BlockCipherEncrypt<BlockSize = U16>>(
    aes: &C,
    way: Way,
    shape: &Shape,
    tweak: &[&[u8]],
    (mut a, mut b): (u128, u128),
) -> Result<(u128, u128), Refusal> {
    let prf = Prf::new(aes, shape, tweak)?;
    let modulus = |round: u8| {
        if round.is_multiple_of(2) {
            shape.left
        } else {
            shape.right
        }
    };
    match way {
        Way::Encrypt => {
            for round in 0..ROUNDS {
                let modulus = modulus(round);
                let y = prf.number(round, b, modulus);
                // What is added is below the modulus, and so is the sum, without passing 2^128.
                let c = if a >= modulus - y {
                    a - (modulus - y)
                } else {
                    a + y
                };
                (a, b) = (b, c);
            }
        }
        Way::Decrypt => {
            for round in (0..ROUNDS).rev() {
                let modulus = modulus(round);
                let y = prf.number(round, a, modulus);
                let c = if b >= y { b - y } else { b + (modulus - y) };
                (a, b) = (c, a);
            }
        }
    }
    Ok((a, b))
}

/// The specification's PRF, a CBC-MAC, when it has taken all that is the same in each round.
struct Prf<'c, C> {
    aes: &'c C,
    state: u128,
    /// Bytes of a half as a number: *b* of the specification, at most 16.
    bytes: u32,
}

impl<'c, C: BlockCipherEncrypt<BlockSize = U16>> Prf<'c, C> {
    /// Takes P, the tweak and its padding.
    fn new(aes: &'c C, shape: &Shape, tweak: &[&[u8]]) -> Result<Self, Refusal> {
        let bytes = (u128::BITS - (shape.right - 1).leading_zeros()).div_ceil(8);
        let length: usize = tweak.iter().map(|part| part.len()).sum();
        let length = u32::try_from(length).map_err(|_| Refusal::Length)?;
        let [_, r1, r2, r3] = shape.radix.to_be_bytes();
        let [.., u] = (shape.length / 2).to_be_bytes();
        let [n0, n1, n2, n3] = shape.length.to_be_bytes();
        let [t0, t1, t2, t3] = length.to_be_bytes();
        let p = [1, 2, 1, r1, r2, r3, 10, u, n0, n1, n2, n3, t0, t1, t2, t3];
        let mut state = encrypted(aes, u128::from_be_bytes(p));
        let mut free = u128::BITS;
        for byte in tweak.iter().copied().flatten() {
            free -= 8;
            state ^= u128::from(*byte) << free;
            if free == 0 {
                state = encrypted(aes, state);
                free = u128::BITS;
            }
        }
        // Zeros up to where the round and the half fill the last block to its end.
        let wanted = 8 * (bytes % 16 + 1);
        if free < wanted {
            state = encrypted(aes, state);
        }
        Ok(Prf { aes, state, bytes })
    }

    /// What a round adds: the PRF of its number and a half, stretched to *d* bytes, as a number
    /// modulo this.
    fn number(&self, round: u8, half: u128, modulus: u128) -> u128 {
        let round = u128::from(round);
        let code = if self.bytes == 16 {
            encrypted(self.aes, encrypted(self.aes, self.state ^ round) ^ half)
        } else {
            encrypted(self.aes, self.state ^ (round << (8 * self.bytes)) ^ half)
        };
        match self.bytes.div_ceil(4) {
            1 => u128::from((code >> 64) as u64 % modulus as u64),
            2 => (code >> 32) % modulus,
            3 => code % modulus,
            _ => {
                let more = encrypted(self.aes, code ^ 1) >> 96;
                // (code · 2^32 + more) mod modulus: a bit at a time, since it has 160 of them.
                (0..32).rev().fold(code % modulus, |rest, bit| {
                    let next = (more >> bit) & 1;
                    let doubled = if rest >= modulus - rest {
                        rest - (modulus - rest)
                    } else {
                        rest + rest
                    };
                    if doubled + next == modulus {
                        0
                    } else {
                        doubled + next
                    }
                })
            }
        }
    }
}

fn encrypted<C: BlockCipherEncrypt<BlockSize = U16>>(aes: &C, block: u128) -> u128 {
    let mut block = block.to_be_bytes().into();
    aes.encrypt_block(&mut block);
    u128::from_be_bytes(block.into())
}

#[cfg(test)]
#[path = "ff1_tests.rs"]
mod tests;
