//! A server that answers like HashiCorp Vault's HTTP API, over TLS, and fails as one is told to.
//!
//! Its answers have the shapes of the API's documentation, `website/content/api-docs` of
//! github.com/hashicorp/vault: `index` (statuses, errors, headers) at commit 085996f,
//! `secret/kv/kv-v2` at 0102d6b, `auth/token` at 18bdf5a, `auth/approle` at 051cff9,
//! `auth/kubernetes` at 0a7434a, `auth/cert` at 01b98df, `secret/transit` at 5e2bdc1. Whatever a server may say in words of its own holds [`SAID`], which
//! no client may repeat.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};

use crate::outside::{Answer, Asked, Outside};

/// What the server says, where it may say what it likes.
pub const SAID: &str = "canary-server-said-5d1c";
/// The role's id of the login by AppRole.
pub const ROLE_ID: &str = "59d6d1ca-47bb-4e7e-a40b-8be3bc5a0ba8";

/// The server.
pub struct Vault {
    /// What it listens on, and what it was asked.
    pub outside: Outside,
    state: Arc<Mutex<State>>,
}

/// What it knows.
#[derive(Default)]
pub struct State {
    /// Where its KV engine is mounted.
    pub mount: String,
    /// The namespace that has to be named, if any.
    pub namespace: Option<String>,
    /// Entries by their path below the mount; a version that is deleted has no data.
    pub entries: HashMap<String, Vec<Option<Value>>>,
    /// Keys of its Transit engine at `transit` by their names: their versions, and the first that may be used.
    pub keys: HashMap<String, (Vec<Vec<u8>>, usize)>,
    /// How many more requests for masks it answers, and what it says to all that come after them.
    pub fails_after: Option<(usize, Answer)>,
    /// How paths begin that no token's policies allow.
    pub denied: Vec<&'static str>,
    /// Tokens that are good, with what is left of them in seconds (0: no end) and whether they may
    /// be renewed.
    pub tokens: HashMap<String, (u64, bool)>,
    /// What proves who one is, by the login's path: a secret ID, a service account's token; an empty
    /// one where the connection's certificate proves it.
    pub proofs: HashMap<String, String>,
    /// What a login grants: seconds, and whether they may be renewed.
    pub grants: (u64, bool),
    /// What a renewal grants, in seconds.
    pub renewed: u64,
    /// What it answers instead, one a question.
    pub faults: VecDeque<Answer>,
    /// What it answers instead to every question.
    pub broken: Option<Answer>,
    logins: usize,
}

impl Vault {
    /// Starts one with an empty engine at `secret`.
    pub fn start() -> Vault {
        Vault::behind(Outside::start)
    }

    /// Starts one for clients that show a certificate of this authority (PEM).
    pub fn start_for(clients: &str) -> Vault {
        Vault::behind(|answer| Outside::start_for(clients, answer))
    }

    fn behind(start: impl FnOnce(Box<dyn Fn(&Asked) -> Answer + Send + Sync>) -> Outside) -> Vault {
        let state = Arc::new(Mutex::new(State {
            mount: "secret".into(),
            grants: (1200, true),
            renewed: 1200,
            ..State::default()
        }));
        let within = Arc::clone(&state);
        let outside = start(Box::new(move |asked: &Asked| {
            let mut state = within.lock().unwrap_or_else(PoisonError::into_inner);
            state.answer(asked)
        }));
        Vault { outside, state }
    }

