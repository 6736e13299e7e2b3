//! How often anybody may ask: by address, by user, and for logins.
//!
//! Owns the counters, which forget who has not asked for a while; refuses to grow with the number
//! of strangers.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::client::counted;
use super::config;
use super::problem::Problem;

/// Keys counted before those that are idle are forgotten at once.
const MANY: usize = 100_000;

/// The counters.
pub(crate) struct Limits {
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    users: DefaultKeyedRateLimiter<String>,
    logins: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
}

impl Limits {
    pub(crate) fn new(config: &config::Limits) -> Self {
        let quota = |n: u32| Quota::per_minute(NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN));
        Limits {
            addresses: RateLimiter::keyed(quota(config.requests_a_minute_by_address)),
            users: RateLimiter::keyed(quota(config.requests_a_minute_by_user)),
            logins: RateLimiter::keyed(quota(config.logins_a_minute_by_address)),
            clock: DefaultClock::default(),
        }
    }

    pub(crate) fn address(&self, address: IpAddr) -> Result<(), Problem> {
        self.count(&self.addresses, &counted(address))
    }

    pub(crate) fn user(&self, id: &str) -> Result<(), Problem> {
        self.count(&self.users, &id.to_owned())
    }

    pub(crate) fn login(&self, address: IpAddr) -> Result<(), Problem> {
        self.count(&self.logins, &counted(address))
    }

    fn count<K: Hash + Eq + Clone>(
        &self,
        limiter: &DefaultKeyedRateLimiter<K>,
        key: &K,
    ) -> Result<(), Problem> {
        limiter.check_key(key).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now());
            Problem::too_many().retry_after(wait.as_secs() + 1)
        })?;
        if limiter.len() > MANY {
            limiter.retain_recent();
        }
        Ok(())
    }

    /// Forgets who has not asked for a while.
    pub(crate) fn forget(&self) {
        self.addresses.retain_recent();
        self.users.retain_recent();
        self.logins.retain_recent();
    }
}
