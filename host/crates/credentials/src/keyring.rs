//! Secrets in the operating system's keyring: Apple's Keychain, Windows' Credential Manager, and on
//! Linux the Secret Service where a D-Bus session offers one, else the kernel's keyutils.
//! If the chosen store fails, the other is not used: a secret could then be in two places.
//!
//! An entry's service is `glovebox`, its user the secret's name. The kernel keeps its entries in
//! memory, by design: they are lost at reboot, and may be after days without use
//! (`/proc/sys/kernel/keys/persistent_keyring_expiry`). Containers often forbid its calls; then
//! there is no keyring, which a chain takes as absence and `set` as an error.

mod deadline;
mod kernel;
mod open;

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use glovebox_core::{CredentialError, CredentialStore, Secret, SecretName};
use keyring_core::Error as StoreError;

use self::deadline::{NoAnswer, within};
use self::open::Opened;
pub use self::open::SERVICE;

/// How long the keyring is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the D-Bus session to answer at all; 3 s.
    pub connect: Duration,
    /// For one request, in which someone may have to unlock the keyring; 2 min.
    pub request: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            connect: Duration::from_secs(3),
            request: Duration::from_secs(120),
        }
    }
}

/// Why the keyring could not be written, listed or cleared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// This machine offers none.
    #[error(
        "this machine has no OS keyring: {0}; provide the secret as a file or an environment \
        variable instead (in the manifest: credentials: [env, files: FOLDER])"
    )]
    Unavailable(String),
    /// The keyring said no.
    #[error("cannot {action} in {store}: {problem}")]
    Refused {
        /// What was asked.
        action: String,
        /// Which keyring.
        store: String,
        /// What it said, without the secret.
        problem: String,
    },
    /// There was nothing to store.
    #[error("an empty secret protects nothing, so `{0}` was not stored")]
    Empty(SecretName),
}

/// The operating system's keyring, opened when first asked.
pub struct Keyring {
    service: String,
    patience: Timeouts,
    opened: OnceLock<Result<Opened, String>>,
}

impl Keyring {
    /// The keyring, with entries under [`SERVICE`].
    pub fn new() -> Self {
        Keyring::with(SERVICE, Timeouts::default())
    }

    /// The keyring, with entries under another service, so that tests touch nobody's own.
    pub fn with(service: &str, patience: Timeouts) -> Self {
        Keyring {
            service: service.into(),
            patience,
            opened: OnceLock::new(),
        }
    }

    /// Stores a secret, replacing one of that name, and says which keyring took it and for how long.
    ///
    /// # Errors
    /// When there is no keyring, it refuses, or the secret is empty.
    pub fn set(&self, name: &SecretName, secret: &Secret) -> Result<String, KeyringError> {
        if secret.is_empty() {
            return Err(KeyringError::Empty(name.clone()));
        }
        let opened = self.opened()?;
        if let Some(problem) = opened.too_long(secret) {
            return Err(refused(format!("store `{name}`"), opened, problem));
        }
        let entry = self.entry(opened, name);
        let secret = secret.clone();
        self.ask(opened, move || entry?.set_secret(secret.expose()))
            .map_err(|problem| refused(format!("store `{name}`"), opened, problem.sentence()))?;
        Ok(opened.describe())
    }

    /// The names of the secrets under this service, sorted; never their values.
    ///
    /// # Errors
    /// When there is no keyring or it cannot be searched.
    pub fn list(&self) -> Result<Vec<SecretName>, KeyringError> {
        let opened = self.opened()?;
        let names = match opened.in_kernel() {
            true => kernel::names(&self.service).map_err(Unmet::Said),
            false => self.search(opened),
        };
        let names = names.map_err(|p| refused("list secrets".into(), opened, p.sentence()))?;
        let names: BTreeSet<_> = names
            .iter()
            .filter_map(|name| SecretName::parse(name).ok())
            .filter(|name| !opened.in_kernel() || self.reachable(opened, name))
            .collect();
        Ok(names.into_iter().collect())
    }

    /// Deletes a secret; false if there was none of that name.
    ///
    /// # Errors
    /// When there is no keyring or it refuses.
    pub fn delete(&self, name: &SecretName) -> Result<bool, KeyringError> {
        let opened = self.opened()?;
        let entry = self.entry(opened, name);
        match self.ask(opened, move || entry?.delete_credential()) {
            Ok(()) => Ok(true),
            Err(Unmet::Absent) => Ok(false),
            Err(problem) => Err(refused(
                format!("delete `{name}`"),
                opened,
                problem.sentence(),
            )),
        }
    }

