//! TLS of our own between sqlx and a server, where sqlx cannot verify the server's certificate: sqlx
//! takes no verifier.
//!
//! sqlx connects to a Unix socket, and a task carries its bytes over a verified connection. The socket
//! has an abstract name, so no file is left behind, and takes connections of this process only.

use std::io;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use glovebox_core::Login;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional_with_sizes};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::own_certificate::{OwnCertificate, Verifier};

/// PostgreSQL's SSLRequest: its length, and 1234 and 5679 in place of a version.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
/// Bytes that are carried at a time, in each direction.
const BUFFER: usize = 64 << 10;
/// The wait after a connection could not be taken, which happens when there are too many files.
const PAUSE: Duration = Duration::from_millis(100);

/// Where all bridges of the process run: a session's own runtime stands still between its calls.
static RUNTIME: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("postgres-tls")
        .enable_all()
        .build()
});

/// A way to one server, which takes connections until it is dropped; those that it has taken go on.
#[derive(Debug)]
pub(super) struct Bridge {
    socket: String,
    accepting: AbortHandle,
}

/// The server's end.
struct Far {
    host: String,
    port: u16,
    timeout: Duration,
    name: ServerName<'static>,
    tls: TlsConnector,
    failed: Box<dyn Fn(sqlx::Error) + Send + Sync>,
}

impl Bridge {
    /// Opens one if the server's certificate may be one of these authorities', in a way that sqlx cannot
    /// verify. `failed` is told why a connection did not come about, before sqlx sees it closed.
    ///
    /// # Errors
    /// A sentence, when the machine gives no socket or no thread.
    pub(super) fn open(
        login: &Login,
        authorities: &[CertificateDer<'static>],
        failed: impl Fn(sqlx::Error) + Send + Sync + 'static,
    ) -> Result<Option<Bridge>, String> {
        let own: Vec<OwnCertificate> = (authorities.iter())
            .filter_map(|der| OwnCertificate::of(der, &login.host))
            .collect();
        let Ok(name) = ServerName::try_from(login.host.clone()) else {
            return Ok(None);
        };
        if own.is_empty() {
            return Ok(None);
        }
        let told = |e: &dyn std::fmt::Display| format!("cannot verify the server here: {e}");
        let runtime = RUNTIME.as_ref().map_err(|e| told(e))?;
        let config = config(own, authorities).map_err(|e| told(&e))?;
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|e| told(&e))?;
        let socket = format!("\0glovebox-{:032x}", u128::from_ne_bytes(random));
        let _within = runtime.enter();
        let listener = listen(&socket, login.port).map_err(|e| told(&e))?;
        let far = Far {
            host: login.host.clone(),
            port: login.port,
            timeout: login.connect_timeout,
            name,
            tls: TlsConnector::from(Arc::new(config)),
            failed: Box::new(failed),
        };
        let accepting = runtime
            .spawn(accept(listener, Arc::new(far)))
            .abort_handle();
        Ok(Some(Bridge { socket, accepting }))
    }

    /// The same connection by this way: in plain text as far as this process.
    pub(super) fn carry(&self, options: PgConnectOptions) -> PgConnectOptions {
        options.socket(&self.socket).ssl_mode(PgSslMode::Disable)
    }

    /// Lets it live as long as the process.
    pub(super) fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// As sqlx has it: Mozilla's roots and those authorities; ring; no certificate of ours.
fn config(
    own: Vec<OwnCertificate>,
    authorities: &[CertificateDer<'static>],
) -> Result<ClientConfig, Box<dyn std::error::Error>> {
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for authority in authorities {
        roots.add(authority.clone())?;
    }
    let provider = Arc::new(ring::default_provider());
    let others =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build()?;
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = config
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { own, others }))
        .with_no_client_auth();
    // A session that is resumed is not verified again, and a certificate may have expired since.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Listens where sqlx looks for a server of this port, given that folder.
#[cfg(target_os = "linux")]
fn listen(socket: &str, port: u16) -> io::Result<UnixListener> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener as StdListener};

    let path = format!("{socket}/.s.PGSQL.{port}");
    let name = path.trim_start_matches('\0');
    let listener = StdListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// No other system has sockets without a file.
