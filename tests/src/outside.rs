//! A server that the program calls of its own accord: an issuer, a collector of traces.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// Longer than any client takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What it was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Asked {
    /// A header's value, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What it answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A status, headers and a body.
    Reply(u16, Vec<(String, String)>, Vec<u8>),
    /// A body without an end, of this many bytes at least.
    Endless(usize),
    /// Nothing; the connection is closed.
    HangUp,
    /// Nothing for so long; then the connection is closed.
    Silence(Duration),
}

impl Answer {
    /// 200 with this body.
    pub fn ok(body: impl Into<Vec<u8>>) -> Answer {
        Answer::Reply(200, Vec::new(), body.into())
    }
}

/// A server on a port of its own, under the name `localhost`.
#[derive(Debug)]
pub struct Outside {
    /// `localhost:PORT`.
    pub address: String,
    /// The certificate that a client has to trust, in PEM.
    pub ca: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    accepted: Arc<AtomicUsize>,
    open: Arc<Mutex<HashMap<usize, TcpStream>>>,
    impatient: Arc<AtomicBool>,
}

impl Outside {
    /// Starts one behind TLS.
    ///
    /// # Panics
    /// When there is no port or certificate.
    pub fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Outside {
        Outside::secure(None, answer)
    }

    /// Starts one behind TLS for clients that show a certificate of this authority (PEM).
    ///
    /// # Panics
    /// When there is no port or certificate.
    pub fn start_for(
        clients: &str,
        answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Outside {
        let authority = told(CertificateDer::from_pem_slice(clients.as_bytes()));
        let mut roots = RootCertStore::empty();
        told(roots.add(authority));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        Outside::secure(Some(told(verifier.build())), answer)
    }

    fn secure(
        clients: Option<Arc<dyn ClientCertVerifier>>,
        answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Outside {
        let CertifiedKey { cert, signing_key } =
            told(generate_simple_self_signed(["localhost".to_owned()]));
        let key = told(PrivateKeyDer::try_from(signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = told(
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions(),
        );
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(clients) => config.with_client_cert_verifier(clients),
        };
        let config = told(config.with_single_cert(vec![cert.der().clone()], key));
        let listener = told(TcpListener::bind("127.0.0.1:0"));
        Outside::serve(listener, Some(Arc::new(config)), cert.pem(), answer)
    }

    /// Starts one that speaks plain text, on a port that is bound already.
    pub fn plain(
        listener: TcpListener,
        answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Outside {
        Outside::serve(listener, None, String::new(), answer)
    }

    fn serve(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        ca: String,
        answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Outside {
        let port = told(listener.local_addr()).port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, seen) = (Arc::new(answer), Arc::clone(&asked));
        let (accepted, open) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::<Mutex<HashMap<_, _>>>::default(),
        );
        let impatient = Arc::<AtomicBool>::default();
        let hurries = Arc::clone(&impatient);
        let (counted, opened) = (Arc::clone(&accepted), Arc::clone(&open));
        // It ends with the test's process.
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let number = counted.fetch_add(1, Ordering::Relaxed);
                lock(&opened).extend(socket.try_clone().map(|socket| (number, socket)));
                let (opened, hurries) = (Arc::clone(&opened), Arc::clone(&hurries));
                let _ = socket.set_read_timeout(Some(PATIENCE));
                let (answer, seen, tls) = (Arc::clone(&answer), Arc::clone(&seen), tls.clone());
                std::thread::spawn(move || {
                    let _ = match tls {
                        None => converse(socket, &*answer, &seen, &hurries),
                        Some(tls) => ServerConnection::new(tls)
                            .map_err(std::io::Error::other)
                            .and_then(|c| {
                                converse(StreamOwned::new(c, socket), &*answer, &seen, &hurries)
                            }),
                    };
                    lock(&opened).remove(&number);
                });
            }
        });
        Outside {
            address: format!("localhost:{port}"),
            ca,
            asked,
            accepted,
            open,
            impatient,
        }
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.asked).clone()
    }

    /// How many connections were made to it.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// From now on each connection is closed after one answer, which does not say so.
    pub fn close_after_each(&self) {
        self.impatient.store(true, Ordering::Relaxed);
    }

    /// Closes all connections, as a server does that restarts.
    pub fn hang_up(&self) {
        for (_, socket) in lock(&self.open).drain() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// How often this target was asked for.
    pub fn times(&self, target: &str) -> usize {
        self.asked().iter().filter(|a| a.target == target).count()
    }
}

/// A port on which nobody listens, for a while at least.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    told(told(TcpListener::bind("127.0.0.1:0")).local_addr()).port()
}

/// A stream that can be closed.
trait Closes: Read + Write {
    fn close(&mut self) {}
}

impl Closes for TcpStream {}

impl Closes for StreamOwned<ServerConnection, TcpStream> {
    fn close(&mut self) {
        self.conn.send_close_notify();
        let _ = self.flush();
    }
}

/// Answers one question after the other, until the client has no more or wants none.
fn converse(
    mut stream: impl Closes,
    answer: &(impl Fn(&Asked) -> Answer + ?Sized),
    seen: &Mutex<Vec<Asked>>,
    impatient: &AtomicBool,
) -> std::io::Result<()> {
    while let Some(asked) = read(&mut stream)? {
        let reply = answer(&asked);
        let last = asked.header("connection") == Some("close");
        lock(seen).push(asked);
        let goes_on = !last && matches!(reply, Answer::Reply(..));
        say(&mut stream, reply)?;
        stream.flush()?;
        if !goes_on || impatient.load(Ordering::Relaxed) {
            stream.close();
            break;
        }
    }
    Ok(())
}

fn say(stream: &mut impl Write, reply: Answer) -> std::io::Result<()> {
    match reply {
        Answer::HangUp => {}
        Answer::Silence(time) => std::thread::sleep(time),
        Answer::Reply(status, headers, body) => {
            let mut head = format!("HTTP/1.1 {status} Said\r\n");
            // Of what is there but not sent, the answer to a HEAD says it itself.
            let is_said =
                |(name, _): &(String, String)| name.eq_ignore_ascii_case("content-length");
            if !headers.iter().any(is_said) {
                head.push_str(&format!("Content-Length: {}\r\n", body.len()));
            }
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            stream.write_all(head.as_bytes())?;
            stream.write_all(b"\r\n")?;
            stream.write_all(&body)?;
        }
        Answer::Endless(bytes) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            for _ in 0..bytes.div_ceil(1024) {
                stream.write_all(format!("400\r\n{}\r\n", " ".repeat(1024)).as_bytes())?;
            }
        }
    }
    Ok(())
}

fn read(stream: &mut impl Read) -> std::io::Result<Option<Asked>> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    let mut more = |bytes: &mut Vec<u8>| -> std::io::Result<bool> {
        let length = stream.read(&mut piece)?;
        bytes.extend_from_slice(piece.get(..length).unwrap_or_default());
        Ok(length > 0)
    };
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break end;
        }
        if !more(&mut bytes)? {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned();
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let mut asked = Asked {
        method: word(),
        target: word(),
        headers: lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
        body: Vec::new(),
    };
    let length = asked.header("content-length").and_then(|l| l.parse().ok());
    let length: usize = length.unwrap_or(0);
    while bytes.len() < end + 4 + length {
        if !more(&mut bytes)? {
            return Ok(None);
        }
    }
    asked.body = bytes.split_off(end + 4);
    Ok(Some(asked))
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn told<T, E: std::fmt::Debug>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("a server of the test's own: {error:?}"))
}
