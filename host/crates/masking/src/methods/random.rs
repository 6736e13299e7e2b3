//! Randomness for values that are encrypted differently each time: a generator (ChaCha, by the crate
//! `rand`) that the system seeds once, since a system call for each value would cost more than the
//! value. It cannot be copied, because a copy would repeat it.

use rand::SeedableRng;
use rand::rngs::StdRng;
use zeroize::Zeroizing;

use super::ParameterError;

/// A generator for one thread.
pub struct Random(pub(super) StdRng);

impl Random {
    /// Seeded with 256 bits from the system.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn new() -> Result<Self, ParameterError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(|_| ParameterError::Randomness)?;
        Ok(Random(StdRng::from_seed(*seed)))
    }
}
