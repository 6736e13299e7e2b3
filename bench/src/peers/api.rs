//! A page of a hundred rows over HTTP, by `glovebox serve` and by FastAPI, from the same table.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use glovebox_tests::postgres::Postgres;

use super::python;
use crate::load::{Load, load};
use crate::{glovebox, median};

const TURNS: usize = 3;
const PATH: &str = "/sales?limit=100";
const ROWS: &str = "CREATE TABLE public.sales (id bigint PRIMARY KEY, customer_id text NOT NULL, \
                    product text, price double precision, quantity bigint); \
                    INSERT INTO public.sales SELECT n, md5(n::text), 'Halal Laptop ' || n % 97, \
                    n % 10000 / 100.0, n % 7 FROM generate_series(1, 100000) n; ANALYZE public.sales";
const KEY: &str = "a key for the benchmark, long enough";

/// By turns: one server runs at a time.
pub(crate) fn measure() -> anyhow::Result<Vec<String>> {
    let server = Postgres::start();
    let database = server.database("api");
    server.query(&database, ROWS);
    let (mut ours, mut theirs): (Vec<Load>, Vec<Load>) = Default::default();
    for _ in 0..TURNS {
        theirs.push(fastapi(&server, &database).context("FastAPI")?);
        ours.push(serve(&server, &database).context("glovebox serve")?);
    }
    let rate = |loads: &[Load]| median(loads.iter().map(|load| load.rate).collect());
    let p99 = |loads: &[Load]| median(loads.iter().map(|load| load.p99).collect());
    Ok(vec![
        format!(
            "| `GET {PATH}`, 32 connections: FastAPI, uvicorn (2 workers), psycopg | {:.0} requests/s, p99 {:.1} ms | |",
            rate(&theirs),
            p99(&theirs)
        ),
        format!(
            "| the same: glovebox, with a synced audit record a request | {:.0} requests/s, p99 {:.1} ms: {:.1} × FastAPI | ≥ 10 ×, p99 lower |",
            rate(&ours),
            p99(&ours),
            rate(&ours) / rate(&theirs)
        ),
    ])
}

/// A server under load; ended when dropped, with the processes that it started: their connections
/// would be missing in the next turn.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already, which the load has told.
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.0.wait();
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn serve(server: &Postgres, database: &str) -> anyhow::Result<Load> {
    let folder = tempfile::tempdir()?;
    let port = free_port()?;
    let configuration = format!(
        "listen: 127.0.0.1:{port}
catalog: {{ sqlite: {{ path: catalog.db }} }}
credentials: [env, {{ files: secrets }}]
tokens: {{ keys: [api/token-key] }}
audit: {{ folder: audit }}
limits: {{ requests-a-minute-by-address: 1000000, requests-a-minute-by-user: 1000000 }}
datasets:
  sales:
    postgres: {{ host: {}, port: {}, database: {database}, user: {}, password: {{ secret: password }}, \
         tls: {{ ca: \"{}\" }}, connections: 8, table: public.sales }}
    columns:
      id: {{ type: int64, not-null: true }}
      customer_id: {{ type: text, not-null: true }}
      product: {{ type: text }}
      price: {{ type: float64 }}
      quantity: {{ type: int64 }}
    key: [id]
",
        server.host(),
        server.port(),
        server.user(),
        server.ca_path().display()
    );
    let path = folder.path().join("glovebox.yaml");
    std::fs::write(&path, configuration)?;
    let mut child = Command::new(glovebox::program()?)
        .args(["serve", "--demo", "--log", "warn", "--config"])
        .arg(&path)
        .env("GLOVEBOX_SECRET_PASSWORD", server.password())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let said = child.stdout.take().context("no standard output")?;
    let _running = Running(child);
    // Held to the end: a program whose standard output is closed may take it as a wish to stop.
    let mut said = BufReader::new(said).lines();
    let password = said
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| {
            Some(
                line.split_once("password=")?
                    .1
                    .split('"')
                    .next()?
                    .to_owned(),
            )
        })
        .context("it printed no password")?;
    let form = format!("username=admin&password={password}");
    let answer = post(port, "/token", &form)?;
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    let token = answer.get("access_token").and_then(|t| t.as_str());
    load(port, PATH, token.context("no token")?)
}

fn fastapi(server: &Postgres, database: &str) -> anyhow::Result<Load> {
    let port = free_port()?;
    let token = Command::new(python()?)
        .args([
            "-c",
            "import jwt, sys; print(jwt.encode({'sub': 'admin'}, sys.argv[1], 'HS256'))",
        ])
        .arg(KEY)
        .output()?;
    ensure!(token.status.success(), "PyJWT made no token");
    let token = String::from_utf8(token.stdout)?;
    let mut command = Command::new(python()?);
    server.set_environment(&mut command, database);
    command
        .args([
            "-m",
            "uvicorn",
            "api:app",
            "--workers",
            "2",
            "--no-access-log",
        ])
        .args(["--log-level", "warning", "--port", &port.to_string()])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/peers"))
        .env("KEY", KEY)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .process_group(0);
    let _running = Running(command.spawn()?);
    let started = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        ensure!(
            started.elapsed() < Duration::from_secs(60),
            "it does not start"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    // Both workers open their pools.
    std::thread::sleep(Duration::from_secs(3));
    load(port, PATH, token.trim())
}

/// A form's reply.
fn post(port: u16, path: &str, form: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
        form.len()
    )?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    let (_, body) = reply.split_once("\r\n\r\n").context("no reply")?;
    Ok(body.to_owned())
}