    /// What it knows, to be changed.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("https://{}", self.outside.address)
    }

    /// Writes a new version of an entry with one field, `value`.
    pub fn write(&self, path: &str, secret: &str) {
        self.write_entry(path, json!({ "value": secret, "owner": SAID }));
    }

    /// Writes a new version of an entry.
    pub fn write_entry(&self, path: &str, data: Value) {
        let mut state = self.state();
        let versions = state.entries.entry(path.to_owned()).or_default();
        versions.push(Some(data));
    }

    /// Makes a new version of a key of the Transit engine, of these bytes.
    pub fn make_key(&self, name: &str, key: &[u8]) {
        let mut state = self.state();
        let (versions, _) = state.keys.entry(name.to_owned()).or_default();
        versions.push(key.to_vec());
    }

    /// Makes a token good.
    pub fn allow(&self, token: &str) {
        self.state().tokens.insert(token.to_owned(), (0, false));
    }

    /// Makes a login good that is proved so.
    pub fn prove(&self, path: &str, proof: &str) {
        let mut state = self.state();
        state.proofs.insert(path.to_owned(), proof.to_owned());
    }

    /// Makes every token so far worthless, as a revocation does.
    pub fn revoke(&self) {
        self.state().tokens.clear();
    }

    /// How often somebody logged in.
    pub fn logins(&self) -> usize {
        self.state().logins
    }

    /// How often a path of the API was asked, whatever the query.
    pub fn times(&self, path: &str) -> usize {
        let path = format!("/v1/{path}");
        let asked = self.outside.asked();
        let is = |asked: &&Asked| asked.target.split('?').next() == Some(&path);
        asked.iter().filter(is).count()
    }
}

impl State {
    fn answer(&mut self, asked: &Asked) -> Answer {
        if let Some(fault) = self.faults.pop_front().or_else(|| self.broken.clone()) {
            return fault;
        }
        if asked.header("x-vault-request") != Some("true") {
            return errors(412, &[SAID]);
        }
        if asked.header("x-vault-namespace") != self.namespace.as_deref() {
            return errors(404, &[SAID]);
        }
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        let path = path.strip_prefix("/v1/").unwrap_or(path);
        match (asked.method.as_str(), path) {
            ("POST", path) if path.starts_with("auth/") && path.ends_with("/login") => {
                self.log_in(path, &asked.body)
            }
            (method, path) => {
                let token = asked.header("x-vault-token").unwrap_or_default().to_owned();
                let denied = self.denied.iter().any(|prefix| path.starts_with(prefix));
                if denied || !self.tokens.contains_key(&token) {
                    return errors(403, &["permission denied", SAID]);
                }
                match (method, path) {
                    ("GET", "auth/token/lookup-self") => self.look_up(&token),
                    ("POST", "auth/token/renew-self") => self.renew(&token),
                    ("POST", path) if path.starts_with("transit/hmac/") => {
                        self.hmac(path, &asked.body)
                    }
                    ("GET", path) if path.starts_with("transit/keys/") => self.key(path),
                    ("GET", path) => self.read(path, query),
                    _ => errors(405, &[SAID]),
                }
            }
        }
    }

    fn log_in(&mut self, path: &str, body: &[u8]) -> Answer {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let proof = format!("{}{}", text("secret_id"), text("jwt"));
        let role_fits = body.get("role_id").is_none_or(|id| id == ROLE_ID);
        if self.proofs.get(path) != Some(&proof) || !role_fits {
            return errors(400, &["invalid role or secret ID", SAID]);
        }
        self.logins += 1;
        let token = format!("canary-token-{}", self.logins);
        self.tokens.insert(token.clone(), self.grants);
        auth(&token, self.grants)
    }

    fn look_up(&self, token: &str) -> Answer {
        let (ttl, renewable) = self.tokens.get(token).copied().unwrap_or_default();
        Answer::ok(
            json!({ "request_id": SAID, "data": {
                "accessor": SAID, "creation_ttl": ttl, "display_name": SAID, "id": token,
                "explicit_max_ttl": 0, "num_uses": 0, "policies": ["default", SAID],
                "renewable": renewable, "ttl": ttl,
            } })
            .to_string(),
        )
    }

    fn renew(&mut self, token: &str) -> Answer {
        let (_, renewable) = self.tokens.get(token).copied().unwrap_or_default();
        if !renewable {
            return errors(400, &["lease is not renewable", SAID]);
        }
        auth(token, (self.renewed, true))
    }

