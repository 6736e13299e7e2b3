//! Rate and concurrency limits: by address, by user, and for logins.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::client::counted;
use super::config;
use super::problem::Problem;
use super::slots::{Holder, Slot, Slots};

/// Keys counted before those that are idle are forgotten at once.
const MANY: usize = 100_000;

/// The counters.
pub(crate) struct Limits {
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    users: DefaultKeyedRateLimiter<String>,
    logins: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
    at_once_by_address: Arc<Slots>,
    at_once_by_user: Arc<Slots>,
    streams: Arc<Slots>,
    uploads: Arc<Slots>,
}

impl Limits {
    pub(crate) fn new(config: &config::Limits) -> Self {
        let quota = |n: u32| Quota::per_minute(NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN));
        Limits {
            addresses: RateLimiter::keyed(quota(config.requests_a_minute_by_address)),
            users: RateLimiter::keyed(quota(config.requests_a_minute_by_user)),
            logins: RateLimiter::keyed(quota(config.logins_a_minute_by_address)),
            clock: DefaultClock::default(),
            at_once_by_address: Slots::new(config.requests_at_once_by_address),
            at_once_by_user: Slots::new(config.requests_at_once_by_user),
            streams: Slots::new(config.streams_by_user),
            uploads: Slots::new(config.uploads_by_user),
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

    /// One of the requests that an address may have at once.
    pub(crate) fn at_once_by_address(&self, address: IpAddr) -> Result<Slot, Problem> {
        held(&self.at_once_by_address, Holder::Address(counted(address)))
    }

    /// One of the requests that a user may have at once.
    pub(crate) fn at_once_by_user(&self, id: &str) -> Result<Slot, Problem> {
        held(&self.at_once_by_user, Holder::User(id.to_owned()))
    }

    /// One of the runs that a user may follow at once.
    pub(crate) fn stream(&self, id: &str) -> Result<Slot, Problem> {
        held(&self.streams, Holder::User(id.to_owned()))
            .map_err(|problem| problem.detail("you already follow the maximum number of runs"))
    }

    /// One of the files that a user may send at once.
    pub(crate) fn upload(&self, id: &str) -> Result<Slot, Problem> {
        held(&self.uploads, Holder::User(id.to_owned()))
            .map_err(|problem| problem.detail("you already upload the maximum number of files"))
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

    /// Forgets who has not asked for a while; what is held is given back by itself.
    pub(crate) fn forget(&self) {
        self.addresses.retain_recent();
        self.users.retain_recent();
        self.logins.retain_recent();
    }
}

fn held(slots: &Arc<Slots>, holder: Holder) -> Result<Slot, Problem> {
    slots
        .take(holder)
        .ok_or_else(|| Problem::too_many().retry_after(1))
}
