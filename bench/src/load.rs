//! A load of one request over many connections that stay open.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

/// Clients that ask at the same time, each the next time when it has its reply.
const CLIENTS: usize = 32;
const WARM_UP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(8);

/// What a server did.
pub(crate) struct Load {
    /// Replies a second.
    pub(crate) rate: f64,
    /// The 99th of a hundred times to a reply, in milliseconds.
    pub(crate) p99: f64,
}

/// Asks `path` of a server on this machine.
pub(crate) fn load(port: u16, path: &str, token: &str) -> anyhow::Result<Load> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    );
    let (measuring, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut times = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| client(port, &request, &measuring, &done)))
            .collect();
        std::thread::sleep(WARM_UP);
        measuring.store(true, Ordering::Relaxed);
        std::thread::sleep(MEASURED);
        done.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for client in clients {
            match client.join() {
                Ok(times) => all.extend(times?),
                Err(_) => bail!("a client panicked"),
            }
        }
        Ok(all)
    })?;
    times.sort_by(f64::total_cmp);
    let p99 = times.get(times.len() * 99 / 100).copied();
    Ok(Load {
        rate: times.len() as f64 / MEASURED.as_secs_f64(),
        p99: p99.context("no replies")? * 1e3,
    })
}

/// The seconds to each reply.
fn client(
    port: u16,
    request: &str,
    measuring: &AtomicBool,
    done: &AtomicBool,
) -> anyhow::Result<Vec<f64>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).context("cannot connect")?;
    stream.set_nodelay(true)?;
    let mut replies = BufReader::with_capacity(1 << 16, stream.try_clone()?);
    let mut times = Vec::new();
    let (mut body, mut length) = (Vec::new(), None);
    while !done.load(Ordering::Relaxed) {
        let asked = Instant::now();
        stream.write_all(request.as_bytes())?;
        reply(&mut replies, &mut body)?;
        if measuring.load(Ordering::Relaxed) {
            times.push(asked.elapsed().as_secs_f64());
        }
        ensure!(
            *length.get_or_insert(body.len()) == body.len(),
            "replies of another length"
        );
    }
    Ok(times)
}

/// Reads one reply's body, by its length or in chunks.
fn reply(from: &mut impl BufRead, body: &mut Vec<u8>) -> anyhow::Result<()> {
    body.clear();
    let status = line(from)?;
    let (mut length, mut chunked) = (0, false);
    loop {
        let header = line(from)?.to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        chunked |= header == "transfer-encoding: chunked";
    }
    if chunked {
        loop {
            let size = u64::from_str_radix(&line(from)?, 16)?;
            from.by_ref().take(size).read_to_end(body)?;
            line(from)?;
            if size == 0 {
                break;
            }
        }
    } else {
        from.by_ref().take(length).read_to_end(body)?;
    }
    ensure!(status.contains(" 200 "), "the server says {status}");
    Ok(())
}

fn line(from: &mut impl BufRead) -> anyhow::Result<String> {
    let mut line = String::new();
    let read = from.read_line(&mut line)?;
    ensure!(read > 0, "the server closed a connection");
    line.truncate(line.trim_end().len());
    Ok(line)
}
