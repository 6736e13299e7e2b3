//! `glovebox serve` with nothing to do: how soon it is ready, and the memory that it holds.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::{glovebox, median};

const REPEATS: usize = 15;
/// It is given up that is not ready by then.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a start leaves to be done is done by then.
const SETTLED: Duration = Duration::from_secs(2);
const MANIFEST: &str = "\
name: sales
source: { csv: { path: sales.csv } }
columns:
  product: { type: text }
  price: { type: float64 }
sink: { sqlite: { path: sales.db, table: sales } }
";

/// The demo's server: its rows in SQLite, a key, checkpoints, users.
pub(crate) fn measure() -> anyhow::Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../data");
    std::fs::write(path("sales.csv"), "product,price\nLaptop,999.99\n")?;
    std::fs::write(path("sales.yaml"), MANIFEST)?;
    glovebox::run(&path("sales.yaml"))?;
    let demo = std::fs::read_to_string(format!("{data}/glovebox.yaml"))?;
    let (head, _) = demo.split_once("datasets:").context("no datasets")?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let config = format!(
        "{}datasets:
  sales:
    sqlite: {{ path: sales.db, table: sales }}
    columns: {{ product: {{ type: text }}, price: {{ type: float64 }} }}
    roles: {{ admin: {{}} }}
",
        head.replace("8000", &port.to_string())
    );
    std::fs::write(path("glovebox.yaml"), config)?;
    // Makes the key and a user.
    start(&path("glovebox.yaml"), port, &["--demo"])?;
    let (mut times, mut idle, mut own) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..REPEATS {
        let started = start(&path("glovebox.yaml"), port, &[])?;
        times.push(started.ready.as_secs_f64() * 1e3);
        idle.push(started.resident);
        own.push(started.anonymous);
    }
    Ok(vec![
        format!(
            "| `glovebox serve`, the demo's configuration: from exec to the first 200 of `/readyz` | {:.0} ms | ≤ 200 ms |",
            median(times)
        ),
        format!(
            "| its memory {} s later, without a request but that | {:.1} MiB resident, of them {:.1} MiB its own, the rest pages of the program | ≤ 40 MiB |",
            SETTLED.as_secs(),
            median(idle),
            median(own)
        ),
    ])
}

struct Started {
    ready: Duration,
    /// In MiB.
    resident: f64,
    anonymous: f64,
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // As its administrator does it, so that the next one finds everything closed.
        let id = self.0.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let _ = self.0.wait();
    }
}

fn start(config: &Path, port: u16, more: &[&str]) -> anyhow::Result<Started> {
    let begun = Instant::now();
    let child = Command::new(glovebox::program()?)
        .args(["serve", "--log", "warn", "--config"])
        .arg(config)
        .args(more)
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start glovebox")?;
    let mut running = Running(child);
    while !is_ready(port) {
        ensure!(running.0.try_wait()?.is_none(), "the server ended");
        ensure!(begun.elapsed() < PATIENCE, "the server is not ready");
        std::thread::sleep(Duration::from_millis(1));
    }
    let ready = begun.elapsed();
    std::thread::sleep(SETTLED);
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.0.id()))?;
    let mebibytes = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        kib.map(|kib| kib / 1024.0).context("no such size")
    };
    Ok(Started {
        ready,
        resident: mebibytes("VmRSS:")?,
        anonymous: mebibytes("RssAnon:")?,
    })
}

fn is_ready(port: u16) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        write!(
            stream,
            "GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    };
    ask().is_ok_and(|answer: String| answer.starts_with("HTTP/1.1 200"))
}
