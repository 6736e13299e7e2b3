//! Asks several stores in order.
//! A store that fails is not skipped, since a later store might have an older secret.

use glovebox_core::{CredentialError, CredentialStore, Key, Secret, SecretName};

/// The stores of a manifest's `credentials:` block, in its order.
pub struct Chain {
    stores: Vec<Box<dyn CredentialStore>>,
}

impl Chain {
    /// Stores in the order in which they are asked.
    pub fn new(stores: Vec<Box<dyn CredentialStore>>) -> Self {
        Chain { stores }
    }

    /// The first store's secret of that name, and the place it came from.
    ///
    /// # Errors
    /// [`CredentialError::Missing`] with every place looked in, or the error of the first
    /// store that could not be read. A keyring that this machine does not offer is not an
    /// error: its place says so and the next store is asked.
    pub fn get(&self, name: &SecretName) -> Result<(Secret, String), CredentialError> {
        self.first(name, |store| store.get(name))
    }

    /// The first store's key of that name, which may be one that stays there, and the place.
    ///
    /// # Errors
    /// As [`Chain::get`].
    pub fn key(&self, name: &SecretName) -> Result<(Key, String), CredentialError> {
        self.first(name, |store| store.key(name))
    }

    fn first<T>(
        &self,
        name: &SecretName,
        ask: impl Fn(&dyn CredentialStore) -> Result<Option<T>, CredentialError>,
    ) -> Result<(T, String), CredentialError> {
        for store in &self.stores {
            if let Some(secret) = ask(store.as_ref())? {
                let place = store.place(name);
                tracing::debug!(secret = %name, %place, "secret found");
                return Ok((secret, place));
            }
        }
        Err(CredentialError::Missing {
            name: name.clone(),
            places: self.stores.iter().map(|store| store.place(name)).collect(),
            remedies: self.stores.iter().filter_map(|s| s.remedy(name)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::{Environment, Files};

    const CANARY: &str = "canary-7f3a";

    struct Fixed {
        label: &'static str,
        answer: Result<Option<&'static str>, &'static str>,
        asked: Arc<AtomicUsize>,
    }

    impl CredentialStore for Fixed {
        fn place(&self, name: &SecretName) -> String {
            format!("{} {name}", self.label)
        }

        fn get(&self, name: &SecretName) -> Result<Option<Secret>, CredentialError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            match self.answer {
                Ok(found) => Ok(found.map(|s| Secret::new(s.into()))),
                Err(problem) => Err(CredentialError::Store {
                    name: name.clone(),
                    place: self.label.into(),
                    problem: problem.into(),
                }),
            }
        }
    }

    fn fixed(
        label: &'static str,
        answer: Result<Option<&'static str>, &'static str>,
    ) -> (Box<dyn CredentialStore>, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let store = Fixed {
            label,
            answer,
            asked: asked.clone(),
        };
        (Box::new(store), asked)
    }

    fn salt() -> SecretName {
        SecretName::parse("sales/customer-salt").unwrap()
    }

    #[test]
    fn the_first_store_that_has_it_answers_and_later_ones_are_not_asked() {
        let (first, _) = fixed("first", Ok(None));
        let (second, _) = fixed("second", Ok(Some("from second")));
        let (third, asked) = fixed("third", Ok(Some("from third")));
        let (secret, place) = Chain::new(vec![first, second, third]).get(&salt()).unwrap();
        assert_eq!(secret.expose(), b"from second");
        assert_eq!(place, "second sales/customer-salt");
        assert_eq!(asked.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_store_that_fails_ends_the_search() {
        let (first, _) = fixed("first", Err("it is locked"));
        let (second, asked) = fixed("second", Ok(Some(CANARY)));
        let error = Chain::new(vec![first, second]).get(&salt()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read secret `sales/customer-salt` from first: it is locked"
        );
        assert_eq!(asked.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_missing_secret_names_every_place_exactly() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display().to_string();
        let chain = Chain::new(vec![
            Box::new(Environment::of(HashMap::new())),
            Box::new(Files::new(folder.path())),
        ]);
        assert_eq!(
            chain.get(&salt()).unwrap_err().to_string(),
            format!(
                "no secret `sales/customer-salt`; looked in:\
                 \n  - environment variable GLOVEBOX_SECRET_SALES_CUSTOMER_SALT\
                 \n  - file {path}/sales/customer-salt or {path}/sales.customer-salt\
                 \nset GLOVEBOX_SECRET_SALES_CUSTOMER_SALT for this process; \
                 or write it to {path}/sales/customer-salt, readable only by its owner"
            )
        );
    }

    #[test]
    fn an_empty_chain_says_that_the_block_is_empty() {
        assert_eq!(
            Chain::new(vec![]).get(&salt()).unwrap_err().to_string(),
            "no secret `sales/customer-salt`; looked in: nowhere: the manifest's \
             `credentials:` block is empty"
        );
    }

    #[test]
    fn no_debug_or_error_shows_another_secret() {
        let chain = Chain::new(vec![Box::new(Environment::of(HashMap::from([(
            "GLOVEBOX_SECRET_OTHER".into(),
            CANARY.into(),
        )])))]);
        let other = SecretName::parse("other").unwrap();
        let found = chain.get(&other).unwrap();
        assert_eq!(found.0.expose(), CANARY.as_bytes());
        let missing = chain.get(&salt()).unwrap_err();
        for text in [
            format!("{found:?}"),
            format!("{missing}"),
            format!("{missing:?}"),
        ] {
            assert!(!text.contains(CANARY));
        }
    }
}
