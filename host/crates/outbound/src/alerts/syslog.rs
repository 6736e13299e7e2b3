//! Alerts to syslog: RFC 5424, to this machine's daemon by its socket, or to a server over TLS (RFC
//! 5425).

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use glovebox_monitor::{Alert, Severity};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixDatagram;

use super::{summary, time};
use crate::https::{Address, Client, Failure};

/// Security and authorization messages (RFC 5424, table 1).
const FACILITY: u8 = 10;
/// The number that RFC 5612 keeps for examples: we have none of our own.
const ENTERPRISE: &str = "32473";

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
    pub(super) async fn send(&self, alert: &Alert, within: Duration) -> Result<(), SyslogError> {
        let message = message(alert);
        match self {
            Syslog::Socket(path) => {
                let failed = |error: io::Error| SyslogError::Socket(error.kind());
                let socket = UnixDatagram::unbound().map_err(failed)?;
                socket.connect(path).map_err(failed)?;
                socket.send(message.as_bytes()).await.map_err(failed)?;
                Ok(())
            }
            Syslog::Server(server) => {
                let (address, client) = &**server;
                let write = async {
                    let mut stream = client.connect(address).await?;
                    // Counted, since a message may hold any byte (RFC 5425, section 4.3).
                    let frame = format!("{} {message}", message.len());
                    let sent = async {
                        stream.write_all(frame.as_bytes()).await?;
                        stream.shutdown().await
                    };
                    sent.await
                        .map_err(|error| Failure::Unreachable(error.kind()))
                };
                let written = tokio::time::timeout(within, write).await;
                Ok(written.unwrap_or(Err(Failure::TooSlow(within)))?)
            }
        }
    }
}

/// `<84>1 2026-11-23T10:00:00Z - glovebox - failed-logins [alert@32473 …] …`
pub(super) fn message(alert: &Alert) -> String {
    let rule = alert.rule;
    let severity = match rule.severity() {
        Severity::Critical => 2,
        Severity::Warning => 4,
        Severity::Info => 6,
    };
    let mut text = format!(
        "<{}>1 {} - glovebox {} {} [alert@{ENTERPRISE}",
        FACILITY * 8 + severity,
        time(alert),
        std::process::id(),
        rule.word()
    );
    for (label, value) in &alert.subject {
        let value = value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace(']', "\\]");
        let _ = write!(text, " {label}=\"{value}\"");
    }
    let _ = write!(
        text,
        "] {} {} {} ({})",
        summary(alert),
        rule.why(),
        rule.next(),
        alert.runbook
    );
    // One message is one line for whoever reads a file of them.
    text.replace(['\n', '\r'], " ")
}
