//! How a store is reached and logged in to: as is said, else as the environment says, as the clouds' own
//! tools have it, else in the machine's own role.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use glovebox_core::{Secret, StoreKind};
use glovebox_outbound::https::Client;
use object_store::aws::{AmazonS3Builder, AwsCredential, S3ConditionalPut};
use object_store::azure::{AzureAccessKey, AzureConfigKey, AzureCredential, MicrosoftAzureBuilder};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::{
    BackoffConfig, ClientOptions, CredentialProvider, ObjectStore, RetryConfig,
    StaticCredentialProvider,
};

use crate::asks::{Asks, Signer};

/// How a store is reached.
#[derive(Default, Clone)]
pub struct Access {
    /// A server other than the cloud's own.
    pub endpoint: Option<String>,
    /// The region of a bucket of S3.
    pub region: Option<String>,
    /// An account of Azure.
    pub account: Option<String>,
    /// The ID of an access key of S3.
    pub key_id: Option<String>,
    /// What one logs in by: a secret access key, an account's key, a service account as JSON.
    pub key: Option<Secret>,
    /// Whether nobody logs in.
    pub anonymous: bool,
    /// Authorities to trust besides the public ones, as PEM.
    pub authorities: Option<Vec<u8>>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Access")
    }
}

/// Why a store cannot be asked at all: a sentence without a subject, which repeats nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoAccess(&'static str);

/// A request is tried so often, with pauses that grow from the first to the longest.
const TRIES: usize = 6;
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
/// No request is tried again that was first tried so long ago.
const TRIED_FOR: Duration = Duration::from_secs(120);

impl Access {
    /// What asks over the network.
    pub(crate) fn client(&self) -> Result<Client, NoAccess> {
        let client = match &self.authorities {
            None => Client::new(None),
            Some(pem) => Client::besides_public(pem),
        };
        client.map_err(|_| {
            NoAccess("has no readable certificate of an authority in `tls: { ca: FILE }`; it must be a PEM file")
        })
    }

    /// A bucket, a container, or a web server.
    pub(crate) fn open(
        &self,
        kind: StoreKind,
        bucket: &str,
        asks: Asks,
    ) -> Result<Arc<dyn ObjectStore>, NoAccess> {
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: PAUSES.0,
                max_backoff: PAUSES.1,
                base: 2.0,
            },
            max_retries: TRIES - 1,
            retry_timeout: TRIED_FOR,
        };
        // Which addresses may be asked without TLS is the connector's to say.
        let options = ClientOptions::new().with_allow_http(true);
        match kind {
            StoreKind::S3 => {
                let mut builder = AmazonS3Builder::from_env()
                    .with_bucket_name(bucket)
                    .with_conditional_put(S3ConditionalPut::ETagMatch)
                    .with_retry(retry)
                    .with_client_options(options)
                    .with_http_connector(asks.clone());
                if let Some(endpoint) = &self.endpoint {
                    builder = builder.with_endpoint(endpoint);
                }
                if let Some(region) = &self.region {
                    builder = builder.with_region(region);
                }
                if let (Some(id), Some(key)) = (&self.key_id, &self.key) {
                    // With nothing of the environment's, such as a token that is another key's.
                    let login = AwsCredential {
                        key_id: id.clone(),
                        secret_key: text(key)?.to_owned(),
                        token: None,
                    };
                    builder = builder.with_credentials(alone(login));
                }
                if self.anonymous {
                    builder = builder.with_skip_signature(true);
                }
                built(builder.build(), kind)
            }
            StoreKind::Google => {
                // One that is said is not to be beside the environment's, which the library refuses.
                let builder = match &self.key {
                    Some(key) => {
                        GoogleCloudStorageBuilder::new().with_service_account_key(text(key)?)
                    }
                    None => GoogleCloudStorageBuilder::from_env(),
                };
                let mut builder = builder
                    .with_bucket_name(bucket)
                    .with_retry(retry)
                    .with_client_options(options)
                    .with_http_connector(asks.clone());
                if let Some(endpoint) = &self.endpoint {
                    builder = builder.with_base_url(endpoint);
                }
                if self.anonymous {
                    builder = builder.with_skip_signature(true);
                }
                built(builder.build(), kind)
            }
            StoreKind::Azure => {
                let mut builder = MicrosoftAzureBuilder::from_env()
                    .with_container_name(bucket)
                    .with_retry(retry)
                    .with_client_options(options)
                    .with_http_connector(asks.clone());
                if let Some(account) = &self.account {
                    builder = builder.with_account(account);
                }
                if let Some(endpoint) = &self.endpoint {
                    builder = builder.with_endpoint(endpoint.clone());
                }
                if let Some(key) = &self.key {
                    let login = AzureAccessKey::try_new(text(key)?);
                    let login = login.map_err(|_| NoAccess::of(kind))?;
                    builder = builder.with_credentials(alone(AzureCredential::AccessKey(login)));
                }
                if self.anonymous {
                    builder = builder.with_skip_signature(true);
                }
                let account = builder.get_config_value(&AzureConfigKey::AccountName);
                let store = builder.build();
                if let (Ok(store), Some(account)) = (&store, account) {
                    let credentials = Arc::clone(store.credentials());
                    let signer = Signer {
                        credentials,
                        account,
                    };
                    // It is this store's alone, and nobody else sets it.
                    let _ = asks.signer.set(signer);
                }
                built(store, kind)
            }
            StoreKind::Https => {
                let builder = HttpBuilder::new()
                    .with_url(format!("https://{bucket}"))
                    .with_retry(retry)
                    .with_client_options(options)
                    .with_http_connector(asks.clone());
                built(builder.build(), kind)
            }
        }
    }
}

fn text(key: &Secret) -> Result<&str, NoAccess> {
    let text = std::str::from_utf8(key.expose()).ok().map(str::trim);
    text.ok_or(NoAccess("has a key that is not text"))
}

/// A login that is the only one.
fn alone<C>(login: C) -> Arc<dyn CredentialProvider<Credential = C>>
where
    C: fmt::Debug + Send + Sync + 'static,
{
    Arc::new(StaticCredentialProvider::new(login))
}

fn built<S: ObjectStore>(
    store: object_store::Result<S>,
    kind: StoreKind,
) -> Result<Arc<dyn ObjectStore>, NoAccess> {
    match store {
        Ok(store) => Ok(Arc::new(store)),
        Err(_) => Err(NoAccess::of(kind)),
    }
}

impl NoAccess {
    fn of(kind: StoreKind) -> Self {
        NoAccess(match kind {
            StoreKind::S3 => {
                "cannot be asked: `store:` or the environment's AWS_… has an address, a region or a key \
                 that is none"
            }
            StoreKind::Azure => {
                "cannot be asked: name the account in `store: { account: … }` or \
                 AZURE_STORAGE_ACCOUNT_NAME, and a key that is Base64"
            }
            StoreKind::Https => "cannot be asked: its host is none",
            StoreKind::Google => {
                "cannot be asked: the key must be the JSON of a service account, as Google's console \
                 gives it, or the environment name one in GOOGLE_APPLICATION_CREDENTIALS"
            }
        })
    }

    pub(crate) fn no_threads() -> Self {
        NoAccess("cannot be asked: the system gives no more threads")
    }
}
