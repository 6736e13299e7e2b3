//! Secrets in AWS Secrets Manager.
//!
//! `sales/key` is the secret `PREFIX/sales/key`, its current version. `sales/key@3` is a secret of
//! that name: versions have no numbers there. A secret is its text or its bytes; with a field, the
//! text is a JSON object and the secret one of its members.

mod identity;
mod signature;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use glovebox_core::{Secret, SecretName};
use glovebox_outbound::https::{Address, Client, HeaderName, HeaderValue, Plain, header};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use identity::Keys;

use super::call::{self, Answer, Question, Taken, Wiped};
use super::{Fetched, Patience, Problem, Server, Variables, local};

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const SESSION: HeaderName = HeaderName::from_static("x-amz-security-token");
const GET: &str = "secretsmanager.GetSecretValue";
const JSON: &str = "application/x-amz-json-1.1";

/// Which secrets, and where.
pub struct Options {
    /// The region, like `eu-central-1`.
    pub region: String,
    /// What stands before the names of secrets.
    pub prefix: Option<String>,
    /// The member of the secret's JSON object.
    pub field: Option<String>,
    /// A URL instead of the region's public one, `https://` only.
    pub endpoint: Option<String>,
    /// PEM of authorities to trust, instead of Mozilla's list.
    pub ca: Option<PathBuf>,
    /// How long a server is waited for.
    pub patience: Patience,
    /// The program's environment, which says who it is.
    pub variables: Variables,
}

/// AWS Secrets Manager of a region.
pub struct Aws {
    options: Options,
    keys: Mutex<Option<Arc<Keys>>>,
}

impl Aws {
    /// Asks it; nothing is called before the first secret.
    pub fn new(options: Options) -> Self {
        Aws {
            options,
            keys: Mutex::default(),
        }
    }

    fn id(&self, name: &SecretName) -> String {
        super::prefixed(self.options.prefix.as_deref(), name.as_str())
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Option<Arc<Keys>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keys that are good for a while yet, and whether they are new.
    async fn keys(&self) -> Result<(Arc<Keys>, bool), Problem> {
        let current = self.current().clone();
        if let Some(keys) = current.filter(|keys| keys.are_fresh()) {
            return Ok((keys, false));
        }
        let keys = Arc::new(identity::keys(&self.options).await?);
        *self.current() = Some(Arc::clone(&keys));
        Ok((keys, true))
    }

    async fn read(
        &self,
        client: &Client,
        keys: &Keys,
        name: &SecretName,
    ) -> Result<Answer, Problem> {
        let address = self.options.address()?;
        let body = json!({ "SecretId": self.id(name) });
        let mut question = Question::post(address, &body);
        question.repeatable = true;
        let json = HeaderValue::from_static(JSON);
        question.headers.insert(header::CONTENT_TYPE, json);
        let target = HeaderValue::from_static(GET);
        question.headers.insert(TARGET, target);
        let time = chrono::Utc::now().format("%Y%m%dT%H%M%SZ").to_string();
        let host = question.address.authority().to_owned();
        let session = keys.session.as_ref().map(text).transpose()?;
        let mut headers = vec![
            ("content-type", JSON),
            ("host", host.as_str()),
            ("x-amz-date", time.as_str()),
        ];
        headers.extend(session.map(|session| ("x-amz-security-token", session)));
        headers.push(("x-amz-target", GET));
        let request = signature::Request {
            method: "POST",
            path: question.address.path(),
            headers: &headers,
            body: &question.body,
        };
        let scope = signature::Scope {
            region: &self.options.region,
            service: "secretsmanager",
            time: &time,
        };
        let signed = signature::authorization(&request, &scope, &keys.access, &keys.secret);
        let mut question =
            question.secret_header(header::AUTHORIZATION, Zeroizing::new(signed).as_bytes())?;
        if let Some(session) = session {
            question = question.secret_header(SESSION, session.as_bytes())?;
        }
        let question = question.secret_header(DATE, time.as_bytes())?;
        call::ask(client, &question, self.options.patience).await
    }

    fn found(&self, name: &SecretName, mut answer: Answer) -> Result<Option<Fetched>, Problem> {
        if answer.status != 200 {
            return match error(&answer) {
                "ResourceNotFoundException" => Ok(None),
                said => Err(self.refusal(name, said, answer.status)),
            };
        }
        let fetched = |bytes: Vec<u8>| {
            let secret = Secret::new(bytes);
            Ok(Some(Fetched {
                secret,
                lease: None,
            }))
        };
        let refused = |problem: &str| Err(Problem::Refused(problem.to_owned()));
        match answer.body.take_text("", "SecretString") {
            Taken::Text(text) => match &self.options.field {
                None => fetched(text.into_bytes()),
                Some(field) => match member(text, field) {
                    Some(text) => fetched(text.into_bytes()),
                    None => Err(Problem::Refused(format!(
                        "it is not a JSON object with the text `{field}`"
                    ))),
                },
            },
            Taken::Other => refused("its text is none"),
            Taken::Nothing => match answer.body.take_text("", "SecretBinary") {
                Taken::Text(text) if self.options.field.is_none() => {
                    let text = Zeroizing::new(text);
                    let bytes = STANDARD.decode(text.as_bytes());
                    bytes.map_or_else(|_| refused("its bytes are not valid Base64"), fetched)
                }
                Taken::Text(_) => refused("it is bytes, which have no `field`"),
                _ => refused("it has neither text nor bytes"),
            },
        }
    }

    fn refusal(&self, name: &SecretName, said: &str, status: u16) -> Problem {
        let id = self.id(name);
        let region = &self.options.region;
        match said {
            "AccessDeniedException" => Problem::Refused(format!(
                "access is denied; allow secretsmanager:GetSecretValue on \
                 arn:aws:secretsmanager:{region}:ACCOUNT:secret:{id}-*"
            )),
            "InvalidRequestException" => Problem::Refused(format!(
                "it is scheduled for deletion, or another service's; restore it with: aws \
                 secretsmanager restore-secret --secret-id {id}"
            )),
            "DecryptionFailure" => Problem::Refused(
                "its KMS key cannot be used; allow kms:Decrypt, and look whether the key is enabled"
                    .into(),
            ),
            "ThrottlingException" => Problem::Away("it limits the rate of requests".into()),
            said if is_of_identity(said) => Problem::Refused(format!(
                "it does not accept the program's AWS keys ({status}); have they expired, and is the \
                 clock right?"
            )),
            _ if status >= 500 || status == 429 => {
                Problem::Away(format!("it answered {status}; try again later"))
            }
            _ => Problem::Refused(format!(
                "it answered {status}; are region and endpoint right?"
            )),
        }
    }
}

/// The kind of an error, as one of the words that are published; empty if it is another.
fn error(answer: &Answer) -> &'static str {
    let said = answer.body.at("/__type").and_then(Value::as_str);
    let said = said.map(|said| said.rsplit('#').next().unwrap_or(said));
    let known = [
        "ResourceNotFoundException",
        "AccessDeniedException",
        "InvalidRequestException",
        "DecryptionFailure",
        "ThrottlingException",
        "ExpiredTokenException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "SignatureDoesNotMatch",
    ];
    let found = known.into_iter().find(|word| Some(*word) == said);
    found.unwrap_or_default()
}

