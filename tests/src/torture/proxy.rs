//! A proxy between the program and the server that knows what a COMMIT is, and can stop the world
//! before it is forwarded, after it is forwarded, and between its effect and the reply.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

use super::frames::{Frames, asks_for_commit, tells_of_commit};
use crate::postgres::Postgres;

/// A client asks for TLS by these eight bytes, and is answered by one letter.
const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// When, as a COMMIT goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The program has sent it; the server never sees it.
    Before,
    /// It was forwarded a moment ago.
    During,
    /// It holds; the program never sees the reply.
    After,
}

impl Moment {
    /// All of them.
    pub const ALL: [Moment; 3] = [Moment::Before, Moment::During, Moment::After];
}

/// What is to happen.
#[derive(Debug, Clone, Copy)]
struct Order {
    /// How many more COMMITs go by before it.
    after: u32,
    moment: Moment,
    then: Then,
}

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It is cut at once.
    Cut,
    /// It is held until [`Proxy::release`], and cut.
    HoldAndCut,
    /// It is held until [`Proxy::release`], and goes on as if nothing had been.
    HoldAndGoOn,
}

#[derive(Debug, Default)]
struct State {
    order: Option<Order>,
    /// COMMITs of all connections that the program has sent.
    commits: u32,
    /// Whether the last order was carried out.
    hit: bool,
    held: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a COMMIT of the program; the moment at which something is to happen to it.
    fn count(&self) -> Option<Moment> {
        let mut state = self.state();
        state.commits += 1;
        let order = state.order.as_mut()?;
        if order.after == 0 {
            return Some(order.moment);
        }
        order.after -= 1;
        None
    }

    /// It has come to it: tells, and waits if it is to be held. Whether the connection goes on.
    fn strike(&self) -> bool {
        let mut state = self.state();
        let then = state.order.take().map_or(Then::Cut, |order| order.then);
        state.held = then != Then::Cut;
        state.hit = true;
        self.changed.notify_all();
        while state.held {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        then == Then::HoldAndGoOn
    }
}

/// A proxy for one server; its threads end with the process.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Takes connections from now on.
    ///
    /// # Errors
    /// When there is no port for it, or no certificate.
    pub fn start(server: &Postgres) -> Result<Proxy, String> {
        let told = |what: &'static str| move |e: io::Error| format!("{what}: {e}");
        let tls = Arc::new(tls(server)?);
        let socket = TcpListener::bind("127.0.0.1:0").map_err(told("the proxy's port"))?;
        let port = socket
            .local_addr()
            .map_err(told("the proxy's port"))?
            .port();
        let shared: Arc<Shared> = Arc::default();
        let behind = server.socket();
        thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for client in socket.incoming().flatten() {
                    let (tls, shared) = (Arc::clone(&tls), Arc::clone(&shared));
                    let behind = behind.clone();
                    // A connection that breaks is what all this is about.
                    thread::spawn(move || drop(connection(client, &behind, tls, &shared)));
                }
            }
        });
        Ok(Proxy { port, shared })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many COMMITs have gone by since the last call.
    pub fn commits(&self) -> u32 {
        std::mem::take(&mut self.shared.state().commits)
    }

    /// Strikes at the COMMIT after the next `after` ones.
    pub fn strike_at(&self, after: u32, moment: Moment, then: Then) {
        let mut state = self.shared.state();
        state.hit = false;
        state.order = Some(Order {
            after,
            moment,
            then,
        });
    }

    /// Waits until it has struck, as long as `while_running` holds; whether it has.
    pub fn has_struck(&self, mut while_running: impl FnMut() -> bool) -> bool {
        let patience = Instant::now() + Duration::from_secs(120);
        let mut state = self.shared.state();
        while !state.hit {
            if Instant::now() > patience || !while_running() {
                break;
            }
            let waited = self
                .shared
                .changed
                .wait_timeout(state, Duration::from_millis(5));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.hit
    }

    /// Forgets an order that has not come to pass, and lets go of what is held.
    pub fn release(&self) {
        let mut state = self.shared.state();
        state.order = None;
        state.held = false;
        self.shared.changed.notify_all();
    }
}

/// The server's own certificate, so that the program verifies the proxy as it would the server.
fn tls(server: &Postgres) -> Result<ServerConfig, String> {
    let (certificate, key) = server.certificate_paths();
    let certificate = CertificateDer::from_pem_file(certificate)
        .map_err(|e| format!("the server's certificate: {e}"))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|e| format!("the server's key: {e}"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|b| {
            b.with_no_client_auth()
                .with_single_cert(vec![certificate], key)
        })
        .map_err(|e| format!("TLS of the proxy: {e}"))
}

/// One end of TLS, which two threads use: one reads, both write.
struct Secured {
    session: Mutex<ServerConnection>,
    /// Held while records are sent, so that they arrive in the order of their numbers.
    outgoing: Mutex<TcpStream>,
}

