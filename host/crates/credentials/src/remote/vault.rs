//! Secrets in the KV engine, version 2, of a server of HashiCorp Vault's HTTP API.
//!
//! `sales/key` is the entry `PREFIX/sales/key` of the engine, and there the field `value`, or another
//! that the options name. `sales/key@3` is the entry's version 3. The text is taken as it is, a line
//! break at its end included.

mod access;
mod login;
pub mod transit;

use std::time::Duration;

use glovebox_core::{Secret, SecretName};
use serde_json::Value;

use access::unusable;
pub use access::{Access, Login};
use login::Sessions;

use super::call::{Answer, Question, Taken};
use super::{Fetched, Problem, Server};

/// Where Vault is, and where in it the secrets are.
pub struct Options {
    /// The server.
    pub access: Access,
    /// Where the KV engine is mounted.
    pub mount: String,
    /// What stands before the names of secrets.
    pub prefix: Option<String>,
    /// The field of an entry that holds the secret.
    pub field: String,
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

    async fn read(&self, name: &SecretName) -> Result<Answer, Problem> {
        let access = &self.options.access;
        let address = access.at(&self.path(name))?;
        let address = match name.version() {
            0 => address,
            version => address.with_query(&format!("version={version}")),
        };
        let question = || Question::get(address.clone());
        self.sessions.ask(access, question).await
    }

    fn found(&self, name: &SecretName, mut answer: Answer) -> Result<Option<Fetched>, Problem> {
        let path = self.path(name);
        let refused = |sentence: String| Err(Problem::Refused(sentence));
        match answer.status {
            200 => {}
            403 => {
                return refused(format!(
                    "it denies reading `{path}` (403); a policy of the login needs: path \
                     \"{path}\" {{ capabilities = [\"read\"] }}{}",
                    self.sessions.doubt()
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
    async fn is_version_1(&self) -> Result<bool, Problem> {
        let path = format!("sys/internal/ui/mounts/{}", self.options.mount);
        let access = &self.options.access;
        let address = access.at(&path)?;
        let question = || Question::get(address.clone());
        let answer = self.sessions.ask(access, question).await?;
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
        let Options { access, field, .. } = &self.options;
        let path = self.path(name);
        let version = match name.version() {
            0 => String::new(),
            version => format!(", version {version}"),
        };
        format!("{access}, {path}{version}, field {field}")
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
        let answer = self.read(name).await?;
        let was_there = answer.body.at("/data/metadata").is_some();
        if answer.status == 404 && !was_there && name.version() > 0 {
            let newest = self.read(&name.at(0)).await?;
            if newest.status == 200 || newest.body.at("/data/metadata").is_some() {
                return Err(Problem::Refused(
                    "it has other versions than this one, which was dropped (max-versions) or not \
                     written yet"
                        .into(),
                ));
            }
        }
        let found = self.found(name, answer)?;
        if found.is_none() && self.is_version_1().await? {
            return Err(Problem::Refused(format!(
                "the KV engine at `{0}` is of version 1; it becomes one of version 2 by: vault kv \
                 enable-versioning {0}",
                self.options.mount
            )));
        }
        Ok(found)
    }
}

#[cfg(test)]
#[path = "vault/tests.rs"]
mod tests;