#[cfg(not(target_os = "linux"))]
fn listen(_: &str, _: u16) -> io::Result<UnixListener> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "a server whose certificate is its own authority is verified on Linux only; give it a \
        certificate of an authority",
    ))
}

async fn accept(listener: UnixListener, far: Arc<Far>) {
    let own = i32::try_from(std::process::id()).ok();
    loop {
        let Ok((near, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        // Everybody on the machine sees the socket's name.
        if near
            .peer_cred()
            .is_ok_and(|peer| peer.pid().is_some() && peer.pid() == own)
        {
            tokio::spawn(carry(near, Arc::clone(&far)));
        }
    }
}

async fn carry(mut near: UnixStream, far: Arc<Far>) {
    match tokio::time::timeout(far.timeout, far.connect()).await {
        // Whatever ends it, sqlx sees its end closed, and says what that means.
        Ok(Ok(mut server)) => {
            let _ = copy_bidirectional_with_sizes(&mut near, &mut server, BUFFER, BUFFER).await;
        }
        Ok(Err(error)) => (far.failed)(error),
        // Whoever waits for it has had that time as well.
        Err(_) => {}
    }
}

impl Far {
    async fn connect(&self) -> Result<TlsStream<TcpStream>, sqlx::Error> {
        let mut server = TcpStream::connect((self.host.as_str(), self.port)).await?;
        server.write_all(&SSL_REQUEST).await?;
        match server.read_u8().await? {
            b'S' => Ok(self.tls.connect(self.name.clone(), server).await?),
            b'N' => Err(sqlx::Error::Tls("the server does not offer TLS".into())),
            _ => Err(sqlx::Error::Protocol("no answer to SSLRequest".into())),
        }
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;
    use std::os::unix::net::UnixStream as StdStream;
    use std::process::Command;

    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    use super::*;

    const STRANGER: &str = "GLOVEBOX_STRANGER";

    fn closed_at_once(name: &str) -> bool {
        let address = SocketAddr::from_abstract_name(name).unwrap();
        let mut stream = StdStream::connect_addr(&address).unwrap();
        matches!(stream.read(&mut [0]), Ok(0) | Err(_))
    }

    #[test]
    fn another_process_is_not_carried() {
        // This test again, as that process.
        if let Ok(name) = std::env::var(STRANGER) {
            assert!(closed_at_once(&name));
            return;
        }
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        server.set_nonblocking(true).unwrap();
        let far = Far {
            host: "127.0.0.1".into(),
            port: server.local_addr().unwrap().port(),
            timeout: Duration::from_secs(20),
            name: ServerName::try_from("localhost").unwrap(),
            tls: TlsConnector::from(Arc::new(config(Vec::new(), &[]).unwrap())),
            failed: Box::new(|_| ()),
        };
        let name = format!("glovebox-test-{}", std::process::id());
        let runtime = RUNTIME.as_ref().unwrap();
        let within = runtime.enter();
        let listener = listen(&format!("\0{name}"), 1).unwrap();
        drop(within);
        runtime.spawn(accept(listener, Arc::new(far)));
        let name = format!("{name}/.s.PGSQL.1");
        let stranger = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "postgres::bridge::tests::another_process_is_not_carried",
            ])
            .env(STRANGER, &name)
            .output()
            .unwrap();
        assert!(stranger.status.success(), "{stranger:?}");
        let told = String::from_utf8_lossy(&stranger.stdout);
        assert!(told.contains("1 passed"), "{told}");
        assert!(server.accept().is_err(), "nobody came for a stranger");

        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let _own = StdStream::connect_addr(&address).unwrap();
        server.set_nonblocking(false).unwrap();
        let (mut carried, _) = server.accept().unwrap();
        let mut asked = [0; 8];
        carried.read_exact(&mut asked).unwrap();
        assert_eq!(asked, SSL_REQUEST);
    }
}
