//! The listening socket, with TLS if configured; a replaced certificate is reloaded.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use poem::http::uri::Scheme;
use poem::listener::Acceptor;
use poem::web::{LocalAddr, RemoteAddr};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;

use super::config::Tls;
use super::connection::{ClientTimeouts, Connection, Stream};
use super::connections::Connections;

/// How often the certificate's files are looked at.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Room for a moment when the system has no more sockets to give.
const BREATH: Duration = Duration::from_millis(50);

/// What the system keeps of an answer that its client does not read. Between two looks at how fast
/// somebody reads lies about a third of it.
const ANSWER: u32 = 256 << 10;
/// Connections that wait to be taken.
const BACKLOG: u32 = 1024;

/// Told of an address that has had its share.
pub(crate) type Refused = Box<dyn Fn(IpAddr) + Send>;

/// Takes connections.
pub(crate) struct Listener {
    tcp: TcpListener,
    connections: Arc<Connections>,
    tls: Option<Certificate>,
    patience: ClientTimeouts,
    refused: Refused,
}

/// A socket that listens there.
///
/// # Errors
/// When the address is taken, or not this machine's.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // What tokio's own `bind` does: an address whose last connections fade may be taken again.
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(ANSWER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Listener {
    pub(crate) fn new(
        tcp: TcpListener,
        connections: Arc<Connections>,
        patience: ClientTimeouts,
        tls: Option<Tls>,
        refused: Refused,
    ) -> anyhow::Result<Self> {
        Ok(Listener {
            tcp,
            connections,
            tls: tls.map(Certificate::open).transpose()?,
            patience,
            refused,
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
        loop {
            // Room first: those beyond wait in the system's queue.
            let room = self.connections.room().await;
            let room = room.ok_or_else(|| io::Error::other("no more connections"))?;
            let (socket, peer) = match self.tcp.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tokio::time::sleep(BREATH).await;
                    return Err(error);
                }
            };
            let Some(place) = self.connections.admit(peer, room) else {
                (self.refused)(peer.ip().to_canonical());
                continue;
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
            let connection = Connection::new(stream, self.patience, place);
            let (local, peer) = (LocalAddr(local.into()), RemoteAddr(peer.into()));
            return Ok((connection, local, peer, scheme));
        }
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
        if self.looked.elapsed() >= POLL_INTERVAL {
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
        .with_context(|| format!("{shown} has no readable certificate; it must be PEM"))?;
    // The private key's bytes are wiped when rustls drops it, and here as soon as it has them.
    let key = zeroize::Zeroizing::new(read(&files.key)?);
    let key = PrivateKeyDer::from_pem_slice(&key)
        .ok()
        .with_context(|| format!("{} has no private key in PEM form", files.key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .with_context(|| format!("{shown} and its key do not match"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
