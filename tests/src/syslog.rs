//! Who takes messages of syslog: a socket of this machine, and a server over TLS.

use std::io::Read;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rcgen::generate_simple_self_signed;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How long a message may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where datagrams arrive.
pub struct Datagrams {
    /// The socket.
    pub path: PathBuf,
    socket: UnixDatagram,
    _folder: tempfile::TempDir,
}

impl Datagrams {
    /// Listens on a socket of its own.
    ///
    /// # Panics
    /// When there is none.
    pub fn listen() -> Datagrams {
        let folder = told(tempfile::tempdir());
        let path = folder.path().join("log");
        let socket = told(UnixDatagram::bind(&path));
        told(socket.set_read_timeout(Some(PATIENCE)));
        Datagrams {
            path,
            socket,
            _folder: folder,
        }
    }

    /// The next message.
    ///
    /// # Panics
    /// When there is none in time.
    pub fn next(&self) -> String {
        let mut bytes = vec![0; 64 << 10];
        let length = told(self.socket.recv(&mut bytes));
        bytes.truncate(length);
        told(String::from_utf8(bytes))
    }
}

/// A server over TLS.
pub struct SyslogServer {
    /// Its port on `localhost`.
    pub port: u16,
    /// The certificate to trust, in PEM.
    pub certificate: String,
    messages: Receiver<String>,
}

impl SyslogServer {
    /// Starts one, which ends with the test's process.
    ///
    /// # Panics
    /// When there is no port or certificate.
    pub fn start() -> SyslogServer {
        let made = told(generate_simple_self_signed(["localhost".to_owned()]));
        let key = told(PrivateKeyDer::try_from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider);
        let config = told(config.with_safe_default_protocol_versions());
        let chain = vec![made.cert.der().clone()];
        let config = told(config.with_no_client_auth().with_single_cert(chain, key));
        let config = Arc::new(config);
        let listener = told(TcpListener::bind("127.0.0.1:0"));
        let port = told(listener.local_addr()).port();
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection = told(ServerConnection::new(Arc::clone(&config)));
                let mut stream = StreamOwned::new(connection, stream);
                let mut text = String::new();
                let _ = stream.read_to_string(&mut text);
                if sender.send(text).is_err() {
                    return;
                }
            }
        });
        SyslogServer {
            port,
            certificate: made.cert.pem(),
            messages,
        }
    }

    /// The messages of the next connection that has ended, each by its length.
    ///
    /// # Panics
    /// When there is none in time, or a length is wrong.
    pub fn next(&self) -> Vec<String> {
        let all = told(self.messages.recv_timeout(PATIENCE));
        let (mut rest, mut messages) = (all.as_str(), Vec::new());
        while !rest.is_empty() {
            let counted = rest.split_once(' ');
            let counted = counted.and_then(|(length, rest)| Some((length.parse().ok()?, rest)));
            let split = counted.and_then(|(length, rest)| rest.split_at_checked(length));
            let (message, later) = split.unwrap_or_else(|| panic!("no counted message: {rest}"));
            messages.push(message.to_owned());
            rest = later;
        }
        messages
    }
}

fn told<T, E: std::fmt::Debug>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("a receiver of the test's own: {error:?}"))
}
