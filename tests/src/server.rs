//! The real `glovebox serve`, on a port of its own.

use serde_json::Value;

use crate::http::{Reply, connect, escape, request, talk};
use crate::pipeline::{Pipeline, Running};

/// The password of every user that a test adds.
pub const PASSWORD: &str = "correct horse battery staple";

/// What every configuration of a test begins with.
pub const BASE: &str = "\
listen: 127.0.0.1:0
catalog: { sqlite: { path: catalog.db } }
credentials: [{ files: secrets }]
tokens: { keys: [token-key] }
audit: { folder: audit }
";

/// A key for tokens; no secret of anybody's.
pub const KEY: &str = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    /// Its folder.
    pub folder: Pipeline,
    running: Running,
    /// Where it listens.
    pub address: String,
}

impl Server {
    /// Starts a server with `BASE` and this configuration behind it.
    ///
    /// # Panics
    /// When it does not start, with what it said.
    #[track_caller]
    pub fn start(configuration: &str) -> Server {
        Server::start_in(Server::folder(configuration))
    }

    /// A folder with that configuration.
    pub fn folder(configuration: &str) -> Pipeline {
        Pipeline::empty()
            .file("glovebox.yaml", format!("{BASE}{configuration}"))
            .file("secrets/token-key", KEY)
    }

    /// Starts a server in a folder with a configuration.
    ///
    /// # Panics
    /// When it does not start, with what it said.
    #[track_caller]
    pub fn start_in(folder: Pipeline) -> Server {
        let mut running = folder.start(&["serve", "--log", "info"]);
        let mut address = String::new();
        running.until("it listens", |running| {
            let said = running.stdout();
            let url = said.split("listens on ").nth(1);
            let url = url.and_then(|u| u.split(';').next());
            address = url
                .and_then(|u| u.split("//").nth(1))
                .unwrap_or_default()
                .to_owned();
            !address.is_empty()
        });
        Server {
            folder,
            running,
            address,
        }
    }

    /// Adds a user with [`PASSWORD`] and these roles.
    ///
    /// # Panics
    /// When that fails.
    #[track_caller]
    pub fn user(&self, name: &str, roles: &[&str]) {
        let mut call = vec!["user", "add", name];
        for role in roles {
            call.extend(["--role", role]);
        }
        let ran = self.folder.call_with_input(&call, PASSWORD.as_bytes());
        let _ = ran.ends_with(0);
    }

    /// Sends a request and reads the reply.
    #[track_caller]
    pub fn call(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut socket = connect(&self.address);
        talk(&mut socket, &request(method, target, headers, body))
    }

    /// A `GET` with a token.
    #[track_caller]
    pub fn get(&self, target: &str, token: &str) -> Reply {
        let bearer = format!("Bearer {token}");
        self.call("GET", target, &[("Authorization", &bearer)], b"")
    }

    /// A request with a token and a JSON body.
    #[track_caller]
    pub fn send(&self, method: &str, target: &str, token: &str, body: &Value) -> Reply {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/json"),
        ];
        self.call(method, target, &headers, body.to_string().as_bytes())
    }

    /// A form to `/token`.
    #[track_caller]
    pub fn token(&self, form: &[(&str, &str)]) -> Reply {
        let body: Vec<String> = form
            .iter()
            .map(|(name, value)| format!("{name}={}", escape(value)))
            .collect();
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        self.call("POST", "/token", &headers, body.join("&").as_bytes())
    }

    /// An access token and a refresh token of a user.
    ///
    /// # Panics
    /// When the login fails.
    #[track_caller]
    pub fn log_in(&self, name: &str) -> (String, String) {
        let reply = self.token(&[("username", name), ("password", PASSWORD)]);
        let told = reply.is(200).json();
        let text = |field: &str| {
            let member = told.get(field).and_then(Value::as_str);
            member.unwrap_or_default().to_owned()
        };
        (text("access_token"), text("refresh_token"))
    }

    /// The audit log, a record a line.
    ///
    /// # Panics
    /// When a line is no JSON.
    #[track_caller]
    pub fn audit(&self) -> Vec<Value> {
        let log = self.audit_text();
        let lines = log.lines().map(serde_json::from_str);
        lines.map(|l| l.unwrap_or_else(|e| panic!("{e}"))).collect()
    }

    /// The audit log as it stands on the disk.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn audit_text(&self) -> String {
        self.folder.read("audit/audit-0000000001.jsonl")
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.running.stderr()
    }

    /// Ends it by a signal, and leaves its folder for another one.
    ///
    /// # Panics
    /// When it does not end.
    pub fn leave(self, signal: &str) -> Pipeline {
        self.running.signal(signal);
        let _ = self.running.end();
        self.folder
    }

    /// Sends it a signal, and waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(self, signal: &str) -> crate::pipeline::Ran {
        self.running.signal(signal);
        self.running.end()
    }
}
