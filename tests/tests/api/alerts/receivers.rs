//! Who gets alerts: a webhook's receiver, and the real Alertmanager and a mail server where they
//! are installed.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use glovebox_tests::pipeline::program;
use rcgen::generate_simple_self_signed;
use serde_json::Value;

/// How long something may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);
/// No secret of anybody's.
pub(super) const MAIL_PASSWORD: &str = "a password for mail";

/// A request, as a webhook's receiver sees it.
#[derive(Debug, Clone)]
struct Hook {
    headers: Vec<(String, String)>,
    body: String,
}

impl Hook {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(n, _)| n == name);
        &found.unwrap_or_else(|| panic!("no {name}")).1
    }
}

/// A receiver of webhooks.
pub(super) struct Hooks {
    pub(super) url: String,
    got: Arc<Mutex<Vec<Hook>>>,
}

impl Hooks {
    pub(super) fn listen() -> Hooks {
        Hooks::failing(0)
    }

    /// One that answers 500 so often first.
    pub(super) fn failing(mut times: usize) -> Hooks {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let got = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&got);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let hook = receive(&stream);
                kept.lock().unwrap().push(hook);
                let status = if times > 0 { "500 No" } else { "204 Taken" };
                times = times.saturating_sub(1);
                let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            }
        });
        Hooks { url, got }
    }

    pub(super) fn alerts(&self) -> Vec<Value> {
        let got = self.got.lock().unwrap();
        got.iter()
            .map(|hook| serde_json::from_str::<Value>(&hook.body).unwrap()["data"].clone())
            .collect()
    }

    /// What was told until now counts no more.
    pub(super) fn forget(&self) {
        self.got.lock().unwrap().clear();
    }

    pub(super) fn rules(&self) -> Vec<String> {
        let alerts = self.alerts();
        alerts
            .iter()
            .map(|alert| alert["rule"].to_string())
            .collect()
    }

    pub(super) fn alert(&self, rule: &str) -> Option<Value> {
        self.alerts()
            .into_iter()
            .find(|alert| alert["rule"] == rule)
    }

    pub(super) fn ids(&self) -> Vec<String> {
        let got = self.got.lock().unwrap();
        got.iter()
            .map(|hook| hook.header("webhook-id").to_owned())
            .collect()
    }

    /// Has the reference library verify every signature.
    pub(super) fn verify(&self, key: &str) {
        let Some(python) = python() else { return };
        for hook in self.got.lock().unwrap().iter() {
            let headers: serde_json::Map<_, _> =
                ["webhook-id", "webhook-timestamp", "webhook-signature"]
                    .iter()
                    .map(|name| ((*name).to_owned(), hook.header(name).into()))
                    .collect();
            let script = "import json, sys; from standardwebhooks.webhooks import Webhook; \
                          Webhook(sys.argv[1]).verify(sys.argv[2], json.loads(sys.argv[3]))";
            let verified = Command::new(&python)
                .args(["-c", script, key, &hook.body])
                .arg(Value::Object(headers).to_string())
                .output()
                .unwrap();
            assert!(verified.status.success(), "{verified:?}");
        }
    }
}

fn receive(stream: &TcpStream) -> Hook {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let headers: Vec<(String, String)> = lines
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    Hook {
        headers,
        body: String::from_utf8(body).unwrap(),
    }
}

fn tools() -> PathBuf {
    let target = program()
        .parent()
        .and_then(Path::parent)
        .map(Path::to_owned);
    target.unwrap().join("tools")
}

fn python() -> Option<PathBuf> {
    let python = tools().join("alerts/bin/python");
    if !python.is_file() {
        eprintln!("not run: `cargo xtask tools` installs what verifies webhooks and takes mail");
        return None;
    }
    Some(python)
}

/// A process that ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The real Alertmanager.
pub(super) struct Alertmanager {
    pub(super) url: String,
    address: String,
    _process: Ends,
    _folder: tempfile::TempDir,
}

