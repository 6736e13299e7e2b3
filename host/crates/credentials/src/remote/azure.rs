//! Secrets in Azure Key Vault.
//!
//! `sales/key` is the secret `PREFIX-sales-key`, its current version, and `sales/key@3` the secret
//! `PREFIX-sales-key-3`: versions have no numbers there, and names no other signs than letters,
//! digits and `-`.

use std::path::{Path, PathBuf};

use glovebox_core::{Secret, SecretName};
use glovebox_outbound::https::{Address, Client, HeaderName, HeaderValue, Plain};
use serde_json::Value;

use super::bearer::{Bearer, Bearers};
use super::call::{self, Answer, Question, Taken};
use super::{Fetched, Lookup, Patience, Problem, Server, Variables, form, local};

/// The version of Key Vault's API.
const API: &str = "api-version=7.4";
const AUTHORITY: &str = "https://login.microsoftonline.com";
const METADATA: &str = "http://169.254.169.254";
const METADATA_HEADER: HeaderName = HeaderName::from_static("metadata");
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Which secrets, and who asks.
pub struct Options {
    /// The vault's URL, `https://` only.
    pub address: String,
    /// What stands before the names of secrets.
    pub prefix: Option<String>,
    /// Who asks.
    pub identity: Identity,
    /// PEM of authorities to trust, instead of Mozilla's list.
    pub ca: Option<PathBuf>,
    /// How long a server is waited for.
    pub patience: Patience,
    /// Where a client's secret is looked up.
    pub lookup: Lookup,
    /// The program's environment, which names a pod's identity.
    pub variables: Variables,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The machine's, or of several the one with this client id.
    Managed(Option<String>),
    /// The pod's, as the variables `AZURE_…` say.
    Workload,
    /// An application's.
    Client {
        /// The directory.
        tenant: String,
        /// The application.
        client_id: String,
        /// The secret that holds its secret.
        secret: SecretName,
    },
}

/// A key vault.
pub struct Azure {
    options: Options,
    bearers: Bearers,
}

impl Azure {
    /// Asks it; nothing is called before the first secret.
    pub fn new(options: Options) -> Self {
        Azure {
            options,
            bearers: Bearers::default(),
        }
    }

    fn id(&self, name: &SecretName) -> String {
        let id = super::prefixed(self.options.prefix.as_deref(), name.as_str());
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        id.chars().map(plain).collect()
    }

    fn variable(&self, name: &str) -> Option<String> {
        (self.options.variables)(name).filter(|value| !value.is_empty())
    }

    /// The vault's domain without its own name is what a token is for.
    fn resource(&self) -> Result<String, Problem> {
        let address = self.options.at("")?;
        let host = address.authority();
        let domain = host.split_once('.').map_or(host, |(_, domain)| domain);
        Ok(format!("https://{domain}"))
    }

    async fn token(&self) -> Result<Bearer, Problem> {
        let client = local::identity_client(self.options.ca.as_deref())?;
        match &self.options.identity {
            Identity::Managed(id) => self.by_machine(&client, id.as_deref()).await,
            Identity::Workload => {
                let needed = |name: &str| {
                    self.variable(name).ok_or_else(|| {
                        Problem::Refused(format!(
                            "{name} is not set; label the pod azure.workload.identity/use: \"true\""
                        ))
                    })
                };
                let (tenant, id) = (needed("AZURE_TENANT_ID")?, needed("AZURE_CLIENT_ID")?);
                let file = needed("AZURE_FEDERATED_TOKEN_FILE")?;
                let what = "the token of AZURE_FEDERATED_TOKEN_FILE";
                let token = local::read(Path::new(&file), what)?;
                let proof = [
                    ("client_assertion_type", ASSERTION),
                    ("client_assertion", text(&token)?),
                ];
                self.by_directory(&client, &tenant, &id, &proof).await
            }
            Identity::Client {
                tenant,
                client_id,
                secret,
            } => {
                let secret = (self.options.lookup)(secret).map_err(|error| {
                    Problem::Refused(format!(
                        "the login needs a secret of another store: {error}"
                    ))
                })?;
                let proof = [("client_secret", text(&secret)?)];
                self.by_directory(&client, tenant, client_id, &proof).await
            }
        }
    }

