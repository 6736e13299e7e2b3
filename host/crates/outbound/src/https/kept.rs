//! Connections that are kept for the next request, since a handshake costs more than most answers.
//!
//! One request at a time has a connection, and gives it back after a whole answer of success only: a server
//! that could not do what it was asked need not be the one to which its name leads next. Whatever is asked over
//! one that was kept may be asked twice.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;

use super::{
    Address, Bytes, Client, Failure, HeaderMap, Limits, Method, Outgoing, Reply, Sender, answered,
    handshake, nearby, outgoing,
};

/// The longest that a connection waits for its next request.
const IDLE: Duration = Duration::from_secs(30);
/// No request begins on a connection that is older: certificates are replaced, and names lead elsewhere.
const MAX_AGE: Duration = Duration::from_secs(300);
/// The most connections of a client that wait.
const MAX_IDLE: usize = 32;
/// So soon after an answer a connection is ready for the next request, or something is wrong with it.
const READY: Duration = Duration::from_millis(500);

/// The connections of a client that wait for a request.
#[derive(Default)]
pub(super) struct Connections(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    idle: Vec<Connection>,
    /// Whether a task closes those that have waited long enough.
    swept: bool,
}

struct Connection {
    to: Server,
    sender: Sender,
    /// Since when it is there, and until when it waits.
    since: Instant,
    until: Instant,
    _driver: Driver,
}

/// Where a connection leads.
type Server = (bool, String, u16);

/// The task that moves a connection's bytes, which ends with it.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Client {
    /// As [`Client::send`], over a connection that is kept for the next such request to the same server, or
    /// one that was: then the request may be sent twice, since that one may have been closed meanwhile.
    /// All of a client's such requests belong on one runtime, which drives the connections between them.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_kept(
        &self,
        method: Method,
        address: &Address,
        headers: HeaderMap,
        body: Bytes,
        limits: Limits,
    ) -> Result<Reply, Failure> {
        let request = outgoing(method, address, headers, body)?;
        let answer = self.exchange_kept(address, request, limits.size);
        let answer = tokio::time::timeout(limits.time, answer).await;
        let answer = answer.unwrap_or(Err(Failure::TooSlow(limits.time)));
        if answer.is_err() {
            // Those that wait may be as dead, and each would be found so one after the other.
            self.kept.close();
        }
        answer
    }

    async fn exchange_kept(
        &self,
        address: &Address,
        request: Outgoing,
        size: usize,
    ) -> Result<Reply, Failure> {
        if let Some(mut kept) = self.kept.take(address).await {
            match answered(&mut kept.sender, request.clone(), size).await {
                Err(Failure::Protocol) => {}
                answer => {
                    let reply = answer?;
                    self.kept.put(kept, &reply);
                    return Ok(reply);
                }
            }
        }
        let mut new = match address.secure {
            true => driven(address, self.connect(address).await?).await?,
            false => driven(address, nearby(address).await?).await?,
        };
        let reply = answered(&mut new.sender, request, size).await?;
        self.kept.put(new, &reply);
        Ok(reply)
    }
}

impl Connections {
    /// One that leads there and is ready.
    async fn take(&self, address: &Address) -> Option<Connection> {
        loop {
            let mut kept = self.pop(address)?;
            let ready = tokio::time::timeout(READY, kept.sender.ready()).await;
            if matches!(ready, Ok(Ok(()))) {
                return Some(kept);
            }
        }
    }

    /// The one that was used last, so that the others' time runs out.
    fn pop(&self, address: &Address) -> Option<Connection> {
        let mut waiting = self.waiting();
        waiting.expire(Instant::now());
        let to = server(address);
        let place = waiting.idle.iter().rposition(|kept| kept.to == to)?;
        Some(waiting.idle.remove(place))
    }

    fn put(self: &Arc<Self>, mut connection: Connection, reply: &Reply) {
        let now = Instant::now();
        let old = now.duration_since(connection.since) >= MAX_AGE;
        if !reply.status.is_success() || old {
            return;
        }
        connection.until = now + IDLE;
        let mut waiting = self.waiting();
        if waiting.idle.len() >= MAX_IDLE {
            return;
        }
        waiting.idle.push(connection);
        if !waiting.swept {
            waiting.swept = true;
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    fn close(&self) {
        self.waiting().idle.clear();
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Closes those whose time is over, or whose other side has closed them; when the next one's is.
    fn expire(&mut self, now: Instant) -> Option<Instant> {
        let stays = |kept: &Connection| kept.until > now && !kept.sender.is_closed();
        self.idle.retain(stays);
        self.idle.iter().map(|kept| kept.until).min()
    }
}

/// Closes connections when they have waited long enough, though nobody asks any more.
async fn sweep(connections: Weak<Connections>) {
    let mut pause = IDLE;
    loop {
        tokio::time::sleep(pause).await;
        let Some(connections) = connections.upgrade() else {
            return;
        };
        let now = Instant::now();
        let mut waiting = connections.waiting();
        match waiting.expire(now) {
            Some(next) => pause = next.saturating_duration_since(now),
            None => {
                waiting.swept = false;
                return;
            }
        }
    }
}

async fn driven(
    address: &Address,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<Connection, Failure> {
    let (sender, connection) = handshake(stream).await?;
    let driver = tokio::spawn(async move {
        let _ = connection.await;
    });
    let now = Instant::now();
    Ok(Connection {
        to: server(address),
        sender,
        since: now,
        until: now,
        _driver: Driver(driver.abort_handle()),
    })
}

fn server(address: &Address) -> Server {
    (address.secure, address.host.clone(), address.port)
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
