//! Secrets in Google Cloud's Secret Manager.
//!
//! `sales/key` is the secret `PREFIX-sales-key`, its latest version, and `sales/key@3` its version 3:
//! names have no other signs there than letters, digits, `-` and `_`.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use glovebox_core::{Secret, SecretName};
use glovebox_outbound::https::{Address, Client, HeaderName, HeaderValue, Plain};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::bearer::{Bearer, Bearers};
use super::call::{self, Answer, Question, Taken, Wiped};
use super::{Fetched, Patience, Problem, Server, Variables, form, local};

const ENDPOINT: &str = "https://secretmanager.googleapis.com";
const METADATA: &str = "169.254.169.254";
const FLAVOR: HeaderName = HeaderName::from_static("metadata-flavor");
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Which secrets, and who asks.
pub struct Options {
    /// The project.
    pub project: String,
    /// What stands before the names of secrets.
    pub prefix: Option<String>,
    /// A service account's key file; without one, the machine's or pod's service account asks.
    pub key_file: Option<PathBuf>,
    /// A URL instead of the public one, `https://` only.
    pub endpoint: Option<String>,
    /// PEM of authorities to trust, instead of Mozilla's list.
    pub ca: Option<PathBuf>,
    /// How long a server is waited for.
    pub patience: Patience,
    /// The program's environment, which may name another metadata server.
    pub variables: Variables,
}

/// Secret Manager of a project.
pub struct Gcp {
    options: Options,
    bearers: Bearers,
}

impl Gcp {
    /// Asks it; nothing is called before the first secret.
    pub fn new(options: Options) -> Self {
        Gcp {
            options,
            bearers: Bearers::default(),
        }
    }

    /// The secret's path, which has a location where the endpoint is a region's.
    fn path(&self, name: &SecretName) -> String {
        let (project, id) = (&self.options.project, self.id(name));
        match self.location() {
            Some(location) => format!("projects/{project}/locations/{location}/secrets/{id}"),
            None => format!("projects/{project}/secrets/{id}"),
        }
    }

    /// The location in `secretmanager.LOCATION.rep.googleapis.com`.
    fn location(&self) -> Option<&str> {
        let host = self.options.endpoint.as_deref()?.strip_prefix("https://")?;
        let host = host.split(['/', ':']).next()?;
        host.strip_prefix("secretmanager.")?
            .strip_suffix(".rep.googleapis.com")
    }

    fn id(&self, name: &SecretName) -> String {
        let id = super::prefixed(self.options.prefix.as_deref(), name.base());
        id.replace(['/', '.'], "-")
    }

    fn version(name: &SecretName) -> String {
        match name.version() {
            0 => "latest".into(),
            version => version.to_string(),
        }
    }

    async fn token(&self) -> Result<Bearer, Problem> {
        let client = local::identity_client(self.options.ca.as_deref())?;
        match &self.options.key_file {
            Some(file) => self.by_key(&client, file).await,
            None => self.by_machine(&client).await,
        }
    }

    async fn by_machine(&self, client: &Client) -> Result<Bearer, Problem> {
        let host = (self.options.variables)("GCE_METADATA_HOST");
        let host = host.unwrap_or_else(|| METADATA.to_owned());
        let address = Address::parse(&format!("http://{host}"), Plain::Metadata);
        let address =
            address.map_err(|problem| Problem::Refused(format!("GCE_METADATA_HOST: {problem}")))?;
        let path = "computeMetadata/v1/instance/service-accounts/default/token";
        let mut question = Question::get(address.below(path));
        let google = HeaderValue::from_static("Google");
        question.headers.insert(FLAVOR, google);
        let answer = call::ask(client, &question, self.options.patience).await;
        let answer = answer.map_err(|problem| {
            problem.within(|problem| {
                format!(
                    "the program has no service account: write key-file: FILE, or give its machine \
                     or pod one (the machine's metadata: {problem})"
                )
            })
        })?;
        Bearer::granted(
            answer,
            "of the machine's metadata; has it a service account?",
        )
    }

