//! PBKDF2-HMAC-SHA-256 (RFC 8018 §5.2) of a cell, with the key as its salt.
//! The computation is in `lanes`.

use std::ops::RangeInclusive;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use glovebox_core::KeyError;

use crate::lanes;

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

/// What one value of many costs a core here, measured once a process and scaled. Values that
/// come alone cost more, up to the width of the lanes as much.
pub(crate) fn cost(iterations: u32) -> Duration {
    static COST: OnceLock<Duration> = OnceLock::new();
    let measured = *COST.get_or_init(|| {
        let together = u32::try_from(lanes::widest()).unwrap_or(1);
        let values = vec![b"measured".as_slice(); lanes::widest()];
        // The least of three, since whatever else the machine does can only add to it.
        let least = (0..3)
            .map(|_| {
                let begun = Instant::now();
                std::hint::black_box(lanes::derive(&values, b"salt", MEASURED));
                begun.elapsed()
            })
            .min()
            .unwrap_or_default();
        least / together
    });
    measured.mul_f64(f64::from(iterations) / f64::from(MEASURED))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// The estimate must be that of the lanes which will be used: far below a value alone
    /// where there are lanes, and no less than the lanes give.
    #[test]
    fn cost_is_that_of_values_side_by_side() {
        let told = cost(2_000).as_secs_f64();
        let values = vec![b"measured".as_slice(); lanes::widest()];
        let seen = (0..20)
            .map(|_| {
                let begun = Instant::now();
                std::hint::black_box(lanes::derive(&values, b"salt", 2_000));
                begun.elapsed().as_secs_f64() / values.len() as f64
            })
            .fold(f64::INFINITY, f64::min);
        // Other tests load the machine meanwhile: only orders of magnitude are certain.
        assert!(
            (0.3..8.0).contains(&(told / seen)),
            "{told} told, {seen} seen"
        );
    }

    #[test]
    fn cost_grows_with_iterations() {
        let (one, ten) = (cost(100_000), cost(1_000_000));
        assert!(one > Duration::ZERO);
        let ratio = ten.as_secs_f64() / one.as_secs_f64();
        assert!((9.9..10.1).contains(&ratio), "{ratio}");
    }
}