    /// Which keyring is used: `the Secret Service`, `kernel keyutils`, `the Keychain` or
    /// `the Credential Manager`.
    ///
    /// # Errors
    /// When there is none.
    pub fn name(&self) -> Result<&'static str, KeyringError> {
        self.opened().map(|opened| opened.name)
    }

    fn opened(&self) -> Result<&Opened, KeyringError> {
        self.opened
            .get_or_init(|| open::open(self.patience.connect))
            .as_ref()
            .map_err(|why| KeyringError::Unavailable(why.clone()))
    }

    fn entry(
        &self,
        opened: &Opened,
        name: &SecretName,
    ) -> keyring_core::Result<keyring_core::Entry> {
        opened.store.build(&self.service, name.as_str(), None)
    }

    fn reachable(&self, opened: &Opened, name: &SecretName) -> bool {
        self.entry(opened, name)
            .and_then(|entry| entry.get_credential())
            .is_ok()
    }

    fn search(&self, opened: &Opened) -> Result<Vec<String>, Unmet> {
        let (store, service) = (opened.store.clone(), self.service.clone());
        self.ask(opened, move || {
            // The Credential Manager is searched by another key, and all of it is not much.
            let by = HashMap::from([("service", service.as_str())]);
            let entries = store.search(&if cfg!(windows) { HashMap::new() } else { by })?;
            let found = entries.iter().filter_map(|entry| entry.get_specifiers());
            let ours = found.filter(|(of, _)| *of == service);
            Ok(ours.map(|(_, user)| user).collect())
        })
    }

    /// Asks the kernel on this thread, whose keyrings are meant, and any other store on another,
    /// which can be left behind when it does not answer.
    fn ask<T: Send + 'static>(
        &self,
        opened: &Opened,
        request: impl FnOnce() -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<T, Unmet> {
        let answer = match opened.in_kernel() {
            true => Ok(request()),
            false => within(self.patience.request, request),
        };
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(StoreError::NoEntry)) => Err(Unmet::Absent),
            Ok(Err(error)) => Err(Unmet::Said(open::sentence(&error))),
            Err(none) => Err(Unmet::Silent(none)),
        }
    }

    /// Once a process, however many keyrings it opens.
    fn say_once(opened: &Opened) {
        static SAID: AtomicBool = AtomicBool::new(false);
        if SAID.swap(true, Ordering::Relaxed) {
            return;
        }
        match &opened.instead {
            None => tracing::info!("the OS keyring is {}", opened.name),
            Some(instead) => tracing::warn!(
                "the OS keyring is kernel keyutils, which forgets at reboot (Secret Service: \
                 {instead})"
            ),
        }
    }
}

impl Default for Keyring {
    fn default() -> Self {
        Keyring::new()
    }
}

impl CredentialStore for Keyring {
    fn remedy(&self, name: &SecretName) -> Option<String> {
        Some(format!(
            "`glovebox secret set {name}` puts it in the keyring"
        ))
    }

    fn place(&self, name: &SecretName) -> String {
        let service = &self.service;
        match self.opened() {
            Ok(opened) => {
                let store = opened.name.trim_start_matches("the ");
                let instead = opened.instead.as_ref();
                let why = instead.map(|instead| format!(" (Secret Service: {instead})"));
                let why = why.unwrap_or_default();
                format!("OS keyring: {store}, service {service}, user {name}{why}")
            }
            Err(_) => match self.opened.get() {
                Some(Err(why)) => format!("OS keyring: not available ({why})"),
                _ => "OS keyring: not available".into(),
            },
        }
    }

    fn get(&self, name: &SecretName) -> Result<Option<Secret>, CredentialError> {
        let Ok(opened) = self.opened() else {
            return Ok(None);
        };
        let entry = self.entry(opened, name);
        match self.ask(opened, move || entry?.get_secret().map(Secret::new)) {
            Ok(secret) if secret.is_empty() => Ok(None),
            Ok(secret) => {
                Self::say_once(opened);
                Ok(Some(secret))
            }
            Err(Unmet::Absent) => Ok(None),
            Err(problem) => Err(CredentialError::Store {
                name: name.clone(),
                place: self.place(name),
                problem: problem.sentence(),
            }),
        }
    }
}

/// Why a request brought nothing.
enum Unmet {
    Absent,
    Said(String),
    Silent(NoAnswer),
}

impl Unmet {
    fn sentence(self) -> String {
        match self {
            Unmet::Absent => "there is no such entry".into(),
            Unmet::Said(what) => what,
            Unmet::Silent(none) => none.to_string(),
        }
    }
}

fn refused(action: String, opened: &Opened, problem: String) -> KeyringError {
    KeyringError::Refused {
        action,
        store: opened.name.into(),
        problem,
    }
}

#[cfg(test)]
#[path = "keyring_tests.rs"]
mod tests;
