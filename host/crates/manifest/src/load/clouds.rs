//! The clouds' stores of secrets: which, where, and as whom. A login's own secret is a secret of
//! another store, never a text of the manifest.

use std::path::PathBuf;
use std::time::Duration;

use glovebox_core::SecretName;
use serde_json::json;

use super::postgres::Tls;
use super::vault::{ADDRESS, BY_NAME, PATH};
use crate::block::{Block, Reader};
use crate::declare::{section, words};
use crate::diagnostic::Diagnostic;
use crate::kinds::{File, Own, Text, Time, nested, word};

section! {
    /// AWS Secrets Manager. The program's keys are found as AWS's own programs find them: in
    /// variables, by a pod's token, a container's or a machine's role.
    #[derive(Eq)]
    pub struct Aws("Aws"): "the AWS store", "aws: { region: eu-central-1 }" {
        /// The region.
        region: String => needed, LABEL, "region: eu-central-1";
        /// What stands before the names of secrets, with a `/` between.
        prefix: Option<String> => optional, PATH, "prefix: glovebox";
        /// The member of a secret that is a JSON object.
        field: Option<String> => optional "all of it", Text, "field: password";
        /// Another URL than the region's public one, such as a VPC endpoint's.
        endpoint: Option<String> => optional, ADDRESS, "endpoint: https://vpce-….amazonaws.com";
        /// Certificates to trust instead of the built-in ones; of the server that says who asks, besides them.
        ca = "tls": Option<PathBuf> => empty, nested::<Tls>();
        /// How long one request may take; it is tried up to four times.
        timeout: Duration
            => default "10s", Time(Duration::from_millis(100)..=Duration::from_secs(300));
    }
    hints {
        "access-key" => "delete it: keys come from the environment, as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from a role",
        "role" => "delete it: a pod's, container's or machine's role is found by itself",
    }
}

section! {
    /// Google Cloud's Secret Manager. Without a key file the service account of the machine or pod asks.
    #[derive(Eq)]
    pub struct Gcp("Gcp"): "the Google Cloud store", "gcp: { project: acme-prod }" {
        /// The project.
        project: String => needed, LABEL, "project: acme-prod";
        /// What stands before the names of secrets, with a `-` between.
        prefix: Option<String> => optional, PATH, "prefix: glovebox";
        /// A service account's key, a file of JSON.
        key_file: Option<PathBuf> => optional, File, "key-file: /run/secrets/gcp.json";
        /// Another URL than the public one. A region's, `https://secretmanager.LOCATION.rep.googleapis.com`, has the secrets of
        /// that location.
        endpoint: Option<String> => optional, ADDRESS, "endpoint: https://secretmanager.europe-west3.rep.googleapis.com";
        /// Certificates to trust instead of the built-in ones; of the server that says who asks, besides them.
        ca = "tls": Option<PathBuf> => empty, nested::<Tls>();
        /// How long one request may take; it is tried up to four times.
        timeout: Duration
            => default "10s", Time(Duration::from_millis(100)..=Duration::from_secs(300));
    }
    hints {
        "key" => "write key-file: FILE",
    }
}

section! {
    /// Azure Key Vault.
    pub(crate) struct AzureKeys("Azure"): "the Azure store", "azure: { address: https://acme.vault.azure.net }" {
        /// The key vault's URL.
        address: String => needed, ADDRESS, "address: https://acme.vault.azure.net";
        /// What stands before the names of secrets, with a `-` between.
        prefix: Option<String> => optional, PATH, "prefix: glovebox";
        /// Who asks.
        auth: AzureAuth => default "managed-identity", word::<AzureAuth>();
        /// With `client-secret`: the directory.
        tenant: Option<String> => optional, LABEL, "tenant: acme.onmicrosoft.com";
        /// With `client-secret`: the application. With `managed-identity`: which of several.
        client_id: Option<String> => optional, LABEL, "client-id: 59d6d1ca-47bb-4e7e-a40b-8be3bc5a0ba8";
        /// With `client-secret`: the secret that holds the application's secret.
        client_secret: Option<SecretName> => optional, BY_NAME, "client-secret: { secret: azure/client-secret }";
        /// Certificates to trust instead of the built-in ones; of the server that says who asks, besides them.
        ca = "tls": Option<PathBuf> => empty, nested::<Tls>();
        /// How long one request may take; it is tried up to four times.
        timeout: Duration
            => default "10s", Time(Duration::from_millis(100)..=Duration::from_secs(300));
    }
    hints {
        "vault" => "write address: https://NAME.vault.azure.net",
        "url" => "write `address:`",
    }
    settle Azure: azure;
}

words! {
    /// Who asks Azure Key Vault.
    pub(crate) enum AzureAuth {
        /// The machine's identity.
        ManagedIdentity = "managed-identity",
        /// The pod's, as the variables `AZURE_…` say.
        WorkloadIdentity = "workload-identity",
        /// An application's.
        ClientSecret = "client-secret",
    }
}

/// Azure Key Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Azure {
    /// The key vault's URL.
    pub address: String,
    /// What stands before the names of secrets.
    pub prefix: Option<String>,
    /// Who asks.
    pub identity: AzureIdentity,
    /// Certificates to trust instead of the built-in ones; of the server that says who asks, besides them.
    pub ca: Option<PathBuf>,
    /// How long one request may take.
    pub timeout: Duration,
}

/// Who asks Azure Key Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AzureIdentity {
    /// The machine's identity, or of several the one with this client id.
    Managed(Option<String>),
    /// The pod's.
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

fn azure(keys: AzureKeys, reader: &mut Reader<'_>, block: &Block<'_>) -> Option<Azure> {
    let identity = match keys.auth {
        AzureAuth::ManagedIdentity => AzureIdentity::Managed(keys.client_id),
        AzureAuth::WorkloadIdentity => AzureIdentity::Workload,
        AzureAuth::ClientSecret => match (keys.tenant, keys.client_id, keys.client_secret) {
            (Some(tenant), Some(client_id), Some(secret)) => AzureIdentity::Client {
                tenant,
                client_id,
                secret,
            },
            _ => {
                // What was written and refused has been complained of.
                let asked = ["tenant", "client-id", "client-secret"];
                if block.present(&asked).len() == asked.len() {
                    return None;
                }
                reader.say(
                    Diagnostic::error(
                        block.head.clone(),
                        "the login of an application needs `tenant`, `client-id` and `client-secret`",
                    )
                    .help("add: client-secret: { secret: azure/client-secret }, and the others"),
                );
                return None;
            }
        },
    };
    Some(Azure {
        address: keys.address,
        prefix: keys.prefix,
        identity,
        ca: keys.ca,
        timeout: keys.timeout,
    })
}

/// A name that becomes part of an address.
const LABEL: Own<String> = Own {
    read: |reader, at| {
        let label = reader.text(at.node, at.key, &at.example)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':');
        if label.value.len() <= 128 && label.value.bytes().all(plain) {
            return Some(label);
        }
        let problem = format!("`{}` is not a name of that kind", at.key);
        let help = format!("write letters, digits, `-` and `.`: {}", at.example);
        reader.say(Diagnostic::error(label.span, problem).help(help));
        None
    },
    words: "text",
    schema: |_| json!({ "type": "string", "pattern": "^[A-Za-z0-9.:-]+$", "maxLength": 128 }),
};
