//! The deadlines of a client's connection: for silence, for slow requests and for responses that
//! are not read. HTTP/2 is not supported: on one connection many responses can wait for a client
//! that opens no window, while the connection itself stays active, so no deadline of the socket
//! would apply.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::Accept;
use tokio_rustls::server::TlsStream;

use super::connections::Place;
use super::pace::MinimumRate;

/// How HTTP/2 begins for those who know that it is spoken (RFC 9113, section 3.4).
const HTTP_2: &[u8] = b"PRI ";

/// What a client may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientTimeouts {
    /// For a TLS handshake, for a new connection's first request, and from a request's first byte
    /// to the end of its headers.
    pub(crate) head: Duration,
    /// Between two requests.
    pub(crate) idle: Duration,
    /// For reading an answer.
    pub(crate) answer: MinimumRate,
}

pub(crate) enum Stream {
    Plain(TcpStream),
    Handshake(Box<Accept<TcpStream>>),
    Secure(Box<TlsStream<TcpStream>>),
}

/// An answer that does not go out at once.
struct Stalled {
    since: Instant,
    /// When some of it was last taken.
    moved: Instant,
    written: u64,
}

/// A client's connection.
pub(crate) struct Connection {
    stream: Stream,
    patience: ClientTimeouts,
    place: Place,
    /// Since when it is open, without the handshake.
    open: Instant,
    /// When it last moved for a request.
    active: Instant,
    /// The requests that had begun when it was last looked at.
    begun: u64,
    /// Since when a request has been said that has not begun.
    said: Option<Instant>,
    /// How much of [`HTTP_2`] the connection began with; all of it is refused, none is HTTP/1.
    http_2: Option<usize>,
    stalled: Option<Stalled>,
    alarm: Option<Pin<Box<Sleep>>>,
}

/// A stream of either kind, once its handshake is over.
macro_rules! on_stream {
    ($self:ident, $cx:ident, $stream:ident => $body:expr) => {
        loop {
            match &mut $self.stream {
                Stream::Plain(stream) => {
                    let $stream = Pin::new(stream);
                    break $body;
                }
                Stream::Secure(stream) => {
                    let $stream = Pin::new(stream.as_mut());
                    break $body;
                }
                Stream::Handshake(accept) => match Pin::new(accept.as_mut()).poll($cx) {
                    Poll::Ready(Ok(stream)) => {
                        $self.stream = Stream::Secure(Box::new(stream));
                        $self.open = Instant::now();
                    }
                    Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                    Poll::Pending => {
                        let due = $self.open + $self.patience.head;
                        break $self.wait($cx, due);
                    }
                },
            }
        }
    };
}

impl Connection {
    pub(crate) fn new(stream: Stream, patience: ClientTimeouts, place: Place) -> Self {
        let now = Instant::now();
        Connection {
            stream,
            patience,
            place,
            open: now,
            active: now,
            begun: 0,
            said: None,
            http_2: Some(0),
            stalled: None,
            alarm: None,
        }
    }

    /// Wakes the connection at that time at the latest; an error once it has passed.
    fn wait<T>(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<io::Result<T>> {
        loop {
            if due <= Instant::now() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(due)));
            // An alarm that comes too early costs a look; setting it for each request costs more.
            if alarm.deadline() > due {
                alarm.as_mut().reset(due);
            }
            match alarm.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => alarm.as_mut().reset(due),
            }
        }
    }

    /// Looks for the request that a client owes us.
    fn expect<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let head = self.patience.head;
        let due = if self.place.line.is_busy() {
            // Its body has deadlines of its own, and so have our work and its answer.
            Instant::now() + self.patience.idle
        } else if let Some(said) = self.said {
            said + head
        } else if self.begun == 0 {
            self.open + head
        } else {
            self.active + self.patience.idle
        };
        self.wait(cx, due)
    }

    /// Whether a request has begun since the last look.
    fn look(&mut self) {
        let begun = self.place.line.begun();
        if begun != self.begun {
            self.begun = begun;
            self.said = None;
            self.active = Instant::now();
        }
    }

    fn hears(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(known) = self.http_2 {
            let rest = HTTP_2.get(known..).unwrap_or_default();
            let same = rest.iter().zip(bytes).take_while(|(a, b)| a == b).count();
            self.http_2 = match (same == bytes.len().min(rest.len()), known + same) {
                (true, all) if all == HTTP_2.len() => {
                    return Err(io::Error::other("HTTP/2 is not supported"));
                }
                (true, known) => Some(known),
                (false, _) => None,
            };
        }
        if !self.place.line.is_busy() && self.said.is_none() {
            self.said = Some(Instant::now());
        }
        Ok(())
    }

    /// Waits for a client that does not read.
    fn stall<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let stalled = self.stalled.get_or_insert_with(|| {
            let now = Instant::now();
            Stalled {
                since: now,
                moved: now,
                written: 0,
            }
        });
        let pace = self.patience.answer;
        // What was read fast at first is no credit for standing still.
        let silent = stalled.moved + pace.grace;
        let due = pace.due(stalled.since, stalled.written).min(silent);
        self.wait(cx, due)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.look();
        let before = buffer.filled().len();
        let read: Poll<io::Result<()>> =
            on_stream!(this, cx, stream => stream.poll_read(cx, buffer));
        match read {
            Poll::Ready(Ok(())) => {
                let bytes = buffer.filled().get(before..).unwrap_or_default();
                if !bytes.is_empty() {
                    this.hears(bytes)?;
                }
                match this.expect::<()>(cx) {
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    _ => Poll::Ready(Ok(())),
                }
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => match this.stream {
                Stream::Handshake(_) => Poll::Pending,
                _ => this.expect(cx),
            },
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        match on_stream!(this, cx, stream => stream.poll_write(cx, bytes)) {
            Poll::Ready(Ok(written)) => {
                this.active = Instant::now();
                if let Some(stalled) = &mut this.stalled {
                    stalled.written += written as u64;
                    stalled.moved = this.active;
                }
                Poll::Ready(Ok(written))
            }
            Poll::Pending => this.stall(cx),
            failed => failed,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        match on_stream!(this, cx, stream => stream.poll_flush(cx)) {
            Poll::Ready(Ok(())) => {
                this.stalled = None;
                this.place.line.flushed();
                // Nobody may look again before the client says something.
                this.look();
                match this.expect::<()>(cx) {
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    _ => Poll::Ready(Ok(())),
                }
            }
            Poll::Pending => this.stall(cx),
            failed => failed,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        match on_stream!(this, cx, stream => stream.poll_shutdown(cx)) {
            Poll::Pending => this.stall(cx),
            over => over,
        }
    }
}
