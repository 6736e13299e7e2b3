//! The stores of this machine, and an account of the secrets that came from any.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use glovebox_core::{CredentialError, CredentialStore, Key, Secret, SecretName};
use glovebox_credentials::{Chain, Environment, Files, Keyring};
use glovebox_manifest::model::Store;

/// The stores of this machine.
#[derive(Clone, Default)]
pub(super) struct Local {
    /// The names of the secrets that were fetched, for those who keep account of it.
    fetched: Arc<Mutex<BTreeSet<String>>>,
    /// One keyring a process: finding out which one answers may take seconds.
    keyring: Arc<Keyring>,
}

impl Local {
    /// A store of this machine; none if it is elsewhere.
    pub(super) fn open(&self, store: &Store) -> Option<Box<dyn CredentialStore>> {
        Some(match store {
            Store::Keyring => Box::new(Shared(Arc::clone(&self.keyring))),
            Store::Env => Box::new(Environment::new()),
            Store::Files(folder) => Box::new(Files::new(folder)),
            Store::Remote(_) => return None,
        })
    }

    /// The names of the secrets that were fetched so far.
    pub(super) fn fetched(&self) -> Vec<String> {
        let fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        fetched.iter().cloned().collect()
    }

    /// A chain's secret, of which account is kept.
    ///
    /// # Errors
    /// As [`Chain::get`].
    pub(super) fn account(
        &self,
        chain: Chain,
        name: &SecretName,
    ) -> Result<Secret, CredentialError> {
        let (secret, _) = chain.get(name)?;
        self.record(name);
        Ok(secret)
    }

    /// A chain's key, of which account is kept; of one that stays on a server by its version.
    ///
    /// # Errors
    /// As [`Chain::key`].
    pub(super) fn account_key(
        &self,
        chain: Chain,
        name: &SecretName,
    ) -> Result<Key, CredentialError> {
        let (key, _) = chain.key(name)?;
        match &key {
            Key::Secret(_) => self.record(name),
            Key::Remote(remote) => self.record(&name.at(remote.version())),
        }
        Ok(key)
    }

    fn record(&self, name: &SecretName) {
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        fetched.insert(name.as_str().to_owned());
    }
}

/// A store that outlives one chain.
pub(super) struct Shared<S: ?Sized>(pub(super) Arc<S>);

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

    fn key(&self, name: &SecretName) -> Result<Option<Key>, CredentialError> {
        self.0.key(name)
    }
}
