//! How long and how often transient errors are retried.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

/// The first wait, which each attempt doubles.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Waits since the last success.
#[derive(Debug)]
pub(super) struct RetryBudget {
    limit: Duration,
    since: Option<Instant>,
    next: Duration,
}

impl RetryBudget {
    /// Waits that add up to this at the most, work between them included.
    pub(super) fn new(limit: Duration) -> Self {
        RetryBudget {
            limit,
            since: None,
            next: FIRST_WAIT,
        }
    }

    /// One attempt only.
    pub(super) fn none() -> Self {
        RetryBudget::new(Duration::ZERO)
    }

    /// After a success all of it is there again.
    pub(super) fn renew(&mut self) {
        self.since = None;
        self.next = FIRST_WAIT;
    }

    /// How long to wait before the next attempt; none at the end of the budget.
    pub(super) fn pause(&mut self) -> Option<Duration> {
        let waited = self.since.get_or_insert_with(Instant::now).elapsed();
        let left = self.limit.checked_sub(waited).filter(|d| !d.is_zero())?;
        // Between half and the whole, so that writers that failed at once do not come back at once.
        let pause = self.next / 2 + (self.next / 2).mul_f64(chance());
        self.next = (self.next * 2).min(MAX_WAIT);
        Some(pause.min(left))
    }
}

/// A number from 0 up to 1, from the seed of a hash map.
fn chance() -> f64 {
    let seed = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(seed >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_longest_and_shrink_after_a_success() {
        let mut budget = RetryBudget::new(Duration::from_secs(3600));
        let waits: Vec<Duration> = (0..9).filter_map(|_| budget.pause()).collect();
        let mut whole = FIRST_WAIT;
        for wait in waits {
            assert!(wait >= whole / 2 && wait <= whole, "{wait:?}");
            whole = (whole * 2).min(MAX_WAIT);
        }
        budget.renew();
        assert!(budget.pause().is_some_and(|wait| wait <= FIRST_WAIT));
    }

    #[test]
    fn no_patience_is_one_attempt() {
        assert_eq!(RetryBudget::none().pause(), None);
    }
}