impl Secured {
    fn session(&self) -> MutexGuard<'_, ServerConnection> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the text that these bytes from the wire hold.
    fn receive(&self, mut wire: &[u8], text: &mut Vec<u8>) -> io::Result<()> {
        while !wire.is_empty() {
            let mut session = self.session();
            session.read_tls(&mut wire)?;
            let state = session.process_new_packets().map_err(io::Error::other)?;
            let start = text.len();
            text.resize(start + state.plaintext_bytes_to_read(), 0);
            session
                .reader()
                .read_exact(text.get_mut(start..).unwrap_or_default())?;
        }
        self.send(&[])
    }

    fn send(&self, text: &[u8]) -> io::Result<()> {
        let mut outgoing = self.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wire = Vec::new();
        {
            let mut session = self.session();
            let mut rest = text;
            loop {
                // The session takes as much as its buffer holds.
                let taken = session.writer().write(rest)?;
                rest = rest.get(taken..).unwrap_or_default();
                while session.wants_write() {
                    session.write_tls(&mut wire)?;
                }
                if rest.is_empty() {
                    break;
                }
            }
        }
        outgoing.write_all(&wire)
    }
}

fn connection(
    mut client: TcpStream,
    behind: &PathBuf,
    tls: Arc<ServerConfig>,
    shared: &Arc<Shared>,
) -> io::Result<()> {
    let mut request = [0; 8];
    client.read_exact(&mut request)?;
    if request != TLS_REQUEST {
        return Err(io::Error::other("no request for TLS"));
    }
    // Small messages go to and fro: none may wait for the acknowledgement of another.
    client.set_nodelay(true)?;
    client.write_all(b"S")?;
    let server = UnixStream::connect(behind)?;
    let ends = Ends {
        client: client.try_clone()?,
        server: server.try_clone()?,
    };
    let session = ServerConnection::new(tls).map_err(io::Error::other)?;
    let secured = Arc::new(Secured {
        session: Mutex::new(session),
        outgoing: Mutex::new(client.try_clone()?),
    });
    let struck: Arc<Mutex<Option<Moment>>> = Arc::default();
    let back = thread::spawn({
        let (secured, shared, struck) = (secured.clone(), shared.clone(), struck.clone());
        let (server, ends) = (server.try_clone()?, ends.both()?);
        move || {
            // The connection's end, whoever's it was, is passed on to both sides.
            let _ = from_server(server, &secured, &shared, &struck);
            ends.cut();
        }
    });
    let _ = from_client(client, &secured, server, shared, &struck);
    ends.cut();
    let _ = back.join();
    Ok(())
}

/// Both ends of a connection.
struct Ends {
    client: TcpStream,
    server: UnixStream,
}

impl Ends {
    fn both(&self) -> io::Result<Ends> {
        Ok(Ends {
            client: self.client.try_clone()?,
            server: self.server.try_clone()?,
        })
    }

    fn cut(&self) {
        // One that is closed already is what we want.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

fn from_client(
    mut client: TcpStream,
    secured: &Secured,
    mut server: UnixStream,
    shared: &Shared,
    struck: &Mutex<Option<Moment>>,
) -> io::Result<()> {
    let mut frames = Frames::of_client();
    let (mut wire, mut text) = (vec![0; 1 << 16], Vec::new());
    loop {
        let read = client.read(&mut wire)?;
        if read == 0 {
            return Ok(());
        }
        text.clear();
        secured.receive(wire.get(..read).unwrap_or_default(), &mut text)?;
        frames.feed(&text);
        while let Some(message) = frames.next() {
            let moment = match asks_for_commit(&message) {
                true => shared.count(),
                false => None,
            };
            match moment {
                Some(Moment::Before) => {
                    if !shared.strike() {
                        return Ok(());
                    }
                    server.write_all(&message)?;
                }
                Some(Moment::During) => {
                    *struck.lock().unwrap_or_else(PoisonError::into_inner) = moment;
                    server.write_all(&message)?;
                    shared.strike();
                    return Ok(());
                }
                Some(Moment::After) => {
                    *struck.lock().unwrap_or_else(PoisonError::into_inner) = moment;
                    server.write_all(&message)?;
                }
                None => server.write_all(&message)?,
            }
        }
    }
}

fn from_server(
    mut server: UnixStream,
    secured: &Secured,
    shared: &Shared,
    struck: &Mutex<Option<Moment>>,
) -> io::Result<()> {
    let mut frames = Frames::of_server();
    let mut bytes = vec![0; 1 << 16];
    loop {
        let read = server.read(&mut bytes)?;
        if read == 0 {
            return Ok(());
        }
        frames.feed(bytes.get(..read).unwrap_or_default());
        while let Some(message) = frames.next() {
            let moment = *struck.lock().unwrap_or_else(PoisonError::into_inner);
            match moment {
                // What the server says of it comes too late.
                Some(Moment::During) => return Ok(()),
                Some(Moment::After) if tells_of_commit(&message) => {
                    shared.strike();
                    return Ok(());
                }
                _ => secured.send(&message)?,
            }
        }
    }
}
