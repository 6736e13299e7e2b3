//! Keys of masks in Vault's Transit engine, which computes HMAC-SHA-256 with them and does not give them
//! away.
//!
//! `sales/key` is the engine's key `PREFIX-sales-key`, in the version that is its latest when a run begins,
//! and `sales/key@3` its version 3. Cells are sent over verified TLS, and so are in Vault's memory for a
//! moment; its own audit log has them hashed.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use glovebox_core::{
    CredentialError, CredentialStore, Key, KeyError, RemoteKey, Secret, SecretName,
};
use glovebox_outbound::https::Bytes;
use serde_json::Value;

use super::access::{Access, unusable};
use super::login::Sessions;
use crate::remote::call::{Answer, Question};
use crate::remote::{Absence, Problem, elsewhere};

/// Values of one request, unless more are wanted: OpenBao takes 499 as it is installed, since it reads no
/// JSON of more than 1,000 texts.
pub const VALUES: u32 = 480;
/// Bytes of the values of one request, but for one that is longer.
const MAX_BYTES: usize = 1 << 20;
/// Bytes of one value: Vault takes texts of 1 MiB, and a value is a third longer as Base64.
const MAX_VALUE: usize = 512 << 10;
/// What is masked to learn whether a key is there. Everybody may know its mask.
const PROBE: &[u8] = b"glovebox";

/// Where Vault is, and where in it the keys are.
pub struct Options {
    /// The server.
    pub access: Access,
    /// Where the Transit engine is mounted.
    pub mount: String,
    /// What stands before the names of keys.
    pub prefix: Option<String>,
    /// The most values of one request: Vault takes lists of 10,000, and an answer about 4,096 has 300 KiB.
    pub values: u32,
}

/// A Transit engine as a store of keys. It has no other secrets.
pub struct Transit {
    engine: Arc<TransitEngine>,
    /// Keys are looked up one at a time, so that a server that is away is waited for once.
    away: Mutex<Absence>,
}

struct TransitEngine {
    options: Options,
    sessions: Sessions,
}

/// A version of a key.
struct TransitKey {
    engine: Arc<TransitEngine>,
    name: SecretName,
    version: u32,
}

impl Transit {
    /// Asks a server; it is not called before the first key.
    pub fn new(options: Options) -> Self {
        let sessions = Sessions::default();
        Transit {
            engine: Arc::new(TransitEngine { options, sessions }),
            away: Mutex::default(),
        }
    }
}

impl CredentialStore for Transit {
    fn place(&self, name: &SecretName) -> String {
        self.engine.place(name)
    }

    fn remedy(&self, name: &SecretName) -> Option<String> {
        let Options { mount, .. } = &self.engine.options;
        let key = self.engine.key(name);
        Some(format!(
            "`vault write -f {mount}/keys/{key} type=hmac key_size=32` makes a mask's key in Vault"
        ))
    }

    fn get(&self, _: &SecretName) -> Result<Option<Secret>, CredentialError> {
        Ok(None)
    }

    fn key(&self, name: &SecretName) -> Result<Option<Key>, CredentialError> {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        let found = away.ask(self.engine.find(name));
        let found = found.map_err(|problem| CredentialError::Store {
            name: name.clone(),
            place: self.place(name),
            problem,
        })?;
        Ok(found.map(|version| {
            tracing::info!(key = %name, version, "key of another server is used there");
            Key::Remote(Arc::new(TransitKey {
                engine: Arc::clone(&self.engine),
                name: name.at(version),
                version,
            }))
        }))
    }
}

impl RemoteKey for TransitKey {
    fn version(&self) -> u32 {
        self.version
    }

    fn longest(&self) -> usize {
        MAX_VALUE
    }

    fn hmac_sha256(&self, values: &[&[u8]]) -> Result<Vec<[u8; 32]>, KeyError> {
        let masks = match elsewhere(self.engine.mask(&self.name, self.version, values)) {
            Ok(masks) => masks.map_err(|problem| problem.to_string()),
            Err(error) => Err(format!("no thread can ask for it ({})", error.kind())),
        };
        masks.map_err(|problem| {
            let place = self.engine.place(&self.name);
            KeyError::Remote(format!("cannot mask with {place}: {problem}"))
        })
    }
}

impl fmt::Debug for TransitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransitKey({})", self.name)
    }
}

impl TransitEngine {
    /// The key's name there, which has no slashes.
    fn key(&self, name: &SecretName) -> String {
        let base = name.base().replace('/', "-");
        match &self.options.prefix {
            Some(prefix) => format!("{prefix}-{base}"),
            None => base,
        }
    }

    fn place(&self, name: &SecretName) -> String {
        let Options { access, mount, .. } = &self.options;
        let version = match name.version() {
            0 => String::new(),
            version => format!(", version {version}"),
        };
        format!("{access}, Transit key {mount}/{}{version}", self.key(name))
    }

    /// The version of a key that is asked for, if there is such a key.
    async fn find(&self, name: &SecretName) -> Result<Option<u32>, Problem> {
        let answer = self.ask(name, name.version(), &[PROBE]).await?;
        if answer.status == 400 {
            return self.is_missing(name).await;
        }
        let answer = self.masked(name, answer)?;
        let text = answer.body.at("/data/batch_results/0/hmac");
        let version = text.and_then(Value::as_str).and_then(version_of);
        match version {
            Some(version) if [0, version].contains(&name.version()) => Ok(Some(version)),
            _ => Err(strange()),
        }
    }

