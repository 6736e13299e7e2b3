//! The minimum transfer rate of bodies and responses, after a grace period.
//! There is no limit on the total time, which would cut off long transfers instead of slow ones.

use std::io;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, timeout_at};

use super::problem::Problem;

/// The rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MinimumRate {
    /// What may be lost altogether, and be silent at once.
    pub(crate) grace: Duration,
    /// Bytes a second, counted from the beginning.
    pub(crate) least: u64,
}

impl MinimumRate {
    /// When so many bytes that began then are too late.
    pub(crate) fn due(&self, since: Instant, bytes: u64) -> Instant {
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.least.max(1));
        let earned = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let due = since
            .checked_add(earned)
            .and_then(|at| at.checked_add(self.grace));
        // Beyond what a clock can say is never.
        due.unwrap_or_else(|| since + Duration::from_secs(365 * 24 * 60 * 60))
    }
}

/// A body on its way.
pub(crate) struct Arriving<S> {
    parts: S,
    pace: MinimumRate,
    since: Instant,
    bytes: u64,
}

impl<S: Stream<Item = io::Result<B>> + Unpin, B: AsRef<[u8]>> Arriving<S> {
    pub(crate) fn new(parts: S, pace: MinimumRate) -> Self {
        Arriving {
            parts,
            pace,
            since: Instant::now(),
            bytes: 0,
        }
    }

    /// Its next part; none at its end.
    ///
    /// # Errors
    /// 408 when it stands still or moves too slowly, 400 when it is cut off.
    pub(crate) async fn next(&mut self) -> Result<Option<B>, Problem> {
        let silent = Instant::now() + self.pace.grace;
        let due = self.pace.due(self.since, self.bytes).min(silent);
        match timeout_at(due, self.parts.next()).await {
            Err(_) => Err(Problem::request_timeout()),
            Ok(None) => Ok(None),
            Ok(Some(Err(_))) => {
                Err(Problem::bad_request().detail("The body was not received completely."))
            }
            Ok(Some(Ok(part))) => {
                self.bytes += part.as_ref().len() as u64;
                Ok(Some(part))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    /// Parts of so many bytes, one each few moments.
    fn dripping(bytes: usize) -> impl Stream<Item = io::Result<Vec<u8>>> + Unpin {
        Box::pin(stream::unfold(0, move |n| async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            (n < 150).then(|| (Ok(vec![b'x'; bytes]), n + 1))
        }))
    }

    #[tokio::test]
    async fn what_drips_is_given_up_and_what_is_long_is_not() {
        let pace = |millis, least| MinimumRate {
            grace: Duration::from_millis(millis),
            least,
        };
        // Longer than its grace by far, and fast enough.
        let mut long = Arriving::new(dripping(100), pace(1000, 100));
        let mut parts = 0;
        while long.next().await.unwrap().is_some() {
            parts += 1;
        }
        assert_eq!(parts, 150);
        let mut slow = Arriving::new(dripping(1), pace(200, 100_000));
        let broken = loop {
            match slow.next().await {
                Ok(part) => assert!(part.is_some()),
                Err(broken) => break broken,
            }
        };
        assert_eq!(broken.kind(), "request-timeout");
        assert!(slow.bytes < 150, "{}", slow.bytes);
    }

    #[test]
    fn what_moves_fast_enough_is_never_due_and_what_stands_is_after_the_grace() {
        let pace = MinimumRate {
            grace: Duration::from_secs(10),
            least: 1000,
        };
        let begun = Instant::now();
        let due = |bytes| pace.due(begun, bytes) - begun;
        assert_eq!(due(0), Duration::from_secs(10));
        assert_eq!(due(500), Duration::from_millis(10_500));
        // An hour of 1,000 bytes a second is not late, nor is any number of bytes an error.
        assert_eq!(due(3_600_000), Duration::from_secs(3610));
        assert!(due(u64::MAX) > Duration::from_secs(1_000_000));
    }
}
