//! PBKDF2-HMAC-SHA-256 (RFC 8018 §5.2) of a cell, with the key as its salt.
//!
//! Owns the bounds of its iterations and the measure of its cost; refuses numbers of
//! iterations outside them.

use std::ops::RangeInclusive;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use glovebox_core::KeyError;
use sha2::Sha256;

use crate::Mask;

/// The iterations that may be asked for. At the upper end one value takes about a second.
pub const ITERATIONS: RangeInclusive<u32> = 1..=10_000_000;

/// Iterations of a measurement: enough to be seen, too few to be felt.
const MEASURED: u32 = 2_000;

/// Refuses iterations out of bounds.
pub(crate) fn check(iterations: u32) -> Result<(), KeyError> {
    if ITERATIONS.contains(&iterations) {
        return Ok(());
    }
    Err(KeyError::Parameters(format!(
        "pbkdf2-sha256 takes {} to {} iterations, not {iterations}; 100000 is usual",
        ITERATIONS.start(),
        ITERATIONS.end()
    )))
}

/// The 32 bytes derived from a value.
pub(crate) fn mask(value: &[u8], salt: &[u8], iterations: u32) -> Mask {
    pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(value, salt, iterations)
}

/// What one value costs here, measured once a process and scaled.
pub(crate) fn cost(iterations: u32) -> Duration {
    static COST: OnceLock<Duration> = OnceLock::new();
    let measured = *COST.get_or_init(|| {
        // The least of three, since whatever else the machine does can only add to it.
        (0..3)
            .map(|_| {
                let begun = Instant::now();
                std::hint::black_box(mask(b"measured", b"salt", MEASURED));
                begun.elapsed()
            })
            .min()
            .unwrap_or_default()
    });
    measured.mul_f64(f64::from(iterations) / f64::from(MEASURED))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7914 §11, the first 32 of their 64 bytes, which are PBKDF2's first block.
    #[test]
    fn published_vectors_hold() {
        let first = [
            0x55, 0xac, 0x04, 0x6e, 0x56, 0xe3, 0x08, 0x9f, 0xec, 0x16, 0x91, 0xc2, 0x25, 0x44,
            0xb6, 0x05, 0xf9, 0x41, 0x85, 0x21, 0x6d, 0xde, 0x04, 0x65, 0xe6, 0x8b, 0x9d, 0x57,
            0xc2, 0x0d, 0xac, 0xbc,
        ];
        let second = [
            0x4d, 0xdc, 0xd8, 0xf6, 0x0b, 0x98, 0xbe, 0x21, 0x83, 0x0c, 0xee, 0x5e, 0xf2, 0x27,
            0x01, 0xf9, 0x64, 0x1a, 0x44, 0x18, 0xd0, 0x4c, 0x04, 0x14, 0xae, 0xff, 0x08, 0x87,
            0x6b, 0x34, 0xab, 0x56,
        ];
        assert_eq!(mask(b"passwd", b"salt", 1), first);
        assert_eq!(mask(b"Password", b"NaCl", 80_000), second);
    }

    #[test]
    fn iterations_are_bounded_at_both_ends() {
        for good in [1, 100_000, 10_000_000] {
            assert_eq!(check(good), Ok(()));
        }
        for bad in [0, 10_000_001, u32::MAX] {
            assert_eq!(
                check(bad),
                Err(KeyError::Parameters(format!(
                    "pbkdf2-sha256 takes 1 to 10000000 iterations, not {bad}; 100000 is usual"
                )))
            );
        }
    }

    #[test]
    fn cost_grows_with_iterations() {
        let (one, ten) = (cost(100_000), cost(1_000_000));
        assert!(one > Duration::ZERO);
        let ratio = ten.as_secs_f64() / one.as_secs_f64();
        assert!((9.9..10.1).contains(&ratio), "{ratio}");
    }
}
