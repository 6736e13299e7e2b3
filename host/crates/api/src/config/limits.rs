//! The configured limits on what clients may request, and how slowly.

use std::time::Duration;

use glovebox_manifest::declare::{Block, Reader, section};
use glovebox_manifest::kinds::{Size, Time, Whole};

use super::Limits;
use crate::connection::ClientTimeouts;
use crate::pace::MinimumRate;

const SECOND: Duration = Duration::from_secs(1);
const TEN_MINUTES: Duration = Duration::from_secs(600);
/// Longer than between two signs of life of those who follow a run.
const MIN_IDLE: Duration = Duration::from_secs(20);
const MANY: u32 = 1_000_000;

section! {
    /// Limits on what clients may request.
    pub(super) struct LimitKeys("ServerLimits"): "the limits", "limits: { body: 64KiB }" {
        /// The size of a request's body.
        body: usize => default "64KiB", Size(1 << 10..=16 << 20);
        /// The size of a request's line and headers.
        headers: usize => default "16KiB", Size(1 << 10..=64 << 10);
        /// How long a request may take. Uploads have no such limit, but must keep up `least-rate`.
        request_time: Duration => default "30s", Time(SECOND..=TEN_MINUTES);
        /// Requests from one address per minute.
        requests_a_minute_by_address: u32 => default "1200", Whole(1..=MANY);
        /// Requests of one user per minute.
        requests_a_minute_by_user: u32 => default "1200", Whole(1..=MANY);
        /// Logins from one address per minute.
        logins_a_minute_by_address: u32 => default "30", Whole(1..=MANY);
        /// Concurrent connections.
        connections: u32 => default "1024", Whole(1..=MANY);
        /// Concurrent connections from one address; `proxies` are exempt.
        connections_by_address: u32 => default "128", Whole(1..=MANY);
        /// Unanswered requests from one address (the client's, if a proxy names it).
        requests_at_once_by_address: u32 => default "128", Whole(1..=MANY);
        /// Unanswered requests of one user.
        requests_at_once_by_user: u32 => default "64", Whole(1..=MANY);
        /// Runs that one user may follow at the same time.
        streams_by_user: u32 => default "16", Whole(1..=MANY);
        /// Files that one user may upload at the same time.
        uploads_by_user: u32 => default "2", Whole(1..=MANY);
        /// Time allowed for a TLS handshake, for the first request of a connection, and for a
        /// request's headers.
        head_time: Duration => default "10s", Time(SECOND..=TEN_MINUTES);
        /// Time allowed between two requests on a connection.
        idle_time: Duration => default "75s", Time(MIN_IDLE..=Duration::from_secs(3600));
        /// How long a body or a response may stall.
        stall_time: Duration => default "20s", Time(SECOND..=TEN_MINUTES);
        /// The lowest transfer rate, in bytes per second, after that time.
        least_rate: usize => default "4KiB", Size(1..=1 << 30);
        /// How long requests and runs get to finish when the server is stopped.
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
