//! Stores of objects that others have written, behind TLS: moto, which plays S3, and Azurite, which plays Azure.
//! What is between them and the program can be told to fail.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use tempfile::TempDir;

use crate::http::{Reply, attempt};
use crate::outside::{Answer, Asked, Outside, free_port};

/// Longer than any of them takes to start.
const PATIENCE: Duration = Duration::from_secs(90);
/// moto looks for a login and does not verify it.
const LOGIN: &str = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, \
                     SignedHeaders=host, Signature=00";

/// The account that Azurite has, and its key, which its manual publishes.
pub const ACCOUNT: &str = "devstoreaccount1";
/// See [`ACCOUNT`].
pub const ACCOUNT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// What happens to a request on its way.
pub enum Fate {
    /// It is heard, and its answer too.
    Passes,
    /// This is answered instead; the store does not hear of it.
    Answered(Answer),
    /// It is heard, and its answer is lost.
    AnswerLost,
}

type Decides = Box<dyn FnMut(&Asked) -> Fate + Send>;

/// A store that ends with the test.
pub struct Emulator {
    /// What the program asks.
    pub front: Outside,
    port: u16,
    decides: Arc<Mutex<Decides>>,
    folder: TempDir,
    child: Child,
}

impl Emulator {
    /// moto, if it is installed.
    pub fn moto() -> Option<Emulator> {
        let program = tools("objects")?.join("bin/moto_server");
        Some(Emulator::start(|port, _| {
            let mut command = Command::new(program);
            command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
            command
        }))
    }

    /// Azurite, if it is installed.
    pub fn azurite() -> Option<Emulator> {
        let program = tools("azurite")?.join("node_modules/.bin/azurite-blob");
        Some(Emulator::start(|port, folder| {
            let mut command = Command::new(program);
            command
                .args(["--silent", "--inMemoryPersistence", "--skipApiVersionCheck"])
                .args(["--disableTelemetry", "--blobPort", &port.to_string()])
                .current_dir(folder.path());
            command
        }))
    }

    /// Asks for what is at `container/blob` of Azure, signed by the account's key as Azure's manual says under
    /// "Authorize with Shared Key".
    ///
    /// # Panics
    /// When it does not answer.
    pub fn azure(&self, method: &str, at: &str, query: &[(&str, &str)], body: &[u8]) -> Reply {
        let length = match body.len() {
            0 => String::new(),
            length => length.to_string(),
        };
        let mut headers = vec![
            (
                "x-ms-date".to_owned(),
                "Fri, 27 Nov 2026 12:00:00 GMT".to_owned(),
            ),
            ("x-ms-version".to_owned(), "2024-11-04".to_owned()),
        ];
        if method == "PUT" && query.is_empty() {
            headers.insert(0, ("x-ms-blob-type".to_owned(), "BlockBlob".to_owned()));
        }
        let mut signed = format!("{method}\n\n\n{length}\n\n\n\n\n\n\n\n\n");
        for (name, value) in &headers {
            signed.push_str(&format!("{name}:{value}\n"));
        }
        signed.push_str(&format!("/{ACCOUNT}/{ACCOUNT}/{at}"));
        for (name, value) in query {
            signed.push_str(&format!("\n{name}:{value}"));
        }
        let key = told(STANDARD.decode(ACCOUNT_KEY));
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let signature = STANDARD.encode(hmac::sign(&key, signed.as_bytes()));
        headers.push((
            "authorization".to_owned(),
            format!("SharedKey {ACCOUNT}:{signature}"),
        ));
        let query: Vec<_> = query.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let question = if query.is_empty() { "" } else { "?" };
        let asked = Asked {
            method: method.to_owned(),
            target: format!("/{ACCOUNT}/{at}{question}{}", query.join("&")),
            headers,
            body: body.to_vec(),
        };
        passed(self.port, &asked).unwrap_or_else(|| panic!("the store does not answer"))
    }

    fn start(command: impl FnOnce(u16, &TempDir) -> Command) -> Emulator {
        let folder = told(tempfile::tempdir());
        let port = free_port();
        let mut command = command(port, &folder);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = told(command.spawn());
        let since = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(since.elapsed() < PATIENCE, "the store does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        let decides: Arc<Mutex<Decides>> = Arc::new(Mutex::new(Box::new(|_| Fate::Passes)));
        let asked = Arc::clone(&decides);
        let front = Outside::start(move |request| {
            let fate = (asked.lock().unwrap_or_else(PoisonError::into_inner))(request);
            match fate {
                Fate::Answered(answer) => answer,
                Fate::Passes if is_of_another_version(port, request) => {
                    Answer::Reply(412, Vec::new(), Vec::new())
                }
                Fate::Passes => passed(port, request).map_or(Answer::HangUp, answer),
                Fate::AnswerLost => {
                    passed(port, request);
                    Answer::HangUp
                }
            }
        });
        let emulator = Emulator {
            front,
            port,
            decides,
            folder,
            child,
        };
        told(fs::write(emulator.ca(), &emulator.front.ca));
        emulator
    }

    /// The file of the certificate that clients have to trust.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("https://{}", self.front.address)
    }

