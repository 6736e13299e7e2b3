//! The log's lines to syslog, beside standard error: what is logged, and what commands say of errors and ends.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, anyhow};
use glovebox_outbound::https::{Address, Client, Plain};
pub(super) use glovebox_outbound::syslog::Severity;
use glovebox_outbound::syslog::{Lines, Syslog};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// The end of the program waits so long for lines that are on their way.
const LAST: Duration = Duration::from_secs(2);
/// The port of syslog over TLS (RFC 5425).
const PORT: u16 = 6514;

static LINES: OnceLock<Lines> = OnceLock::new();

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Send logs to syslog, too: to a socket of this machine such as /dev/log, or to HOST[:PORT] over TLS.
    #[arg(long, global = true, value_name = "SOCKET|HOST", value_parser = place)]
    syslog: Option<Place>,
    /// A PEM file of authorities to trust for that host, instead of the built-in ones.
    #[arg(long, global = true, value_name = "FILE")]
    syslog_ca: Option<PathBuf>,
}

#[derive(Debug, Clone)]
enum Place {
    Socket(PathBuf),
    Server(Address),
}

fn place(text: &str) -> Result<Place, String> {
    if text.starts_with('/') {
        return Ok(Place::Socket(text.into()));
    }
    let has_port = match text.rsplit_once(':') {
        Some((_, port)) => !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()),
        None => false,
    };
    let address = match has_port {
        true => format!("https://{text}"),
        false => format!("https://{text}:{PORT}"),
    };
    let plain = !text.contains(['/', '?']);
    let address = Address::parse(&address, Plain::Never).map_err(str::to_owned);
    match address {
        Ok(address) if plain => Ok(Place::Server(address)),
        Err(problem) if plain => Err(problem),
        _ => Err("write the absolute path of a socket, or a host with or without a port".into()),
    }
}

/// Begins to send, if that is wanted.
pub(super) fn start(args: &Args) -> anyhow::Result<()> {
    let to = match &args.syslog {
        None if args.syslog_ca.is_some() => {
            return Err(anyhow!("`--syslog-ca` is for `--syslog HOST`"));
        }
        None => return Ok(()),
        Some(Place::Socket(path)) => Syslog::Socket(path.clone()),
        Some(Place::Server(address)) => {
            let ca = args.syslog_ca.as_ref().map(|file| {
                let read = std::fs::read(file);
                read.with_context(|| format!("cannot read `--syslog-ca` {}", file.display()))
            });
            let client = Client::new(ca.transpose()?.as_deref()).context("`--syslog-ca`")?;
            Syslog::Server(Box::new((address.clone(), client)))
        }
    };
    let lines = Lines::start(to, |error| {
        eprintln!(
            "note: logs do not reach syslog, and are sent when it is back, as far as they are kept: {error}"
        );
    });
    let _ = LINES.set(lines.context("`--syslog`")?);
    Ok(())
}

/// A line that is on standard error.
pub(super) fn add(severity: Severity, text: &str) {
    if let Some(lines) = LINES.get() {
        lines.add(severity, text);
    }
}

/// Sends what is left.
pub(super) fn stop() {
    let lost = LINES.get().map_or(0, |lines| lines.close(LAST));
    if lost > 0 {
        eprintln!("note: {lost} lines of the log did not reach syslog");
    }
}

/// Where a layer of logs writes; none if nobody wants them.
pub(super) fn writer() -> Option<ToSyslog> {
    LINES.get().map(|_| ToSyslog)
}

/// Takes events, each as one text.
pub(super) struct ToSyslog;

pub(super) struct Event(Severity);

impl<'w> MakeWriter<'w> for ToSyslog {
    type Writer = Event;

    fn make_writer(&'w self) -> Event {
        Event(Severity::Info)
    }

    fn make_writer_for(&'w self, metadata: &Metadata<'_>) -> Event {
        Event(match *metadata.level() {
            Level::ERROR => Severity::Error,
            Level::WARN => Severity::Warning,
            Level::INFO => Severity::Info,
            Level::DEBUG | Level::TRACE => Severity::Debug,
        })
    }
}

impl Write for Event {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        add(self.0, &String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_socket_and_anything_else_a_host() {
        assert!(matches!(place("/dev/log"), Ok(Place::Socket(_))));
        for (text, authority) in [
            ("logs.example.org", "logs.example.org:6514"),
            ("10.0.0.1:7000", "10.0.0.1:7000"),
            ("[::1]", "[::1]:6514"),
            ("[::1]:7000", "[::1]:7000"),
        ] {
            match place(text) {
                Ok(Place::Server(address)) => assert_eq!(address.authority(), authority),
                other => panic!("{text}: {other:?}"),
            }
        }
        for bad in [
            "",
            "dev/log",
            "a b",
            "host:0",
            "host:99999",
            "user@host",
            "host?x",
        ] {
            assert!(place(bad).is_err(), "{bad}");
        }
    }
}
