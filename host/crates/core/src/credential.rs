//! Where secrets come from: a store by trait, a secret by name.

use std::fmt;
use std::sync::Arc;

use crate::keys::Key;
use crate::secret::Secret;

/// The name of a secret, such as `sales/customer-salt`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretName(Arc<str>);

impl SecretName {
    /// Checks a name: 1 to 128 of `a-z A-Z 0-9 . _ - /`, in parts that are neither empty nor
    /// begin with a dot or a dash; at the end a version may stand, like `@3`.
    ///
    /// # Errors
    /// A sentence that says what a name may look like.
    pub fn parse(name: &str) -> Result<Self, InvalidSecretName> {
        let part_ok = |part: &str| {
            !part.is_empty()
                && !part.starts_with(['.', '-'])
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        let (base, version) = name.split_once('@').unwrap_or((name, "1"));
        let is_version = version.len() <= 6
            && version.bytes().all(|b| b.is_ascii_digit())
            && !version.starts_with('0')
            && !version.is_empty();
        if name.len() <= 128 && is_version && base.split('/').all(part_ok) {
            Ok(SecretName(name.into()))
        } else {
            Err(InvalidSecretName)
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without a version.
    pub fn base(&self) -> &str {
        self.0.split_once('@').map_or(&*self.0, |(base, _)| base)
    }

    /// The version that it ends with; 0 if it has none.
    pub fn version(&self) -> u32 {
        let version = self.0.split_once('@').map(|(_, version)| version);
        version.and_then(|v| v.parse().ok()).unwrap_or(0)
    }

    /// The same name with another version.
    #[must_use]
    pub fn at(&self, version: u32) -> Self {
        SecretName(format!("{}@{version}", self.base()).into())
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Not the name of a secret. It does not repeat the name, which may be the secret, mistyped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret's name is 1 to 128 letters, digits, `.`, `_`, `-`, in parts joined by `/`, like `sales/customer-salt`, and may end with a version, like `@2`"
)]
pub struct InvalidSecretName;

/// A place that may hold secrets.
pub trait CredentialStore: Send + Sync {
    /// The store and where exactly it looks for that secret, for error messages.
    fn place(&self, name: &SecretName) -> String;

    /// How a secret of that name gets there, as the end of a sentence; none if that needs no words.
    fn remedy(&self, _name: &SecretName) -> Option<String> {
        None
    }

    /// The secret, or none if this store does not have it.
    ///
    /// # Errors
    /// When the store itself cannot be read.
    fn get(&self, name: &SecretName) -> Result<Option<Secret>, CredentialError>;

    /// The key of a mask, which may be one that stays in the store, or none if this store does not have it.
    ///
    /// # Errors
    /// As [`CredentialStore::get`].
    fn key(&self, name: &SecretName) -> Result<Option<Key>, CredentialError> {
        Ok(self.get(name)?.map(Key::Secret))
    }
}

/// Why a secret could not be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CredentialError {
    /// No store of the chain has it.
    #[error("no secret `{name}`; looked in:{}{}", list(.places), advice(.remedies))]
    Missing {
        /// The secret.
        name: SecretName,
        /// Where it was looked for, in order.
        places: Vec<String>,
        /// How it gets into each of them.
        remedies: Vec<String>,
    },
    /// A store could not be read.
    #[error("cannot read secret `{name}` from {place}: {problem}")]
    Store {
        /// The secret.
        name: SecretName,
        /// The store.
        place: String,
        /// What it said, without the secret.
        problem: String,
    },
}

fn list(places: &[String]) -> String {
    if places.is_empty() {
        return " nowhere: the manifest's `credentials:` block is empty".into();
    }
    places.iter().map(|p| format!("\n  - {p}")).collect()
}

fn advice(remedies: &[String]) -> String {
    match remedies {
        [] => String::new(),
        remedies => format!("\n{}", remedies.join("; or ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_be_paths_or_options() {
        for good in ["salt", "sales/customer-salt", "a.b_c/d-1"] {
            assert!(SecretName::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/a",
            "a/",
            "a//b",
            "../x",
            "a/.hidden",
            "-x",
            "a b",
            "ä",
        ] {
            assert!(SecretName::parse(bad).is_err(), "{bad}");
        }
    }
}
