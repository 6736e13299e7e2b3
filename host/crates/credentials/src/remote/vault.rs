//! Secrets in the KV engine, version 2, of a server of HashiCorp Vault's HTTP API.
//!
//! `sales/key` is the entry `PREFIX/sales/key` of the engine, and there the field `value`, or another
//! that the options name. `sales/key@3` is the entry's version 3. The text is taken as it is, a line
//! break at its end included.

mod login;

use std::path::PathBuf;
use std::time::Duration;

use glovebox_core::{Secret, SecretName};
use glovebox_outbound::https::{Address, HeaderName, HeaderValue, Plain};
use serde_json::Value;

pub use login::Login;
use login::{Session, Sessions};

use super::call::{self, Answer, Question, Taken};
use super::{Fetched, Lookup, Patience, Problem, Server};

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// Agents and proxies may insist on it, so that no browser can be made to ask them.
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

/// Where Vault is, where in it the secrets are, and how one logs in.
pub struct Options {
    /// The server's URL, `https://` only.
    pub address: String,
    /// Where the KV engine is mounted.
    pub mount: String,
    /// What stands before the names of secrets.
    pub prefix: Option<String>,
    /// The field of an entry that holds the secret.
    pub field: String,
    /// The namespace of logins and secrets.
    pub namespace: Option<String>,
    /// A PEM file of authorities to trust, instead of Mozilla's list.
    pub ca: Option<PathBuf>,
    /// How one logs in.
    pub login: Login,
    /// How long the server is waited for.
    pub patience: Patience,
    /// Where the login's own secret is looked up.
    pub lookup: Lookup,
}

/// A server of Vault's API.
pub struct Vault {
    options: Options,
    sessions: Sessions,
}

impl Vault {
    /// Asks a server; it is not called before the first secret.
    pub fn new(options: Options) -> Self {
        Vault {
            options,
            sessions: Sessions::default(),
        }
    }

    /// The path of an entry below the engine's mount.
    fn entry(&self, name: &SecretName) -> String {
        super::prefixed(self.options.prefix.as_deref(), name.base())
    }

    /// What is asked for: the path as policies name it.
    fn path(&self, name: &SecretName) -> String {
        format!("{}/data/{}", self.options.mount, self.entry(name))
    }

    async fn read(&self, session: &Session, name: &SecretName) -> Result<Answer, Problem> {
        let address = self.options.at(&self.path(name))?;
        let address = match name.version() {
            0 => address,
            version => address.with_query(&format!("version={version}")),
        };
        let question = self.options.says_who_asks(Question::get(address))?;
        let question = question.secret_header(TOKEN, session.token())?;
        call::ask(session.client(), &question, self.options.patience).await
    }

    fn found(&self, name: &SecretName, mut answer: Answer) -> Result<Option<Fetched>, Problem> {
        let path = self.path(name);
        let refused = |sentence: String| Err(Problem::Refused(sentence));
        match answer.status {
            200 => {}
            403 => {
                return refused(format!(
                    "it denies reading `{path}` (403); a policy of the login needs: path \
                     \"{path}\" {{ capabilities = [\"read\"] }}"
                ));
            }
            404 => return self.absent(name, &answer),
            status => return Err(unusable(status)),
        }
        let lease = answer.body.at("/lease_duration").and_then(Value::as_u64);
        let lease = lease.filter(|seconds| *seconds > 0);
        let field = &self.options.field;
        match answer.body.take_text("/data/data", field) {
            Taken::Text(text) => Ok(Some(Fetched {
                secret: Secret::new(text.into_bytes()),
                lease: lease.map(Duration::from_secs),
            })),
            Taken::Other => refused(format!("the field `{field}` of `{path}` is not text")),
            Taken::Nothing if answer.body.at("/data/data").is_some_and(Value::is_object) => {
                refused(format!(
                    "`{path}` has no field `{field}`; write it: vault kv put -mount={} {} \
                     {field}=…",
                    self.options.mount,
                    self.entry(name),
                ))
            }
            Taken::Nothing => refused(format!(
                "`{path}` is not an entry of a KV engine, version 2; is `mount` right?"
            )),
        }
    }

    /// Whether the engine is one that answers of every entry as if it were not there.
    async fn is_version_1(&self, session: &Session) -> Result<bool, Problem> {
        let path = format!("sys/internal/ui/mounts/{}", self.options.mount);
        let question = Question::get(self.options.at(&path)?);
        let question = self.options.says_who_asks(question)?;
        let question = question.secret_header(TOKEN, session.token())?;
        let answer = call::ask(session.client(), &question, self.options.patience).await?;
        let kind = answer.body.at("/data/type").and_then(Value::as_str);
        let version = answer.body.at("/data/options/version");
        Ok(kind == Some("kv") && version.and_then(Value::as_str) != Some("2"))
    }

