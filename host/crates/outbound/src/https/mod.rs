//! Requests to other servers: over verified TLS, bounded in time and size.

mod address;
mod kept;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::Request;
pub use hyper::body::Bytes;
use hyper::client::conn::http1;
pub use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
pub use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{CertificateError, ClientConfig, ConfigBuilder, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use address::{Address, Plain};
use kept::Connections;

type Outgoing = Request<Full<Bytes>>;
type Sender = http1::SendRequest<Full<Bytes>>;

/// Status and headers of an answer may be about so large.
const MAX_HEAD_SIZE: usize = 64 << 10;

/// The longest that a connection without TLS may take to be made.
const NEARBY: Duration = Duration::from_secs(1);

/// How much another server may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest that an answer may take, from the name's lookup to its last byte.
    pub time: Duration,
    /// Bytes of its body.
    pub size: usize,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// Its status, whatever it is.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, whole.
    pub body: Bytes,
}

/// There is no answer. Nothing that the other side said is repeated.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection was made.
    #[error("it cannot be reached: {0}")]
    Unreachable(io::ErrorKind),
    /// The name has no address.
    #[error("its name cannot be resolved")]
    Unknown,
    /// Its certificate is not one to trust.
    #[error("{0}")]
    Untrusted(&'static str),
    /// What it sent is not an answer.
    #[error("it did not answer with valid HTTP/1.1, or closed the connection")]
    Protocol,
    /// It took longer than it may.
    #[error("there was no complete answer within {0:?}")]
    TooSlow(Duration),
    /// It is larger than it may be.
    #[error("its answer is larger than {0} bytes")]
    TooLarge(usize),
    /// It points elsewhere.
    #[error("it redirects ({0}), which is not followed; use the target address")]
    Redirect(u16),
    /// It is not 200.
    #[error("it answered {0}")]
    Status(u16),
}

/// Certificates of `tls: { ca: FILE }` that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("it has no readable certificate of an authority; it must be a PEM file")]
pub struct NoAuthority;

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum NoClient {
    /// Of the authorities.
    #[error(transparent)]
    Authority(#[from] NoAuthority),
    /// Of the client's own certificate.
    #[error("the client's certificate and key are not a pair that can be read; both must be PEM")]
    Identity,
}

/// A client's own certificate and its key, as PEM.
#[derive(Clone, Copy)]
pub struct Identity<'i> {
    /// The certificate, with any intermediate certificates.
    pub certificate: &'i [u8],
    /// The certificate's private key.
    pub key: &'i [u8],
}

/// Asks other servers.
#[derive(Clone)]
pub struct Client {
    tls: TlsConnector,
    kept: Arc<Connections>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client(…)")
    }
}

impl Client {
    /// A client that trusts these authorities (PEM) and no others, or without any those of
    /// Mozilla's list.
    ///
    /// # Errors
    /// When none of them can be read.
    pub fn new(authorities: Option<&[u8]>) -> Result<Self, NoAuthority> {
        let config = verified(roots(authorities)?)?.with_no_client_auth();
        Ok(Client::with(config))
    }

    /// A client that trusts these authorities (PEM) besides those of Mozilla's list: for servers that may
    /// be the public ones or one's own.
    ///
    /// # Errors
    /// When none of them can be read.
    pub fn besides_public(authorities: &[u8]) -> Result<Self, NoAuthority> {
        let config = verified(besides(authorities)?)?.with_no_client_auth();
        Ok(Client::with(config))
    }

    /// The same, which also shows a certificate of its own to servers that ask for one.
    ///
    /// # Errors
    /// When the authorities, or the certificate and its key, cannot be read.
    pub fn with_identity(
        authorities: Option<&[u8]>,
        identity: Identity<'_>,
    ) -> Result<Self, NoClient> {
        let chain: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(identity.certificate).collect();
        let chain = chain.map_err(|_| NoClient::Identity)?;
        let key = PrivateKeyDer::from_pem_slice(identity.key).map_err(|_| NoClient::Identity)?;
        let config = verified(roots(authorities)?)?.with_client_auth_cert(chain, key);
        Ok(Client::with(config.map_err(|_| NoClient::Identity)?))
    }

    fn with(mut config: ClientConfig) -> Self {
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Client {
            tls: TlsConnector::from(Arc::new(config)),
            kept: Arc::default(),
        }
    }

    /// What is there; an answer other than 200 is a failure.
    ///
    /// # Errors
    /// When there is no such answer within the limits.
    pub async fn get(&self, address: &Address, limits: Limits) -> Result<Reply, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let reply = self
            .send(Method::GET, address, headers, Bytes::new(), limits)
            .await?;
        match reply.status {
            StatusCode::OK => Ok(reply),
            status if status.is_redirection() => Err(Failure::Redirect(status.as_u16())),
            status => Err(Failure::Status(status.as_u16())),
        }
    }

    /// Sends a request and returns the answer, whatever its status.
    ///
    /// # Errors
    /// When there is no answer within the limits.
    pub async fn send(
        &self,
        method: Method,
        address: &Address,
        headers: HeaderMap,
        body: Bytes,
        limits: Limits,
    ) -> Result<Reply, Failure> {
        let mut request = outgoing(method, address, headers, body)?;
        let close = HeaderValue::from_static("close");
        request.headers_mut().insert(CONNECTION, close);
        let answer = self.exchange(address, request, limits.size);
        match tokio::time::timeout(limits.time, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::TooSlow(limits.time)),
        }
    }

    async fn exchange(
        &self,
        address: &Address,
        request: Outgoing,
        size: usize,
    ) -> Result<Reply, Failure> {
        match address.secure {
            true => talk(self.connect(address).await?, request, size).await,
            false => talk(nearby(address).await?, request, size).await,
        }
    }

    /// A connection over verified TLS, for whatever is spoken over it.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) async fn connect(&self, address: &Address) -> Result<TlsStream<TcpStream>, Failure> {
        let name = ServerName::try_from(address.host.clone()).map_err(|_| Failure::Unknown)?;
        let secure = self.tls.connect(name, socket(address).await?).await;
        secure.map_err(|error| distrust(&error))
    }
}

