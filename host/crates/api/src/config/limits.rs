//! How much anybody may ask for, and how slowly.
//!
//! Refuses a limit that would cut off what the server itself keeps alive.

use std::time::Duration;

use glovebox_manifest::declare::{Block, Reader, section};
use glovebox_manifest::kinds::{Size, Time, Whole};

use super::Limits;
use crate::connection::ClientTimeouts;
use crate::pace::MinimumRate;

const SECOND: Duration = Duration::from_secs(1);
const TEN_MINUTES: Duration = Duration::from_secs(600);
/// Longer than between two signs of life of those who follow a run.
const SHORTEST_IDLE: Duration = Duration::from_secs(20);
const MANY: u32 = 1_000_000;

section! {
    /// How much anybody may ask for.
    pub(super) struct LimitKeys("ServerLimits"): "the limits", "limits: { body: 64KiB }" {
        /// A request's body.
        body: usize => default "64KiB", Size(1 << 10..=16 << 20);
        /// A request's line and headers.
        headers: usize => default "16KiB", Size(1 << 10..=64 << 10);
        /// What a request may take; an upload has no such limit, but a pace.
        request_time: Duration => default "30s", Time(SECOND..=TEN_MINUTES);
        /// Requests from an address.
        requests_a_minute_by_address: u32 => default "1200", Whole(1..=MANY);
        /// Requests of a user.
        requests_a_minute_by_user: u32 => default "1200", Whole(1..=MANY);
        /// Logins from an address.
        logins_a_minute_by_address: u32 => default "30", Whole(1..=MANY);
        /// Connections at the same time.
        connections: u32 => default "1024", Whole(1..=MANY);
        /// Of these, one address's; `proxies` have no such share.
        connections_by_address: u32 => default "128", Whole(1..=MANY);
        /// Requests that are not yet answered, of the address that a proxy names if there is one.
        requests_at_once_by_address: u32 => default "128", Whole(1..=MANY);
        /// The same, of a user.
        requests_at_once_by_user: u32 => default "64", Whole(1..=MANY);
        /// Runs that a user follows at the same time.
        streams_by_user: u32 => default "16", Whole(1..=MANY);
        /// Files that a user sends at the same time.
        uploads_by_user: u32 => default "2", Whole(1..=MANY);
        /// For a TLS handshake, a connection's first request, a request's headers.
        head_time: Duration => default "10s", Time(SECOND..=TEN_MINUTES);
        /// Between two requests.
        idle_time: Duration => default "75s", Time(SHORTEST_IDLE..=Duration::from_secs(3600));
        /// How long a body or an answer may stand still.
        stall_time: Duration => default "20s", Time(SECOND..=TEN_MINUTES);
        /// What it has to move a second beyond that.
        least_rate: usize => default "4KiB", Size(1..=1 << 30);
        /// What requests and runs may finish in, when the server is told to stop.
        shutdown: Duration => default "30s", Time(SECOND..=TEN_MINUTES);
    }
    settle Limits: settle;
}

fn settle(keys: LimitKeys, _: &mut Reader<'_>, _: &Block<'_>) -> Option<Limits> {
    let pace = MinimumRate {
        grace: keys.stall_time,
        least: keys.least_rate as u64,
    };
    Some(Limits {
        body: keys.body,
        headers: keys.headers,
        request_time: keys.request_time,
        patience: ClientTimeouts {
            head: keys.head_time,
            idle: keys.idle_time,
            answer: pace,
        },
        pace,
        requests_a_minute_by_address: keys.requests_a_minute_by_address,
        requests_a_minute_by_user: keys.requests_a_minute_by_user,
        logins_a_minute_by_address: keys.logins_a_minute_by_address,
        connections: keys.connections as usize,
        connections_by_address: keys.connections_by_address as usize,
        requests_at_once_by_address: keys.requests_at_once_by_address as usize,
        requests_at_once_by_user: keys.requests_at_once_by_user as usize,
        streams_by_user: keys.streams_by_user as usize,
        uploads_by_user: keys.uploads_by_user as usize,
        shutdown: keys.shutdown,
    })
}
