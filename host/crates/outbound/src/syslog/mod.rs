//! Messages of syslog (RFC 5424): to this machine's daemon by its socket, or to a server over TLS (RFC 5425).

mod lines;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixDatagram};
use tokio_rustls::client::TlsStream;

use crate::https::{Address, Client, Failure};

pub use lines::{Lines, QUEUE};

/// The number that RFC 5612 keeps for examples: we have none of our own.
const ENTERPRISE: &str = "32473";
/// Bytes of a message: more are cut off, where receivers would do so anyway (RFC 5424, section 6.1).
const MAX_MESSAGE: usize = 8 << 10;

/// Who says it (RFC 5424, table 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facility {
    /// System daemons.
    Daemon = 3,
    /// Security and authorization messages.
    Security = 10,
}

/// How bad it is (RFC 5424, table 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Critical conditions.
    Critical = 2,
    /// Errors.
    Error = 3,
    /// Warnings.
    Warning = 4,
    /// Information.
    Info = 6,
    /// For debugging.
    Debug = 7,
}

/// A message.
#[derive(Debug)]
pub struct Message<'m> {
    /// Who says it.
    pub facility: Facility,
    /// How bad it is.
    pub severity: Severity,
    /// When it was said, to the second or finer.
    pub time: (DateTime<Utc>, SecondsFormat),
    /// What kind of message it is: at most 32 visible ASCII characters.
    pub id: &'m str,
    /// Structured data: its name before our number, and what is in it.
    pub data: Option<(&'m str, Vec<(&'m str, &'m str)>)>,
    /// What is said.
    pub text: &'m str,
}

/// As it is sent, `<84>1 2026-11-23T10:00:00Z - glovebox 7 failed-logins [alert@32473 …] …`: one line, for
/// whoever reads a file of them.
impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let priority = self.facility as u8 * 8 + self.severity as u8;
        let (time, to) = self.time;
        let (time, process) = (time.to_rfc3339_opts(to, true), std::process::id());
        let mut text = format!("<{priority}>1 {time} - glovebox {process} {} ", self.id);
        match &self.data {
            None => text.push('-'),
            Some((name, values)) => {
                text.push_str(&format!("[{name}@{ENTERPRISE}"));
                for (label, value) in values {
                    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
                    let value = value.replace(']', "\\]");
                    text.push_str(&format!(" {label}=\"{value}\""));
                }
                text.push(']');
            }
        }
        text.push(' ');
        text.push_str(self.text.trim_end());
        text.truncate(text.floor_char_boundary(MAX_MESSAGE));
        f.write_str(&text.replace(['\n', '\r'], " "))
    }
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SyslogError {
    /// The socket.
    #[error("the socket of syslog does not take it: {0}")]
    Socket(io::ErrorKind),
    /// The server.
    #[error(transparent)]
    Server(#[from] Failure),
}

/// Where messages go.
#[derive(Debug)]
pub enum Syslog {
    /// To the daemon of this machine.
    Socket(PathBuf),
    /// To a server, over TLS.
    Server(Box<(Address, Client)>),
}

impl Syslog {
    /// Sends one message.
    #[cfg(feature = "alerts")]
    pub(crate) async fn send(&self, message: &str, within: Duration) -> Result<(), SyslogError> {
        let mut open = self.open(within).await?;
        open.write(message, within).await?;
        open.close(within).await
    }

    async fn open(&self, within: Duration) -> Result<Open, SyslogError> {
        match self {
            Syslog::Socket(path) => {
                let socket = UnixDatagram::unbound().map_err(refused)?;
                socket.connect(path).map_err(refused)?;
                Ok(Open::Socket(socket))
            }
            Syslog::Server(server) => {
                let (address, client) = &**server;
                let connected = tokio::time::timeout(within, client.connect(address)).await;
                let stream = connected.unwrap_or(Err(Failure::TooSlow(within)))?;
                Ok(Open::Server(Box::new(stream)))
            }
        }
    }
}

/// A way to send messages on.
enum Open {
    Socket(UnixDatagram),
    Server(Box<TlsStream<TcpStream>>),
}

impl Open {
    async fn write(&mut self, message: &str, within: Duration) -> Result<(), SyslogError> {
        let sent = async {
            match self {
                Open::Socket(socket) => {
                    socket.send(message.as_bytes()).await.map_err(refused)?;
                }
                Open::Server(stream) => {
                    // Counted, since a message may hold any byte (RFC 5425, section 4.3).
                    let frame = format!("{} {message}", message.len());
                    stream.write_all(frame.as_bytes()).await.map_err(gone)?;
                    stream.flush().await.map_err(gone)?;
                }
            }
            Ok(())
        };
        in_time(sent, within).await
    }

    /// Whether the server has closed the connection, which says nothing else.
    async fn is_closed(&mut self) -> bool {
        match self {
            Open::Socket(_) => false,
            Open::Server(stream) => {
                let mut nothing = [0];
                let read = stream.read(&mut nothing);
                tokio::time::timeout(Duration::ZERO, read).await.is_ok()
            }
        }
    }

    async fn close(&mut self, within: Duration) -> Result<(), SyslogError> {
        match self {
            Open::Socket(_) => Ok(()),
            Open::Server(stream) => {
                let closed = async { stream.shutdown().await.map_err(gone) };
                in_time(closed, within).await
            }
        }
    }
}

async fn in_time(
    sent: impl Future<Output = Result<(), SyslogError>>,
    within: Duration,
) -> Result<(), SyslogError> {
    let sent = tokio::time::timeout(within, sent).await;
    sent.unwrap_or_else(|_| Err(Failure::TooSlow(within).into()))
}

fn refused(error: io::Error) -> SyslogError {
    SyslogError::Socket(error.kind())
}

fn gone(error: io::Error) -> SyslogError {
    Failure::Unreachable(error.kind()).into()
}