/// A connection within this machine or link, which is made at once or not at all: of a cloud's metadata,
/// asked elsewhere, there is no answer, not even a refusal.
async fn nearby(address: &Address) -> Result<TcpStream, Failure> {
    let connected = tokio::time::timeout(NEARBY, socket(address)).await;
    connected.unwrap_or(Err(Failure::Unreachable(io::ErrorKind::TimedOut)))
}

async fn socket(address: &Address) -> Result<TcpStream, Failure> {
    let found = tokio::net::lookup_host((address.host.as_str(), address.port)).await;
    let found: Vec<_> = found.map_err(|_| Failure::Unknown)?.collect();
    let socket = TcpStream::connect(found.as_slice()).await;
    let socket = socket.map_err(|error| Failure::Unreachable(error.kind()))?;
    // Else the last part of a request waits for the other side's delayed acknowledgement, 40 ms.
    let _ = socket.set_nodelay(true);
    Ok(socket)
}

/// These authorities, or without any those of Mozilla's list.
fn roots(authorities: Option<&[u8]>) -> Result<RootCertStore, NoAuthority> {
    let mut roots = RootCertStore::empty();
    match authorities {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|_| NoAuthority)?;
                roots.add(certificate).map_err(|_| NoAuthority)?;
            }
            if roots.is_empty() {
                return Err(NoAuthority);
            }
        }
    }
    Ok(roots)
}

/// These authorities and Mozilla's.
fn besides(authorities: &[u8]) -> Result<RootCertStore, NoAuthority> {
    let mut all = roots(None)?;
    all.roots.extend(roots(Some(authorities))?.roots);
    Ok(all)
}

/// A configuration that verifies servers, whatever else it will be.
fn verified(
    roots: RootCertStore,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, NoAuthority> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| NoAuthority)?;
    Ok(config.with_root_certificates(roots))
}

/// A request with what all have in common.
fn outgoing(
    method: Method,
    address: &Address,
    mut headers: HeaderMap,
    body: Bytes,
) -> Result<Outgoing, Failure> {
    let host = HeaderValue::from_str(&address.authority).map_err(|_| Failure::Unknown)?;
    headers.insert(HOST, host);
    headers.insert(USER_AGENT, HeaderValue::from_static("glovebox"));
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = address.target().parse().map_err(|_| Failure::Unknown)?;
    *request.headers_mut() = headers;
    Ok(request)
}

async fn handshake<S>(
    stream: S,
) -> Result<(Sender, http1::Connection<TokioIo<S>, Full<Bytes>>), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connected = http1::Builder::new()
        .max_buf_size(MAX_HEAD_SIZE)
        .handshake(TokioIo::new(stream));
    connected.await.map_err(|_| Failure::Protocol)
}

/// The whole answer, while something else drives the connection.
async fn answered(sender: &mut Sender, request: Outgoing, size: usize) -> Result<Reply, Failure> {
    let response = sender.send_request(request).await;
    let (head, body) = response.map_err(|_| Failure::Protocol)?.into_parts();
    let body = Limited::new(body, size).collect().await;
    let body = body.map_err(|error| match error.is::<LengthLimitError>() {
        true => Failure::TooLarge(size),
        false => Failure::Protocol,
    })?;
    Ok(Reply {
        status: head.status,
        headers: head.headers,
        body: body.to_bytes(),
    })
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Outgoing,
    size: usize,
) -> Result<Reply, Failure> {
    let (mut sender, connection) = handshake(stream).await?;
    let answer = answered(&mut sender, request, size);
    // The connection is driven here, not by a task, so that it ends with this call. How it ends is
    // the answer's to tell, which may have bytes to read yet.
    let driven = async {
        let _ = connection.await;
        std::future::pending().await
    };
    tokio::select! {
        answer = answer => answer,
        () = driven => Err(Failure::Protocol),
    }
}

/// Why there is no TLS, in our words: a certificate holds names that others have chosen.
fn distrust(error: &io::Error) -> Failure {
    let inner = error.get_ref().and_then(|e| e.downcast_ref());
    let Some(why) = inner else {
        // It went away in the middle.
        return Failure::Unreachable(error.kind());
    };
    Failure::Untrusted(match why {
        rustls::Error::InvalidCertificate(why) => match why {
            // A signature that does not fit is that of another authority of the same name.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "its certificate is not signed by a trusted authority; name yours: tls: { ca: \
                FILE }"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another host"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet; is the clock right?"
            }
            _ => "its certificate is not accepted",
        },
        _ => "it does not answer with valid TLS",
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