impl Alertmanager {
    pub(super) fn start() -> Option<Alertmanager> {
        let installed = tools().join("prometheus-alertmanager/usr/bin/prometheus-alertmanager");
        if !installed.is_file() {
            eprintln!("not run: `cargo xtask tools` installs Alertmanager");
            return None;
        }
        let namespaces = Command::new("unshare").args(["-rm", "true"]).output();
        if !namespaces.is_ok_and(|made| made.status.success()) {
            eprintln!(
                "not run: Alertmanager's folder of templates is made in a namespace of its own"
            );
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("alertmanager.yml");
        fs::write(
            &config,
            "route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n",
        )
        .unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        // Debian's looks for its templates there, wherever it is itself.
        let script = "mount -t tmpfs none /usr/share; mkdir /usr/share/prometheus; \
                      cp -r \"$0\" /usr/share/prometheus; exec \"$@\"";
        let mut unshare = Command::new("unshare");
        unshare.args(["-rm", "sh", "-ec", script]);
        let child = unshare
            .arg(tools().join("prometheus-alertmanager/usr/share/prometheus/alertmanager"))
            .arg(installed)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.path().display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = Alertmanager {
            url: format!("http://{address}"),
            address,
            _process: Ends(child),
            _folder: folder,
        };
        let begun = Instant::now();
        while TcpStream::connect(&started.address).is_err() {
            assert!(begun.elapsed() < PATIENCE, "Alertmanager does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(started)
    }

    /// The alert of that name, once it has it.
    pub(super) fn alert(&self, name: &str) -> Value {
        let begun = Instant::now();
        loop {
            let request = glovebox_tests::http::request("GET", "/api/v2/alerts", &[], b"");
            let alerts = glovebox_tests::http::raw(&self.address, &request)
                .is(200)
                .json();
            let mut alerts = alerts.as_array().unwrap().iter();
            if let Some(alert) = alerts.find(|alert| alert["labels"]["alertname"] == name) {
                return alert.clone();
            }
            assert!(begun.elapsed() < PATIENCE, "Alertmanager has no {name}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A mail server that takes mail only over TLS, and from one user.
pub(super) struct MailServer {
    pub(super) port: u16,
    pub(super) certificate: String,
    mails: Receiver<String>,
    _process: Ends,
    _folder: tempfile::TempDir,
}

const MAIL_SERVER: &str = r#"
import socket, ssl, sys, time
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

class Print:
    async def handle_DATA(self, server, session, envelope):
        text = envelope.content.decode().replace("\r\n", "\n")
        print(text.replace("\n", "\t"), flush=True)
        return "250 taken"

def authenticate(server, session, envelope, mechanism, data):
    right = data.login == b"glovebox" and data.password.decode() == sys.argv[2]
    return AuthResult(success=right)

context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(sys.argv[1] + "/cert.pem", sys.argv[1] + "/key.pem")
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
controller = Controller(Print(), hostname="127.0.0.1", port=port, tls_context=context, require_starttls=True,
                        authenticator=authenticate, auth_required=True)
controller.start()
print(port, flush=True)
time.sleep(600)
"#;

impl MailServer {
    pub(super) fn start() -> Option<MailServer> {
        let python = python()?;
        let folder = tempfile::tempdir().unwrap();
        let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        fs::write(folder.path().join("cert.pem"), &certificate).unwrap();
        fs::write(folder.path().join("key.pem"), key).unwrap();
        let mut child = Command::new(python)
            .args(["-c", MAIL_SERVER])
            .arg(folder.path())
            .arg(MAIL_PASSWORD)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap().parse().unwrap();
        let (sender, mails) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(line.replace('\t', "\n")).is_err() {
                    return;
                }
            }
        });
        Some(MailServer {
            port,
            certificate,
            mails,
            _process: Ends(child),
            _folder: folder,
        })
    }

    pub(super) fn next(&self) -> String {
        self.mails.recv_timeout(PATIENCE).unwrap()
    }
}
