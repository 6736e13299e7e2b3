//! Connections: how many at once, by TLS if configured, and none that only pretends to ask.
//!
//! Owns the sockets; refuses to hold one whose client sends and sends and never finishes a
//! request, and to go on with a certificate that has been replaced.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use poem::http::uri::Scheme;
use poem::listener::Acceptor;
use poem::web::{LocalAddr, RemoteAddr};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

use super::config::Tls;

/// What a client may take, besides the time of a request, to say what it wants.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How often the certificate's files are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Room for a moment when the system has no more sockets to give.
const BREATH: Duration = Duration::from_millis(50);

/// Takes connections.
pub(crate) struct Listener {
    tcp: TcpListener,
    places: Arc<Semaphore>,
    tls: Option<Certificate>,
    patience: Duration,
}

impl Listener {
    pub(crate) fn new(
        tcp: TcpListener,
        connections: usize,
        request_time: Duration,
        tls: Option<Tls>,
    ) -> anyhow::Result<Self> {
        Ok(Listener {
            tcp,
            places: Arc::new(Semaphore::new(connections)),
            tls: tls.map(Certificate::open).transpose()?,
            patience: request_time + HEAD_TIME,
        })
    }
}

impl Acceptor for Listener {
    type Io = Connection;

    fn local_addr(&self) -> Vec<LocalAddr> {
        let address = self.tcp.local_addr();
        address.into_iter().map(|a| LocalAddr(a.into())).collect()
    }

    async fn accept(&mut self) -> io::Result<(Connection, LocalAddr, RemoteAddr, Scheme)> {
        // A place first: those beyond wait in the system's queue.
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(io::Error::other)?;
        let (socket, peer) = match self.tcp.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tokio::time::sleep(BREATH).await;
                return Err(error);
            }
        };
        // An answer is written at once, and nothing is gained by waiting for more of it.
        let _ = socket.set_nodelay(true);
        let local = socket.local_addr()?;
        let (stream, scheme) = match &mut self.tls {
            None => (Stream::Plain(socket), Scheme::HTTP),
            Some(certificate) => {
                let accept = certificate.acceptor().accept(socket);
                (Stream::Handshake(Box::new(accept)), Scheme::HTTPS)
            }
        };
        let connection = Connection {
            stream,
            patience: self.patience,
            deadline: None,
            _place: place,
        };
        let (local, peer) = (LocalAddr(local.into()), RemoteAddr(peer.into()));
        Ok((connection, local, peer, scheme))
    }
}

/// A certificate and the state of its files when they were read.
struct Certificate {
    files: Tls,
    seen: [Option<(SystemTime, u64)>; 2],
    looked: Instant,
    acceptor: TlsAcceptor,
}

impl Certificate {
    fn open(files: Tls) -> anyhow::Result<Self> {
        Ok(Certificate {
            seen: state(&files),
            looked: Instant::now(),
            acceptor: load(&files)?,
            files,
        })
    }

    /// The acceptor, with the newest certificate that could be read.
    fn acceptor(&mut self) -> &TlsAcceptor {
        if self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            let seen = state(&self.files);
            if seen != self.seen {
                match load(&self.files) {
                    Ok(acceptor) => {
                        self.acceptor = acceptor;
                        self.seen = seen;
                        tracing::info!("the certificate was replaced");
                    }
                    // Its two files may be half replaced; the next look tells.
                    Err(error) => tracing::warn!("the new certificate is not used: {error:#}"),
                }
            }
        }
        &self.acceptor
    }
}

fn state(files: &Tls) -> [Option<(SystemTime, u64)>; 2] {
    [&files.certificate, &files.key].map(|path| {
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    })
}

pub(super) fn load(files: &Tls) -> anyhow::Result<TlsAcceptor> {
    use anyhow::Context;
    let read = |path: &Path| std::fs::read(path).with_context(|| path.display().to_string());
    let shown = files.certificate.display();
    let chain = CertificateDer::pem_slice_iter(&read(&files.certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .ok()
        .filter(|chain| !chain.is_empty())
        .with_context(|| format!("{shown} holds no certificate that can be read; it is PEM"))?;
    // The private key's bytes are wiped when rustls drops it, and here as soon as it has them.
    let key = zeroize::Zeroizing::new(read(&files.key)?);
    let key = PrivateKeyDer::from_pem_slice(&key)
        .ok()
        .with_context(|| format!("{} holds no private key in PEM", files.key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .with_context(|| format!("{shown} and its key do not go together"))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

enum Stream {
    Plain(TcpStream),
    Handshake(Box<Accept<TcpStream>>),
    Secure(Box<TlsStream<TcpStream>>),
}

/// A client's connection.
pub(crate) struct Connection {
    stream: Stream,
    patience: Duration,
    /// Until when something has to be answered, since something has been said.
    deadline: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
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
                    Poll::Ready(Ok(stream)) => $self.stream = Stream::Secure(Box::new(stream)),
                    Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                    Poll::Pending => break $self.overdue($cx).map(Err),
                },
            }
        }
    };
}

impl Connection {
    /// Ready with an error once nothing was answered for too long.
    fn overdue(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let patience = self.patience;
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        deadline
            .as_mut()
            .poll(cx)
            .map(|()| io::Error::from(io::ErrorKind::TimedOut))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = on_stream!(this, cx, stream => stream.poll_read(cx, buffer));
        let said = this.deadline.is_some() || buffer.filled().len() > before;
        match (&read, said) {
            // Between two requests a client may say nothing for as long as the server lets it.
            (_, false) => read,
            (Poll::Pending, true) => this.overdue(cx).map(Err),
            // The clock runs from the first byte that is not yet answered.
            (Poll::Ready(_), true) => match this.overdue(cx) {
                Poll::Ready(error) => Poll::Ready(Err(error)),
                Poll::Pending => read,
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
        let written = on_stream!(this, cx, stream => stream.poll_write(cx, bytes));
        if matches!(written, Poll::Ready(Ok(_))) {
            this.deadline = None;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        on_stream!(this, cx, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        on_stream!(this, cx, stream => stream.poll_shutdown(cx))
    }
}
