//! The table of open connections: counted in total and by address, each with its deadlines. Each
//! address has a limit, so that none can take all connections. A configured proxy represents many
//! clients and has none: the addresses that it names are counted per request, in the gate.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;
use poem::{Endpoint, IntoResponse, Request, Response, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::client::{counted, is_proxy};
use super::slots::{Holder, Slot, Slots};

/// All connections of a listener.
#[derive(Debug)]
pub(crate) struct Connections {
    places: Arc<Semaphore>,
    by_address: Arc<Slots>,
    proxies: Vec<IpNet>,
    lines: Mutex<HashMap<SocketAddr, Arc<Line>>>,
}

impl Connections {
    pub(crate) fn new(most: usize, by_address: usize, proxies: Vec<IpNet>) -> Arc<Self> {
        Arc::new(Connections {
            places: Arc::new(Semaphore::new(most)),
            by_address: Slots::new(by_address),
            proxies,
            lines: Mutex::default(),
        })
    }

    /// Room for one more; waits for it.
    pub(crate) async fn room(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    /// A connection in its room; none if its address has its share.
    pub(crate) fn admit(
        self: &Arc<Self>,
        peer: SocketAddr,
        room: OwnedSemaphorePermit,
    ) -> Option<Place> {
        let share = match is_proxy(peer.ip(), &self.proxies) {
            true => None,
            false => {
                let address = counted(peer.ip().to_canonical());
                Some(self.by_address.take(Holder::Address(address))?)
            }
        };
        let line = Arc::new(Line::default());
        self.lines().insert(peer, Arc::clone(&line));
        Some(Place {
            connections: Arc::clone(self),
            peer,
            line,
            _share: share,
            _room: room,
        })
    }

    fn line(&self, peer: SocketAddr) -> Option<Arc<Line>> {
        self.lines().get(&peer).cloned()
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, HashMap<SocketAddr, Arc<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's entry, given back when it is closed.
#[derive(Debug)]
pub(crate) struct Place {
    connections: Arc<Connections>,
    peer: SocketAddr,
    pub(crate) line: Arc<Line>,
    _share: Option<Slot>,
    _room: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut lines = self.connections.lines();
        // The same peer may be connected anew by now.
        if lines
            .get(&self.peer)
            .is_some_and(|l| Arc::ptr_eq(l, &self.line))
        {
            lines.remove(&self.peer);
        }
    }
}

/// What a connection and its requests tell each other. There is one request at a time: HTTP/1.1.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// Requests whose head was read.
    begun: AtomicU64,
    /// Whether the last of them is still to be answered, or its answer to be written.
    busy: AtomicBool,
    /// Whether its answer is made, so that what is written now is the answer.
    answered: AtomicBool,
    /// What is counted for that request until its answer is written.
    held: Mutex<Vec<Arc<Slot>>>,
}

impl Line {
    fn begin(&self) {
        self.held().clear();
        self.answered.store(false, Ordering::Release);
        self.busy.store(true, Ordering::Release);
        self.begun.fetch_add(1, Ordering::Release);
    }

    /// Counts something for the request until its answer is written.
    pub(crate) fn hold(&self, slot: Arc<Slot>) {
        self.held().push(slot);
    }

    /// Everything that was to be written is written.
    pub(crate) fn flushed(&self) {
        if self.answered.swap(false, Ordering::AcqRel) {
            self.busy.store(false, Ordering::Release);
            self.held().clear();
        }
    }

    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Acquire)
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Slot>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells each connection of its requests, and each request of its connection.
pub(crate) struct Watched<E> {
    inner: E,
    connections: Arc<Connections>,
}

impl<E> Watched<E> {
    pub(crate) fn new(inner: E, connections: Arc<Connections>) -> Self {
        Watched { inner, connections }
    }
}

impl<E: Endpoint> Endpoint for Watched<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let peer = request.remote_addr().as_socket_addr().copied();
        let line = peer.and_then(|peer| self.connections.line(peer));
        let line = line.unwrap_or_default();
        line.begin();
        request.set_data(Arc::clone(&line));
        let response = self.inner.call(request).await;
        line.answered.store(true, Ordering::Release);
        response.map(IntoResponse::into_response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_has_its_share_and_a_proxy_what_there_is() {
        let proxies = vec![crate::client::network("10.0.0.0/8").unwrap()];
        let connections = Connections::new(8, 2, proxies);
        let mut port = 1000;
        let mut open = |address: &str| {
            port += 1;
            let peer = SocketAddr::new(address.parse().unwrap(), port);
            let room = Arc::clone(&connections.places).try_acquire_owned().ok()?;
            connections.admit(peer, room)
        };
        let one = open("192.0.2.1");
        let mapped = open("::ffff:192.0.2.1");
        assert!(one.is_some() && mapped.is_some());
        assert!(open("192.0.2.1").is_none());
        // A customer's addresses of IPv6 are one.
        let (a, b) = (open("2001:db8::1"), open("2001:db8::2"));
        assert!(a.is_some() && b.is_some() && open("2001:db8::3").is_none());
        let other = open("2001:db8:0:1::1");
        assert!(other.is_some());
        let of_proxy: Vec<_> = (0..3).map(|_| open("10.0.0.1")).collect();
        assert!(of_proxy.iter().all(Option::is_some));
        assert!(open("10.0.0.1").is_none(), "more than there are");
        drop(one);
        assert!(open("192.0.2.1").is_some());
    }

    #[test]
    fn a_request_is_over_when_its_answer_is_written_and_not_before() {
        let line = Line::default();
        let slots = Slots::new(1);
        let take = || slots.take(Holder::User("ada".into()));
        line.begin();
        line.hold(Arc::new(take().unwrap()));
        // While it is worked on, there is nothing to write.
        line.flushed();
        assert!(line.is_busy() && take().is_none());
        line.answered.store(true, Ordering::Release);
        line.flushed();
        assert!(!line.is_busy() && take().is_some());
    }
}