fn is_of_identity(said: &str) -> bool {
    matches!(
        said,
        "ExpiredTokenException"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "IncompleteSignature"
            | "InvalidClientTokenId"
            | "MissingAuthenticationToken"
            | "SignatureDoesNotMatch"
    )
}

fn member(text: String, field: &str) -> Option<String> {
    let text = Zeroizing::new(text);
    let mut object = Wiped::new(serde_json::from_str(&text).ok()?);
    match object.take_text("", field) {
        Taken::Text(text) => Some(text),
        Taken::Other | Taken::Nothing => None,
    }
}

fn text(secret: &Secret) -> Result<&str, Problem> {
    let text = secret.expose_str();
    text.ok_or_else(|| Problem::Refused("the program's AWS keys are not text".into()))
}

impl Server for Aws {
    fn place(&self, name: &SecretName) -> String {
        let field = self.options.field.as_ref();
        let field = field.map(|field| format!(", field {field}"));
        format!(
            "AWS Secrets Manager of {}, {}{}",
            self.options.region,
            self.id(name),
            field.unwrap_or_default()
        )
    }

    fn remedy(&self, name: &SecretName) -> Option<String> {
        Some(format!(
            "`aws secretsmanager create-secret --region {} --name {} --secret-string …` writes it \
             there",
            self.options.region,
            self.id(name)
        ))
    }

    async fn fetch(&self, name: &SecretName) -> Result<Option<Fetched>, Problem> {
        let client = local::client(self.options.ca.as_deref())?;
        let (keys, are_new) = self.keys().await?;
        let mut answer = self.read(&client, &keys, name).await?;
        if is_of_identity(error(&answer)) {
            *self.current() = None;
            if !are_new {
                let (keys, _) = self.keys().await?;
                answer = self.read(&client, &keys, name).await?;
            }
        }
        self.found(name, answer)
    }
}

impl Options {
    /// A variable of the environment that says something.
    fn variable(&self, name: &str) -> Option<String> {
        (self.variables)(name).filter(|value| !value.is_empty())
    }

    fn address(&self) -> Result<Address, Problem> {
        let region = &self.region;
        // China's regions have a domain of their own; others of the kind need an endpoint.
        let china = if region.starts_with("cn-") { ".cn" } else { "" };
        let public = || format!("https://secretsmanager.{region}.amazonaws.com{china}");
        let url = self.endpoint.clone().unwrap_or_else(public);
        let address = Address::parse(&url, Plain::Never);
        address.map_err(|problem| Problem::Refused(problem.to_owned()))
    }
}

#[cfg(test)]
#[path = "aws/tests.rs"]
mod tests;