    /// Its URL in plain text, past the front, as a machine's metadata is asked.
    pub fn plain_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Lets this decide what happens to each request from now on.
    pub fn decide(&self, decides: impl FnMut(&Asked) -> Fate + Send + 'static) {
        *self.decides.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(decides);
    }

    /// Makes a bucket of S3.
    ///
    /// # Panics
    /// When it cannot.
    pub fn bucket(&self, name: &str) {
        let made = self.ask("PUT", &format!("/{name}"), b"");
        assert_eq!(made.status, 200, "{}", made.text());
    }

    /// Puts an object of S3 at `bucket/key`, past the front.
    ///
    /// # Panics
    /// When it cannot.
    pub fn put(&self, at: &str, bytes: impl AsRef<[u8]>) {
        let put = self.ask("PUT", &format!("/{at}"), bytes.as_ref());
        assert_eq!(put.status, 200, "{}", put.text());
    }

    /// The bytes of the object of S3 at `bucket/key`, past the front.
    ///
    /// # Panics
    /// When the store fails.
    pub fn get(&self, at: &str) -> Option<Vec<u8>> {
        let found = self.ask("GET", &format!("/{at}"), b"");
        match found.status {
            200 => Some(found.body),
            404 => None,
            status => panic!("{status}: {}", found.text()),
        }
    }

    /// How many uploads in parts a bucket of S3 has that were neither published nor taken back.
    pub fn unfinished(&self, bucket: &str) -> usize {
        let found = self.ask("GET", &format!("/{bucket}?uploads="), b"");
        assert_eq!(found.status, 200, "{}", found.text());
        found.text().matches("<UploadId>").count()
    }

    fn ask(&self, method: &str, target: &str, body: &[u8]) -> Reply {
        let asked = Asked {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: vec![("authorization".to_owned(), LOGIN.to_owned())],
            body: body.to_vec(),
        };
        passed(self.port, &asked).unwrap_or_else(|| panic!("the store does not answer"))
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folder of a tool, if it is installed; else it is said that it is not.
pub fn tools(name: &str) -> Option<PathBuf> {
    let here = told(std::env::current_exe());
    let target = here
        .ancestors()
        .find(|folder| folder.join("tools").is_dir());
    let folder = target.map(|target| target.join("tools").join(name));
    let installed = folder.filter(|folder| folder.join("installed").is_file());
    if installed.is_none() {
        let said = format!(
            "\nnot run: stores of objects are not tested against {name}; `cargo xtask tools` installs it\n"
        );
        told(std::io::stderr().write_all(said.as_bytes()));
    }
    installed
}

/// Whether parts are to be made an object in the place of one that is not there any more. S3 looks at that
/// condition; moto looks at `If-None-Match` only.
fn is_of_another_version(port: u16, asked: &Asked) -> bool {
    let Some(version) = asked.header("if-match").filter(|_| asked.method == "POST") else {
        return false;
    };
    let there = passed(
        port,
        &Asked {
            method: "HEAD".to_owned(),
            target: asked
                .target
                .split('?')
                .next()
                .unwrap_or_default()
                .to_owned(),
            headers: vec![("authorization".to_owned(), LOGIN.to_owned())],
            body: Vec::new(),
        },
    );
    there.is_some_and(|there| there.header("etag") != Some(version))
}

/// Hands a request on, in plain text.
fn passed(port: u16, asked: &Asked) -> Option<Reply> {
    // AWS takes an action in the query or as a form, moto as a form only.
    if let Some(action) = asked.target.strip_prefix("/?Action=") {
        let mut form = asked.clone();
        form.target = "/".to_owned();
        form.body = format!("Action={action}").into_bytes();
        let kind = "application/x-www-form-urlencoded".to_owned();
        form.headers.push(("content-type".to_owned(), kind));
        return passed(port, &form);
    }
    let mut request = format!("{} {} HTTP/1.1\r\n", asked.method, asked.target);
    let given = asked.headers.iter().filter(|(name, _)| {
        !["connection", "content-length", "transfer-encoding", "host"].contains(&name.as_str())
    });
    for (name, value) in given {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    let ours = format!("localhost:{port}");
    let host = asked.header("host").unwrap_or(&ours);
    request.push_str(&format!("host: {host}\r\n"));
    request.push_str(&format!(
        "content-length: {}\r\nconnection: close\r\n\r\n",
        asked.body.len()
    ));
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(&asked.body);
    attempt(&format!("127.0.0.1:{port}"), &bytes)
}

fn answer(reply: Reply) -> Answer {
    let kept = reply.headers.into_iter();
    let kept =
        kept.filter(|(name, _)| !["connection", "transfer-encoding"].contains(&name.as_str()));
    Answer::Reply(reply.status, kept.collect(), reply.body)
}

fn told<T, E: std::fmt::Debug>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("a store of the test's: {error:?}"))
}
