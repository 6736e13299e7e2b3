//! The stores of `credentials:`, made once a process, and an account of the secrets that they gave.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use glovebox_core::{CredentialError, CredentialStore, Secret, SecretName};
use glovebox_credentials::{Chain, Environment, Files, Keyring};
use glovebox_manifest::model::{RemoteStore, Store};

#[cfg(feature = "remote-stores")]
use self::remote::Remotes;
#[cfg(not(feature = "remote-stores"))]
use crate::without;

#[cfg(feature = "remote-stores")]
mod remote;

/// What secrets are looked up in.
#[derive(Default)]
pub(super) struct Stores {
    local: Local,
    #[cfg(feature = "remote-stores")]
    remotes: Remotes,
}

/// The stores of this machine.
#[derive(Clone, Default)]
struct Local {
    /// The names of the secrets that were fetched, for those who keep account of it.
    fetched: Arc<Mutex<BTreeSet<String>>>,
    /// One keyring a process: finding out which one answers may take seconds.
    keyring: Arc<Keyring>,
}

impl Stores {
    /// The names of the secrets that were fetched so far.
    pub(super) fn fetched(&self) -> Vec<String> {
        let fetched = &self.local.fetched;
        let fetched = fetched.lock().unwrap_or_else(PoisonError::into_inner);
        fetched.iter().cloned().collect()
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
        let opened = stores.iter().filter_map(|store| match store {
            Store::Remote(remote) => Some(self.remote(remote, stores)),
            local => self.local.open(local),
        });
        self.local.account(Chain::new(opened.collect()), name)
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

impl Local {
    fn open(&self, store: &Store) -> Option<Box<dyn CredentialStore>> {
        Some(match store {
            Store::Keyring => Box::new(Shared(Arc::clone(&self.keyring))),
            Store::Env => Box::new(Environment::new()),
            Store::Files(folder) => Box::new(Files::new(folder)),
            Store::Remote(_) => return None,
        })
    }

    fn account(&self, chain: Chain, name: &SecretName) -> Result<Secret, CredentialError> {
        let (secret, _) = chain.get(name)?;
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        fetched.insert(name.as_str().to_owned());
        Ok(secret)
    }
}

/// A store that outlives one chain.
struct Shared<S: ?Sized>(Arc<S>);

impl<S: CredentialStore + ?Sized> CredentialStore for Shared<S> {
    fn remedy(&self, name: &SecretName) -> Option<String> {
        self.0.remedy(name)
    }

    fn place(&self, name: &SecretName) -> String {
        self.0.place(name)
    }

    fn get(&self, name: &SecretName) -> Result<Option<Secret>, CredentialError> {
        self.0.get(name)
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
