//! HTTP/1.1 over a plain socket, as little of it as tests need, and as badly as they want.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

/// Longer than any reply takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A reply.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A header's value, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{error} in: {}", self.text()),
        }
    }

    /// The reply, if it has this status.
    ///
    /// # Panics
    /// When it has another, with what it says.
    #[must_use]
    #[track_caller]
    pub fn is(self, status: u16) -> Reply {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// The kind of problem that it tells.
    ///
    /// # Panics
    /// When it is no problem of RFC 9457's.
    #[track_caller]
    pub fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{}",
            self.text()
        );
        let told = self.json();
        let member = |name: &str| told.get(name).cloned().unwrap_or_default();
        assert_eq!(member("status"), self.status);
        let kind = member("type");
        let kind = kind.as_str().unwrap_or_default();
        kind.trim_start_matches("urn:glovebox:problem:").to_owned()
    }
}

/// Sends bytes and reads until the server closes.
///
/// # Panics
/// When there is no connection, or no reply in it.
#[track_caller]
pub fn raw(address: &str, request: &[u8]) -> Reply {
    talk(&mut connect(address), request)
}

/// Sends bytes over a connection of any kind and reads until the server closes.
///
/// # Panics
/// When there is no reply in it.
#[track_caller]
pub fn talk(stream: &mut (impl Read + Write), request: &[u8]) -> Reply {
    // A server that refuses early closes early; its reply is there all the same.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    parse(&bytes).unwrap_or_else(|| panic!("no reply: {}", String::from_utf8_lossy(&bytes)))
}

/// The reply to a request; nothing if there is no server, or it ends before it has replied.
pub fn attempt(address: &str, request: &[u8]) -> Option<Reply> {
    let mut socket = TcpStream::connect(address).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    socket.write_all(request).ok()?;
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).ok()?;
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Option<Reply> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
    let (head, body) = bytes.split_at_checked(end + 4)?;
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut reply = Reply {
        status,
        headers,
        body: body.to_vec(),
    };
    if reply.header("transfer-encoding") == Some("chunked") {
        reply.body = unchunk(&reply.body)?;
    }
    Some(reply)
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let end = rest.windows(2).position(|w| w == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(rest.get(..end)?).ok()?, 16).ok()?;
        let start = end + 2;
        out.extend_from_slice(rest.get(start..start + size)?);
        if size == 0 {
            return Some(out);
        }
        rest = rest.get(start + size + 2..)?;
    }
}

/// Sends a request over TLS to a server that has to show this certificate for `localhost`; nothing
/// if it shows another.
///
/// # Panics
/// As [`talk`], and when the certificate is not one in PEM.
#[track_caller]
pub fn over_tls(address: &str, trusted: &str, request: &[u8]) -> Option<Reply> {
    let mut roots = RootCertStore::empty();
    let config = CertificateDer::from_pem_slice(trusted.as_bytes())
        .map_err(|e| e.to_string())
        .and_then(|certificate| roots.add(certificate).map_err(|e| e.to_string()))
        .and_then(|()| {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|e| e.to_string())
        })
        .map(|config| config.with_root_certificates(roots).with_no_client_auth());
    let config = config.unwrap_or_else(|e| panic!("the certificate to trust: {e}"));
    let name = ServerName::try_from("localhost").ok()?;
    let client = ClientConnection::new(Arc::new(config), name).ok()?;
    let mut stream = StreamOwned::new(client, connect(address));
    stream.write_all(request).ok()?;
    Some(talk(&mut stream, b""))
}

/// A request, ready to be sent: the connection is closed behind it.
pub fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text =
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || method == "POST" || method == "PATCH" {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A socket that does not wait for ever.
///
/// # Panics
/// When there is no connection.
#[track_caller]
pub fn connect(address: &str) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap_or_else(|e| panic!("{address}: {e}"));
    let _ = socket.set_read_timeout(Some(PATIENCE));
    socket
}

/// Text as one part of a query or form.
pub fn escape(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(b).to_string()
            }
            _ => format!("%{b:02X}"),
        })
        .collect()
}
