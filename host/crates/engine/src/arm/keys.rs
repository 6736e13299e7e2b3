//! The keys of a run's steps, from the stores that the manifest lists.

use std::cell::RefCell;
use std::collections::HashMap;

use glovebox_core::{CredentialError, HeldKey, Key, SecretName, StepKey};
use glovebox_manifest::diagnostic::Diagnostic;
use glovebox_manifest::model::{self, Spanned};

use super::begun::Begun;
use crate::toolbox::Toolbox;
use crate::weak::{WeakKey, weakness};

/// The keys of a run. One that several steps name is fetched once, so that it is the same in all of them when
/// it is replaced meanwhile.
pub(super) struct RunKeys<'t> {
    pub(super) toolbox: &'t dyn Toolbox,
    stores: Vec<model::Store>,
    begun: Option<&'t Begun>,
    fetched: RefCell<HashMap<SecretName, Result<Key, CredentialError>>>,
}

impl<'t> RunKeys<'t> {
    pub(super) fn new(
        toolbox: &'t dyn Toolbox,
        stores: Vec<model::Store>,
        begun: Option<&'t Begun>,
    ) -> Self {
        RunKeys {
            toolbox,
            stores,
            begun,
            fetched: RefCell::default(),
        }
    }

    fn get(&self, name: &SecretName) -> Result<Key, CredentialError> {
        let asked = self.begun.and_then(|begun| begun.name(name));
        let asked = asked.as_ref().unwrap_or(name);
        let mut fetched = self.fetched.borrow_mut();
        let found = fetched.entry(asked.clone());
        found
            .or_insert_with(|| self.toolbox.key(&self.stores, asked))
            .clone()
    }

    fn missing(&self, name: &Spanned<SecretName>, error: &CredentialError) -> Diagnostic {
        let problem = Diagnostic::error(name.span.clone(), error.to_string());
        match self.begun.filter(|begun| begun.name(name).is_some()) {
            Some(begun) => problem.help(begun.help()),
            None => problem,
        }
    }
}

/// The keys of a step, and what is to be known of them.
#[derive(Default)]
pub(super) struct FetchedKeys {
    pub(super) keys: Vec<StepKey>,
    /// The secret of each key's newest version, by name.
    pub(super) newest: Vec<String>,
    /// The plugin's names of those that stay on a server.
    pub(super) remote: Vec<String>,
    pub(super) weak: Vec<WeakKey>,
}

pub(super) fn fetched_keys(
    step: &model::Step,
    run_keys: &RunKeys<'_>,
) -> Result<FetchedKeys, Vec<Diagnostic>> {
    let (mut fetched, mut problems) = (FetchedKeys::default(), Vec::new());
    for key in &step.keys {
        let mut versions = Vec::with_capacity(key.secrets.len());
        let mut remote = None;
        for name in &key.secrets {
            match run_keys.get(name) {
                Ok(Key::Secret(secret)) => {
                    if let Some(weakness) = weakness(&secret) {
                        fetched.weak.push(WeakKey {
                            key: key.name.value.clone(),
                            secret: name.value.to_string(),
                            weakness,
                            masks: versions.is_empty(),
                        });
                    }
                    if versions.is_empty() {
                        fetched.newest.push(name.value.to_string());
                    }
                    versions.push((name.value.version(), secret));
                }
                // Only the newest version masks, and nothing is undone with a key that is elsewhere.
                Ok(Key::Remote(key)) if versions.is_empty() => {
                    fetched
                        .newest
                        .push(name.value.at(key.version()).to_string());
                    remote = Some(key);
                    break;
                }
                Ok(Key::Remote(_)) => {
                    let problem =
                        "this version of the key stays on a server, and the newest does not";
                    let help = "delete it: what it has masked cannot be undone";
                    problems.push(Diagnostic::error(name.span.clone(), problem).help(help));
                }
                Err(error) => problems.push(run_keys.missing(name, &error)),
            }
        }
        let name = key.name.value.clone();
        let held = match remote {
            Some(remote) => {
                fetched.remote.push(name.clone());
                HeldKey::Remote(remote)
            }
            None => HeldKey::Here(versions),
        };
        fetched.keys.push(StepKey { name, held });
    }
    match problems.is_empty() {
        true => Ok(fetched),
        false => Err(problems),
    }
}