    /// By an assertion (RFC 7523) that the key in a file signs.
    async fn by_key(&self, client: &Client, file: &Path) -> Result<Bearer, Problem> {
        let key = local::read(file, "key-file")?;
        let unfit = || Problem::Refused("key-file is not a service account's key in JSON".into());
        let key = serde_json::from_slice(key.expose()).map_err(|_| unfit())?;
        let mut key = Wiped::new(key);
        let mut text = |name: &str| match key.take_text("", name) {
            Taken::Text(text) => Ok(Zeroizing::new(text)),
            Taken::Other | Taken::Nothing => Err(unfit()),
        };
        let (email, private) = (text("client_email")?, text("private_key")?);
        let uri = text("token_uri")?;
        let address = Address::parse(&uri, Plain::Never);
        let address = address
            .map_err(|problem| Problem::Refused(format!("key-file, token_uri: {problem}")))?;
        let now = chrono::Utc::now().timestamp();
        let claims = json!({
            "iss": email.as_str(), "scope": SCOPE, "aud": uri.as_str(),
            "iat": now, "exp": now + 3600,
        });
        let assertion = assertion(&claims, &private).ok_or_else(unfit)?;
        let body = form(&[("grant_type", GRANT), ("assertion", &assertion)]);
        let question = Question::form(address.clone(), body);
        let answer = call::ask(client, &question, self.options.patience).await;
        let answer = answer.map_err(|problem| local::of_identity(problem, &address))?;
        Bearer::granted(
            answer,
            "for key-file; is the key still valid, and the clock right?",
        )
    }

    fn found(&self, name: &SecretName, mut answer: Answer) -> Result<Option<Fetched>, Problem> {
        let refused = |problem: String| Err(Problem::Refused(problem));
        match answer.status {
            200 => {}
            404 if answer.body.at("/error/status").and_then(Value::as_str) == Some("NOT_FOUND") => {
                return Ok(None);
            }
            404 => return refused("nothing answers there (404); is `endpoint` right?".into()),
            403 => {
                return refused(format!(
                    "access is denied (403); grant the service account \
                     roles/secretmanager.secretAccessor on {}",
                    self.path(name)
                ));
            }
            401 => return refused("it does not accept the program's token (401)".into()),
            400 => {
                return refused(format!(
                    "it has no version to give (400); is {} enabled, and not destroyed?",
                    Self::version(name)
                ));
            }
            status @ (429 | 500..) => {
                return Err(Problem::Away(format!(
                    "it answered {status}; try again later"
                )));
            }
            status => return refused(format!("it answered {status}; is `project` right?")),
        }
        let Taken::Text(text) = answer.body.take_text("/payload", "data") else {
            return refused("its answer has no secret".into());
        };
        let text = Zeroizing::new(text);
        match STANDARD.decode(text.as_bytes()) {
            Ok(bytes) => Ok(Some(Fetched {
                secret: Secret::new(bytes),
                lease: None,
            })),
            Err(_) => refused("its answer is not valid Base64".into()),
        }
    }
}

/// A JSON Web Token by RS256; none if the key is not one of RSA in PKCS #8.
fn assertion(claims: &serde_json::Value, private: &str) -> Option<Zeroizing<String>> {
    let body: String = private.lines().filter(|l| !l.starts_with('-')).collect();
    let body = Zeroizing::new(body);
    let der = Zeroizing::new(STANDARD.decode(body.as_bytes()).ok()?);
    let key = RsaKeyPair::from_pkcs8(&der).ok()?;
    let head = json!({ "alg": "RS256", "typ": "JWT" }).to_string();
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(head),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let mut signature = vec![0; key.public().modulus_len()];
    let random = SystemRandom::new();
    key.sign(
        &RSA_PKCS1_SHA256,
        &random,
        signed.as_bytes(),
        &mut signature,
    )
    .ok()?;
    let signature = URL_SAFE_NO_PAD.encode(signature);
    Some(Zeroizing::new(format!("{signed}.{signature}")))
}

impl Server for Gcp {
    fn place(&self, name: &SecretName) -> String {
        format!(
            "Google Secret Manager, {}/versions/{}",
            self.path(name),
            Self::version(name)
        )
    }

    fn remedy(&self, name: &SecretName) -> Option<String> {
        Some(format!(
            "`gcloud secrets {} {} --project {}{} --data-file=-` writes it there",
            match name.version() {
                0 => "create",
                _ => "versions add",
            },
            self.id(name),
            self.options.project,
            self.location()
                .map(|location| format!(" --location {location}"))
                .unwrap_or_default()
        ))
    }

    async fn fetch(&self, name: &SecretName) -> Result<Option<Fetched>, Problem> {
        let client = local::client(self.options.ca.as_deref())?;
        let url = self.options.endpoint.as_deref().unwrap_or(ENDPOINT);
        let address = Address::parse(url, Plain::Never)
            .map_err(|problem| Problem::Refused(problem.to_owned()))?;
        let address = address.below(&format!(
            "v1/{}/versions/{}:access",
            self.path(name),
            Self::version(name)
        ));
        let question = || Question::get(address.clone());
        let patience = self.options.patience;
        let answer = self
            .bearers
            .ask(&client, question, patience, || self.token());
        self.found(name, answer.await?)
    }
}

#[cfg(test)]
#[path = "gcp/tests.rs"]
mod tests;