    async fn by_machine(&self, client: &Client, id: Option<&str>) -> Result<Bearer, Problem> {
        let name = "AZURE_POD_IDENTITY_AUTHORITY_HOST";
        let url = self.variable(name).unwrap_or_else(|| METADATA.to_owned());
        let address = Address::parse(&url, Plain::Metadata)
            .map_err(|problem| Problem::Refused(format!("{name}: {problem}")))?;
        let resource = self.resource()?;
        let mut query = vec![("api-version", "2018-02-01"), ("resource", &resource)];
        query.extend(id.map(|id| ("client_id", id)));
        let address = address.below("metadata/identity/oauth2/token");
        let mut question = Question::get(address.with_query(&form(&query)));
        let yes = HeaderValue::from_static("true");
        question.headers.insert(METADATA_HEADER, yes);
        let answer = call::ask(client, &question, self.options.patience).await;
        let answer = answer.map_err(|problem| {
            problem.within(|problem| {
                format!(
                    "the program has no identity: give its machine one, or write auth: \
                     workload-identity or auth: client-secret (the machine's metadata: {problem})"
                )
            })
        })?;
        Bearer::granted(
            answer,
            "of the machine's metadata; has it a managed identity?",
        )
    }

    async fn by_directory(
        &self,
        client: &Client,
        tenant: &str,
        id: &str,
        proof: &[(&str, &str)],
    ) -> Result<Bearer, Problem> {
        let name = "AZURE_AUTHORITY_HOST";
        let url = self.variable(name).unwrap_or_else(|| AUTHORITY.to_owned());
        let address = Address::parse(&url, Plain::Never)
            .map_err(|problem| Problem::Refused(format!("{name}: {problem}")))?;
        let scope = format!("{}/.default", self.resource()?);
        let mut fields = vec![
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("scope", &scope),
        ];
        fields.extend_from_slice(proof);
        let tenant = super::escaped(tenant);
        let address = address.below(&format!("{tenant}/oauth2/v2.0/token"));
        let question = Question::form(address.clone(), form(&fields));
        let answer = call::ask(client, &question, self.options.patience).await;
        let answer = answer.map_err(|problem| local::of_identity(problem, &address))?;
        Bearer::granted(
            answer,
            "of the directory; check tenant, client id, and whether the client's secret has expired",
        )
    }

    fn found(&self, name: &SecretName, mut answer: Answer) -> Result<Option<Fetched>, Problem> {
        let refused = |problem: String| Err(Problem::Refused(problem));
        match answer.status {
            200 => {}
            404 if answer.body.at("/error/code").and_then(Value::as_str)
                == Some("SecretNotFound") =>
            {
                return Ok(None);
            }
            404 => {
                return refused("nothing answers there (404); is `address` a key vault's?".into());
            }
            403 => {
                return refused(format!(
                    "access is denied, or the secret is disabled (403); give the identity the role \
                     Key Vault Secrets User for {}",
                    self.id(name)
                ));
            }
            401 => return refused("it does not accept the program's token (401)".into()),
            status @ (429 | 500..) => {
                return Err(Problem::Away(format!(
                    "it answered {status}; try again later"
                )));
            }
            status => return refused(format!("it answered {status}; is `address` a key vault's?")),
        }
        match answer.body.take_text("", "value") {
            Taken::Text(text) => Ok(Some(Fetched {
                secret: Secret::new(text.into_bytes()),
                lease: None,
            })),
            Taken::Other | Taken::Nothing => refused("its answer has no secret".into()),
        }
    }
}

fn text(secret: &Secret) -> Result<&str, Problem> {
    let text = secret.expose_str().map(str::trim_end);
    text.ok_or_else(|| Problem::Refused("what one logs in by is not text".into()))
}

impl Options {
    fn at(&self, path: &str) -> Result<Address, Problem> {
        let address = Address::parse(&self.address, Plain::Never);
        let address = address.map_err(|problem| Problem::Refused(problem.to_owned()))?;
        Ok(address.below(path))
    }
}

impl Server for Azure {
    fn place(&self, name: &SecretName) -> String {
        let address = self.options.address.trim_end_matches('/');
        format!("Azure Key Vault {address}, {}", self.id(name))
    }

    fn remedy(&self, name: &SecretName) -> Option<String> {
        Some(format!(
            "`az keyvault secret set --vault-name … --name {} --value …` writes it there",
            self.id(name)
        ))
    }

    async fn fetch(&self, name: &SecretName) -> Result<Option<Fetched>, Problem> {
        let client = local::client(self.options.ca.as_deref())?;
        let address = self.options.at(&format!("secrets/{}/", self.id(name)))?;
        let address = address.with_query(API);
        let question = || Question::get(address.clone());
        let patience = self.options.patience;
        let answer = self
            .bearers
            .ask(&client, question, patience, || self.token());
        self.found(name, answer.await?)
    }
}

#[cfg(test)]
#[path = "azure/tests.rs"]
mod tests;
