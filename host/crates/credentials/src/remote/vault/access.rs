//! Where Vault is and as whom it is asked, whatever is asked of it.

use std::fmt;
use std::path::PathBuf;

use glovebox_core::SecretName;
use glovebox_outbound::https::{Address, HeaderName, HeaderValue, Plain};

use crate::remote::call::Question;
use crate::remote::{Lookup, Patience, Problem};

const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// Agents and proxies may insist on it, so that no browser can be made to ask them.
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

/// A server of Vault's API, and how one logs in there.
pub struct Access {
    /// The server's URL, `https://` only.
    pub address: String,
    /// The namespace of logins and whatever is asked for.
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

/// How one logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// By the token in a secret.
    Token(SecretName),
    /// By AppRole.
    AppRole {
        /// The role's id.
        role_id: String,
        /// The secret that holds the secret ID.
        secret_id: SecretName,
        /// Where the method is mounted.
        mount: String,
    },
    /// As a Kubernetes service account.
    Kubernetes {
        /// The role in Vault.
        role: String,
        /// The file with the service account's token.
        token_file: PathBuf,
        /// Where the method is mounted.
        mount: String,
    },
    /// By a TLS certificate.
    Certificate {
        /// The certificate, a PEM file.
        certificate: PathBuf,
        /// Its private key, a PEM file.
        key: PathBuf,
        /// The role in Vault, or any that fits.
        role: Option<String>,
        /// Where the method is mounted.
        mount: String,
    },
}

/// As messages name it.
impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault {}", self.address)?;
        match &self.namespace {
            Some(namespace) => write!(f, ", namespace {namespace}"),
            None => Ok(()),
        }
    }
}

impl Access {
    /// The address of a path of the API.
    pub(super) fn at(&self, path: &str) -> Result<Address, Problem> {
        let address = Address::parse(&self.address, Plain::Never);
        let address = address.map_err(|problem| Problem::Refused(problem.to_owned()))?;
        Ok(address.below(&format!("v1/{path}")))
    }

    pub(super) fn says_who_asks(&self, mut question: Question) -> Result<Question, Problem> {
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
pub(super) fn unusable(status: u16) -> Problem {
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