    /// Nothing is there, which is no failure, unless it was there, or could not be.
    fn absent(&self, name: &SecretName, answer: &Answer) -> Result<Option<Fetched>, Problem> {
        let mount = &self.options.mount;
        if answer.body.at("/data/metadata/destroyed") == Some(&Value::Bool(true)) {
            return Err(Problem::Refused(format!(
                "this version of it has been destroyed; name another one, like {}@2",
                name.base(),
            )));
        }
        if answer.body.at("/data/metadata").is_some() {
            return Err(Problem::Refused(format!(
                "this version of it has been deleted; restore it with: vault kv undelete \
                 -mount={mount} -versions=… {}, or name another version, like {}@2",
                self.entry(name),
                name.base(),
            )));
        }
        let told = answer.body.at("/errors").and_then(Value::as_array);
        match told.is_some_and(Vec::is_empty) {
            true => Ok(None),
            false => Err(Problem::Refused(format!(
                "nothing answers there (404): is a KV engine, version 2, mounted at `{mount}`, and \
                 is the namespace right?"
            ))),
        }
    }
}

impl Server for Vault {
    fn place(&self, name: &SecretName) -> String {
        let Options { address, field, .. } = &self.options;
        let path = self.path(name);
        let version = match name.version() {
            0 => String::new(),
            version => format!(", version {version}"),
        };
        let namespace = self.options.namespace.as_ref();
        let namespace = namespace.map(|n| format!(", namespace {n}"));
        let namespace = namespace.unwrap_or_default();
        format!("Vault {address}{namespace}, {path}{version}, field {field}")
    }

    fn remedy(&self, name: &SecretName) -> Option<String> {
        Some(format!(
            "`vault kv put -mount={} {} {}=…` writes it to Vault",
            self.options.mount,
            self.entry(name),
            self.options.field
        ))
    }

    async fn fetch(&self, name: &SecretName) -> Result<Option<Fetched>, Problem> {
        let (mut session, is_new) = self.sessions.open(&self.options).await?;
        let mut answer = self.read(&session, name).await?;
        // The token may have been revoked, or expired earlier than it said.
        if answer.status == 403 && !is_new {
            self.sessions.forget();
            (session, _) = self.sessions.open(&self.options).await?;
            answer = self.read(&session, name).await?;
        }
        if answer.status == 403 {
            // Whatever is changed, the next login has it.
            self.sessions.forget();
        }
        let was_there = answer.body.at("/data/metadata").is_some();
        if answer.status == 404 && !was_there && name.version() > 0 {
            let newest = self.read(&session, &name.at(0)).await?;
            if newest.status == 200 || newest.body.at("/data/metadata").is_some() {
                return Err(Problem::Refused(
                    "it has other versions than this one, which was dropped (max-versions) or not \
                     written yet"
                        .into(),
                ));
            }
        }
        let found = self.found(name, answer)?;
        if found.is_none() && self.is_version_1(&session).await? {
            return Err(Problem::Refused(format!(
                "the KV engine at `{0}` is of version 1; it becomes one of version 2 by: vault kv \
                 enable-versioning {0}",
                self.options.mount
            )));
        }
        Ok(found)
    }
}

impl Options {
    /// The address of a path of the API.
    fn at(&self, path: &str) -> Result<Address, Problem> {
        let address = Address::parse(&self.address, Plain::Never);
        let address = address.map_err(|problem| Problem::Refused(problem.to_owned()))?;
        Ok(address.below(&format!("v1/{path}")))
    }

    fn says_who_asks(&self, mut question: Question) -> Result<Question, Problem> {
        let yes = HeaderValue::from_static("true");
        question.headers.insert(REQUEST, yes);
        if let Some(namespace) = &self.namespace {
            let namespace = HeaderValue::from_str(namespace)
                .map_err(|_| Problem::Refused("the namespace cannot be sent".into()))?;
            question.headers.insert(NAMESPACE, namespace);
        }
        Ok(question)
    }
}

/// Why an answer of this status is no use.
fn unusable(status: u16) -> Problem {
    let away = |sentence: &str| Problem::Away(sentence.to_owned());
    match status {
        503 => away("it is sealed or in maintenance (503); unseal it: vault operator unseal"),
        429 => away(
            "it is a standby, or limits the rate of requests (429); use the address of the active \
             node or of a load balancer, or raise the quota",
        ),
        472 | 473 => Problem::Away(format!(
            "it is a standby ({status}); use the address of the active node or of a load balancer"
        )),
        412 => away("it has not caught up with its leader yet (412); try again in a moment"),
        501 => away("it has not been initialized (501); run: vault operator init"),
        400 => Problem::Refused(
            "it takes the request for invalid (400); are `mount`, `prefix` and `namespace` right?"
                .into(),
        ),
        500.. => Problem::Away(format!("it failed ({status}); its own log says why")),
        _ => Problem::Refused(format!("it answered {status}; is this a Vault server?")),
    }
}

#[cfg(test)]
#[path = "vault/tests.rs"]
mod tests;
