//! Secrets in environment variables. An empty value counts as absent, because compose files and
//! charts pass unset variables on as empty.
//!
//! `sales/customer-salt` is `GLOVEBOX_SECRET_SALES_CUSTOMER_SALT`: letters in upper case, digits
//! kept, everything else `_`. Names that differ only in case or punctuation share a variable
//! (`a/b`, `a-b`, `A.b`); whoever needs both keeps them in files or the keyring. The value is taken
//! as it is, a trailing newline included. The copy in the process's own environment block cannot be
//! wiped: on shared machines prefer files or the keyring.

use std::collections::HashMap;
use std::ffi::OsString;

use glovebox_core::{CredentialError, CredentialStore, Secret, SecretName};
use zeroize::Zeroize;

/// What every variable's name starts with.
pub const PREFIX: &str = "GLOVEBOX_SECRET_";

/// Secrets given as environment variables.
pub struct Environment {
    lookup: Lookup,
}

type Lookup = Box<dyn Fn(&str) -> Option<OsString> + Send + Sync>;

impl Environment {
    /// This process's environment.
    pub fn new() -> Self {
        Environment {
            lookup: Box::new(|variable| std::env::var_os(variable)),
        }
    }

    /// A given set of variables instead of the process's own.
    pub fn of(variables: HashMap<String, OsString>) -> Self {
        Environment {
            lookup: Box::new(move |variable| variables.get(variable).cloned()),
        }
    }
}

impl Default for Environment {
    fn default() -> Self {
        Environment::new()
    }
}

/// The variable that holds a secret of that name.
pub fn variable(name: &SecretName) -> String {
    let mut variable = String::with_capacity(PREFIX.len() + name.as_str().len());
    variable.push_str(PREFIX);
    variable.extend(name.as_str().chars().map(|c| match c {
        c if c.is_ascii_alphanumeric() => c.to_ascii_uppercase(),
        _ => '_',
    }));
    variable
}

impl CredentialStore for Environment {
    fn remedy(&self, name: &SecretName) -> Option<String> {
        Some(format!("set {} for this process", variable(name)))
    }

    fn place(&self, name: &SecretName) -> String {
        let variable = variable(name);
        let empty = (self.lookup)(&variable)
            .map(wiped_emptiness)
            .unwrap_or_default();
        let note = if empty { " (set, but empty)" } else { "" };
        format!("environment variable {variable}{note}")
    }

    fn get(&self, name: &SecretName) -> Result<Option<Secret>, CredentialError> {
        let Some(value) = (self.lookup)(&variable(name)) else {
            return Ok(None);
        };
        let secret = Secret::new(value.into_encoded_bytes());
        Ok((!secret.is_empty()).then_some(secret))
    }
}

fn wiped_emptiness(value: OsString) -> bool {
    let mut bytes = value.into_encoded_bytes();
    let empty = bytes.is_empty();
    bytes.zeroize();
    empty
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> SecretName {
        SecretName::parse(name).unwrap()
    }

    #[test]
    fn a_variable_is_the_name_in_upper_case_with_underscores() {
        for (secret, expected) in [
            ("sales/customer-salt", "GLOVEBOX_SECRET_SALES_CUSTOMER_SALT"),
            ("sales-db/loader", "GLOVEBOX_SECRET_SALES_DB_LOADER"),
            ("a.b_c/D-1", "GLOVEBOX_SECRET_A_B_C_D_1"),
        ] {
            assert_eq!(variable(&name(secret)), expected);
        }
    }

    #[test]
    fn names_that_differ_only_in_punctuation_share_a_variable() {
        assert_eq!(variable(&name("a/b")), variable(&name("A-b")));
    }

    #[test]
    fn a_value_is_taken_as_it_is() {
        let store = Environment::of(HashMap::from([(
            "GLOVEBOX_SECRET_SALT".into(),
            " salt\n".into(),
        )]));
        let secret = store.get(&name("salt")).unwrap().unwrap();
        assert_eq!(secret.expose(), b" salt\n");
        assert!(store.get(&name("pepper")).unwrap().is_none());
    }

    #[test]
    fn an_empty_variable_counts_as_absent_and_its_place_says_so() {
        let store = Environment::of(HashMap::from([(
            "GLOVEBOX_SECRET_SALT".into(),
            OsString::new(),
        )]));
        assert!(store.get(&name("salt")).unwrap().is_none());
        assert_eq!(
            store.place(&name("salt")),
            "environment variable GLOVEBOX_SECRET_SALT (set, but empty)"
        );
    }

    #[test]
    fn the_process_environment_is_read() {
        let variable = std::env::vars_os()
            .next()
            .map(|(key, _)| key.into_string().unwrap())
            .unwrap();
        assert!((Environment::new().lookup)(&variable).is_some());
        assert!((Environment::new().lookup)("GLOVEBOX_SECRET_NOT_SET_BY_ANYONE").is_none());
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_not_utf8_are_a_secret_too() {
        use std::os::unix::ffi::OsStringExt;
        let store = Environment::of(HashMap::from([(
            "GLOVEBOX_SECRET_SALT".into(),
            OsString::from_vec(vec![0xff, 0x01]),
        )]));
        let secret = store.get(&name("salt")).unwrap().unwrap();
        assert_eq!(secret.expose(), [0xff, 0x01]);
    }
}
