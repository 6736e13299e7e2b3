//! Places where secrets are looked up.

use std::path::PathBuf;

use glovebox_core::SecretName;

use crate::load::clouds::{Aws, Azure, AzureIdentity, Gcp};
use crate::load::vault::{Transit, Vault};

/// A place where secrets are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// The operating system's store.
    Keyring,
    /// Variables `GLOVEBOX_SECRET_…`.
    Env,
    /// A folder with one file a secret.
    Files(PathBuf),
    /// On another server.
    Remote(Box<RemoteStore>),
}

/// A server that keeps secrets, to which one logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemoteStore {
    /// Of Vault's API.
    Vault(Vault),
    /// Vault's Transit engine, for keys of masks alone.
    Transit(Transit),
    /// AWS Secrets Manager.
    Aws(Aws),
    /// Google Cloud's Secret Manager.
    Gcp(Gcp),
    /// Azure Key Vault.
    Azure(Azure),
}

impl RemoteStore {
    /// The secret of another store that its login needs.
    pub fn login_secret(&self) -> Option<&SecretName> {
        match self {
            RemoteStore::Vault(vault) => vault.auth.secret(),
            RemoteStore::Transit(transit) => transit.auth.secret(),
            RemoteStore::Azure(Azure {
                identity: AzureIdentity::Client { secret, .. },
                ..
            }) => Some(secret),
            RemoteStore::Aws(_) | RemoteStore::Gcp(_) | RemoteStore::Azure(_) => None,
        }
    }
}