    fn hmac(&mut self, path: &str, body: &[u8]) -> Answer {
        match &mut self.fails_after {
            None => {}
            Some((0, fault)) => return fault.clone(),
            Some((left, _)) => *left -= 1,
        }
        let name = path.strip_prefix("transit/hmac/");
        let name = name.and_then(|name| name.strip_suffix("/sha2-256"));
        let Some((versions, first)) = name.and_then(|name| self.keys.get(name)) else {
            return errors(400, &["encryption key not found", SAID]);
        };
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let wanted = body.get("key_version").and_then(Value::as_u64).unwrap_or(0);
        let version = match usize::try_from(wanted).unwrap_or(usize::MAX) {
            0 => versions.len(),
            version => version,
        };
        let key = version.checked_sub(1).and_then(|place| versions.get(place));
        let Some(key) = key.filter(|_| version >= *first) else {
            return errors(400, &["key version does not exist", SAID]);
        };
        let values = body.get("batch_input").and_then(Value::as_array);
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let coded = |item: &Value| {
            let value = item.get("input").and_then(Value::as_str)?;
            let code = hmac::sign(&key, &STANDARD.decode(value).ok()?);
            Some(STANDARD.encode(code))
        };
        let results = values.into_iter().flatten().map(|item| match coded(item) {
            Some(code) => json!({ "hmac": format!("vault:v{version}:{code}"), "reference": "" }),
            None => json!({ "error": SAID, "reference": "" }),
        });
        let results: Vec<_> = results.collect();
        reply(
            200,
            &json!({
                "request_id": SAID, "lease_id": "", "renewable": false, "lease_duration": 0,
                "data": { "batch_results": results }, "wrap_info": null, "warnings": null, "auth": null,
            }),
        )
    }

    fn key(&self, path: &str) -> Answer {
        let name = path.strip_prefix("transit/keys/").unwrap_or_default();
        let Some((versions, first)) = self.keys.get(name) else {
            return errors(404, &[]);
        };
        reply(
            200,
            &json!({ "data": {
                "type": "hmac", "deletion_allowed": false, "derived": false, "exportable": false,
                "latest_version": versions.len(), "min_decryption_version": 1,
                "min_encryption_version": first, "name": name,
            } }),
        )
    }

    fn read(&self, path: &str, query: &str) -> Answer {
        let data = format!("{}/data/", self.mount);
        let Some(path) = path.strip_prefix(&data) else {
            return errors(404, &[&format!("no handler for route \"{path}\". {SAID}")]);
        };
        let Some(versions) = self.entries.get(path) else {
            return errors(404, &[]);
        };
        let asked_for = query.strip_prefix("version=").and_then(|v| v.parse().ok());
        let version = asked_for.unwrap_or(versions.len());
        let Some(entry) = version.checked_sub(1).and_then(|v| versions.get(v)) else {
            return errors(404, &[]);
        };
        let deleted = if entry.is_none() {
            "2026-11-20T15:26:08.684999Z"
        } else {
            ""
        };
        let body = json!({
            "request_id": SAID, "lease_id": "", "renewable": false, "lease_duration": 0,
            "data": { "data": entry, "metadata": {
                "created_time": "2026-11-19T02:24:06.945319214Z",
                "custom_metadata": { "owner": SAID },
                "deletion_time": deleted, "destroyed": false, "version": version,
            } },
            "wrap_info": null, "warnings": [SAID], "auth": null,
        });
        let status = if entry.is_none() { 404 } else { 200 };
        reply(status, &body)
    }
}

fn auth(token: &str, (seconds, renewable): (u64, bool)) -> Answer {
    let body = json!({
        "request_id": SAID, "lease_id": "", "renewable": false, "lease_duration": 0, "data": null,
        "wrap_info": null, "warnings": [SAID],
        "auth": {
            "client_token": token, "accessor": SAID, "policies": ["default", SAID],
            "token_policies": ["default"], "metadata": { "role_name": SAID },
            "lease_duration": seconds, "renewable": renewable, "token_type": "service",
        },
    });
    reply(200, &body)
}

/// Errors as the API tells them.
pub fn errors(status: u16, told: &[&str]) -> Answer {
    reply(status, &json!({ "errors": told }))
}

fn reply(status: u16, body: &Value) -> Answer {
    let headers = vec![
        ("Content-Type".to_owned(), "application/json".to_owned()),
        ("X-Said".to_owned(), SAID.to_owned()),
    ];
    Answer::Reply(status, headers, body.to_string().into())
}
