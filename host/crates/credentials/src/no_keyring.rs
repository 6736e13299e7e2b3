//! What stands for the operating system's keyring in a program that was built without it.

use glovebox_core::{CredentialError, CredentialStore, Secret, SecretName};

/// A keyring that is not there: it has no secret, and says why.
#[derive(Debug, Default)]
pub struct Keyring;

impl Keyring {
    /// None.
    pub fn new() -> Self {
        Keyring
    }
}

impl CredentialStore for Keyring {
    fn place(&self, _: &SecretName) -> String {
        "OS keyring: this program was built without it".into()
    }

    fn get(&self, _: &SecretName) -> Result<Option<Secret>, CredentialError> {
        Ok(None)
    }
}