    /// Why a key masks nothing: nothing is there, which is no failure, or it may not be used so.
    async fn is_missing(&self, name: &SecretName) -> Result<Option<u32>, Problem> {
        let Options { access, mount, .. } = &self.options;
        let path = format!("{mount}/keys/{}", self.key(name));
        let address = access.at(&path)?;
        let question = || Question::get(address.clone());
        let answer = self.sessions.ask(access, question).await?;
        match answer.status {
            404 => Ok(None),
            200 => {
                let latest = answer
                    .body
                    .at("/data/latest_version")
                    .and_then(Value::as_u64);
                Err(Problem::Refused(format!(
                    "the key is there, but not this version of it for masks (400): its latest is {}; was \
                     it deleted, or disallowed by min_encryption_version?",
                    latest.unwrap_or_default()
                )))
            }
            403 => Err(Problem::Refused(format!(
                "there is no such key or version (400), or it may not be used; a policy of the login with \
                 path \"{path}\" {{ capabilities = [\"read\"] }} lets it be told, and later stores be asked"
            ))),
            status => Err(unusable(status)),
        }
    }

    async fn mask(
        &self,
        name: &SecretName,
        version: u32,
        values: &[&[u8]],
    ) -> Result<Vec<[u8; 32]>, Problem> {
        let mut masks = Vec::with_capacity(values.len());
        let mut rest = values;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(batch(rest, self.options.values));
            let answer = self.ask(name, version, now).await?;
            let answer = self.masked(name, answer)?;
            let results = answer.body.at("/data/batch_results");
            let results = results.and_then(Value::as_array).ok_or_else(strange)?;
            if results.len() != now.len() {
                return Err(strange());
            }
            for result in results {
                let text = result.get("hmac").and_then(Value::as_str);
                let mask = text.and_then(|text| mask_of(text, version));
                masks.push(mask.ok_or_else(strange)?);
            }
            rest = later;
        }
        Ok(masks)
    }

    async fn ask(
        &self,
        name: &SecretName,
        version: u32,
        values: &[&[u8]],
    ) -> Result<Answer, Problem> {
        let access = &self.options.access;
        let address = access.at(&self.path(name))?;
        let question = || {
            let mut question = Question::json(address.clone(), body(version, values));
            // Equal questions have equal answers.
            question.repeatable = true;
            question.kept = true;
            question
        };
        self.sessions.ask(access, question).await
    }

    /// What is asked: the path as policies name it.
    fn path(&self, name: &SecretName) -> String {
        format!("{}/hmac/{}/sha2-256", self.options.mount, self.key(name))
    }

    /// An answer with masks.
    fn masked(&self, name: &SecretName, answer: Answer) -> Result<Answer, Problem> {
        let path = self.path(name);
        let refused = |sentence: String| Err(Problem::Refused(sentence));
        match answer.status {
            200 => Ok(answer),
            400 => refused(
                "it takes the request for invalid (400); was the key or its version deleted or disallowed \
                 meanwhile, or is `batch` larger than it takes?"
                    .into(),
            ),
            403 => refused(format!(
                "it denies `{path}` (403); a policy of the login needs: path \"{path}\" {{ capabilities \
                 = [\"update\"] }}{}",
                self.sessions.doubt()
            )),
            404 => refused(format!(
                "nothing answers there (404): is a Transit engine mounted at `{}`, and is the namespace \
                 right?",
                self.options.mount
            )),
            status => Err(unusable(status)),
        }
    }
}

fn strange() -> Problem {
    Problem::Refused(
        "it did not answer with an HMAC-SHA-256 by this version of the key for each value".into(),
    )
}

/// How many of these values go into one request.
fn batch(values: &[&[u8]], most: u32) -> usize {
    let (mut bytes, most) = (0, usize::try_from(most).unwrap_or(usize::MAX));
    let fitting = values.iter().take(most).take_while(|value| {
        bytes += value.len();
        bytes <= MAX_BYTES
    });
    fitting.count().max(1)
}

/// The question's JSON. Base64 needs no escapes.
fn body(version: u32, values: &[&[u8]]) -> Bytes {
    let size = |value: &&[u8]| base64::encoded_len(value.len(), true).unwrap_or_default() + 13;
    // Room for all of it, so that no copy of a cell stays behind where it grew.
    let mut json = String::with_capacity(48 + values.iter().map(size).sum::<usize>());
    json.push('{');
    if version > 0 {
        json.push_str(&format!("\"key_version\":{version},"));
    }
    json.push_str("\"batch_input\":[");
    for (place, value) in values.iter().enumerate() {
        json.push_str(if place == 0 {
            "{\"input\":\""
        } else {
            ",{\"input\":\""
        });
        STANDARD.encode_string(value, &mut json);
        json.push_str("\"}");
    }
    json.push_str("]}");
    json.into()
}

/// The version in `vault:v3:…`.
fn version_of(text: &str) -> Option<u32> {
    let (version, _) = text.strip_prefix("vault:v")?.split_once(':')?;
    version.parse().ok().filter(|version| *version > 0)
}

fn mask_of(text: &str, version: u32) -> Option<[u8; 32]> {
    let (_, code) = text.rsplit_once(':')?;
    let code = STANDARD.decode(code).ok()?;
    (version_of(text)? == version).then(|| code.try_into().ok())?
}

#[cfg(test)]
#[path = "transit/tests.rs"]
mod tests;
