//! The stores of `credentials:`, made once a process, and an account of the secrets that they gave.

use glovebox_core::{CredentialError, CredentialStore, Key, Secret, SecretName};
use glovebox_credentials::Chain;
use glovebox_manifest::model::{RemoteStore, Store};

use self::local::Local;
#[cfg(feature = "remote-stores")]
use self::remote::Remotes;
#[cfg(not(feature = "remote-stores"))]
use crate::without;

mod local;
#[cfg(feature = "remote-stores")]
mod remote;

/// What secrets are looked up in.
#[derive(Default)]
pub(super) struct Stores {
    local: Local,
    #[cfg(feature = "remote-stores")]
    remotes: Remotes,
}

impl Stores {
    /// The names of the secrets that were fetched so far.
    pub(super) fn fetched(&self) -> Vec<String> {
        self.local.fetched()
    }

    /// The first of these stores' secret of that name.
    ///
    /// # Errors
    /// As [`Chain::get`].
    pub(super) fn secret(
        &self,
        stores: &[Store],
        name: &SecretName,
    ) -> Result<Secret, CredentialError> {
        self.local.account(self.chain(stores), name)
    }

    /// The first of these stores' key of that name, which may be one that stays there.
    ///
    /// # Errors
    /// As [`Chain::key`].
    pub(super) fn key(&self, stores: &[Store], name: &SecretName) -> Result<Key, CredentialError> {
        self.local.account_key(self.chain(stores), name)
    }

    fn chain(&self, stores: &[Store]) -> Chain {
        let opened = stores.iter().filter_map(|store| match store {
            Store::Remote(remote) => Some(self.remote(remote, stores)),
            local => self.local.open(local),
        });
        Chain::new(opened.collect())
    }

    #[cfg(feature = "remote-stores")]
    fn remote(&self, store: &RemoteStore, all: &[Store]) -> Box<dyn CredentialStore> {
        self.remotes.open(store, all, &self.local)
    }

    #[cfg(not(feature = "remote-stores"))]
    fn remote(&self, _: &RemoteStore, _: &[Store]) -> Box<dyn CredentialStore> {
        Box::new(NotBuilt)
    }
}

/// A store that this program cannot ask. It ends the search: a later one might have an older secret.
#[cfg(not(feature = "remote-stores"))]
struct NotBuilt;

#[cfg(not(feature = "remote-stores"))]
impl CredentialStore for NotBuilt {
    fn place(&self, _: &SecretName) -> String {
        "another server".into()
    }

    fn get(&self, name: &SecretName) -> Result<Option<Secret>, CredentialError> {
        Err(CredentialError::Store {
            name: name.clone(),
            place: self.place(name),
            problem: without::REMOTE_STORES.refusal(),
        })
    }
}
