//! How much anybody may ask for, and how slowly.
//!
//! Owns the defaults of limits and their bounds; refuses one that would cut off what the server itself
//! keeps alive.

use std::time::Duration;

use glovebox_manifest::typed::Placed;

use super::check::Checker;
use super::{Limits, written};
use crate::connection::Patience;
use crate::pace::Pace;

const SECOND: Duration = Duration::from_secs(1);
/// Longer than between two signs of life of those who follow a run.
const SHORTEST_IDLE: Duration = Duration::from_secs(20);

impl Checker<'_> {
    pub(super) fn limits(&mut self, written: &written::Limits) -> Limits {
        let mut count = |n: &Option<Placed<u32>>, default: u32| {
            n.as_ref().map_or(default, |n| {
                self.within(n, 1..=1_000_000).unwrap_or(default)
            })
        };
        let requests_a_minute_by_address = count(&written.requests_a_minute_by_address, 1200);
        let requests_a_minute_by_user = count(&written.requests_a_minute_by_user, 1200);
        let logins_a_minute_by_address = count(&written.logins_a_minute_by_address, 30);
        let connections = count(&written.connections, 1024) as usize;
        let connections_by_address = count(&written.connections_by_address, 128) as usize;
        let requests_at_once_by_address = count(&written.requests_at_once_by_address, 128) as usize;
        let requests_at_once_by_user = count(&written.requests_at_once_by_user, 64) as usize;
        let streams_by_user = count(&written.streams_by_user, 16) as usize;
        let uploads_by_user = count(&written.uploads_by_user, 2) as usize;
        let pace = Pace {
            grace: self.time(
                written.stall_time.as_ref(),
                20 * SECOND,
                SECOND..=600 * SECOND,
            ),
            least: self.size(written.least_rate.as_ref(), 4 << 10, 1..=1 << 30) as u64,
        };
        Limits {
            body: self.size(written.body.as_ref(), 64 << 10, 1 << 10..=16 << 20),
            headers: self.size(written.headers.as_ref(), 16 << 10, 1 << 10..=64 << 10),
            request_time: self.time(
                written.request_time.as_ref(),
                30 * SECOND,
                SECOND..=600 * SECOND,
            ),
            patience: Patience {
                head: self.time(
                    written.head_time.as_ref(),
                    10 * SECOND,
                    SECOND..=600 * SECOND,
                ),
                idle: self.time(
                    written.idle_time.as_ref(),
                    75 * SECOND,
                    SHORTEST_IDLE..=3600 * SECOND,
                ),
                answer: pace,
            },
            pace,
            requests_a_minute_by_address,
            requests_a_minute_by_user,
            logins_a_minute_by_address,
            connections,
            connections_by_address,
            requests_at_once_by_address,
            requests_at_once_by_user,
            streams_by_user,
            uploads_by_user,
            shutdown: self.time(
                written.shutdown.as_ref(),
                30 * SECOND,
                SECOND..=600 * SECOND,
            ),
        }
    }
}
