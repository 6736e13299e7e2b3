//! Other issuers whose tokens are accepted: OpenID Connect providers, by their key sets.

mod keyset;
mod published;
mod remote;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::jws::{Members, Unverified};
use super::{Bearer, standard, translate};
use crate::config;
use keyset::KeySet;
pub(crate) use published::Published;
pub(crate) use remote::{RefreshPolicy, Remote, metrics};

/// Somebody else whose tokens are accepted.
#[derive(Debug)]
pub(crate) struct External {
    url: String,
    audience: String,
    roles_claim: String,
    roles: BTreeMap<String, String>,
    keys: Keys,
}

#[derive(Debug)]
enum Keys {
    /// As a file had them at the start.
    Fixed(KeySet),
    /// As the issuer publishes them.
    Remote(Arc<Remote>),
}

impl External {
    /// An issuer whose key set was read from a file.
    ///
    /// # Errors
    /// A sentence: when it is no key set, or none of its keys can be used.
    pub(crate) fn new(config: &config::Issuer, jwks: &[u8]) -> Result<Self, String> {
        let keys = KeySet::parse(jwks)?;
        if keys.len() == 0 {
            return Err("it has no keys".into());
        }
        Ok(External::with(config, Keys::Fixed(keys)))
    }

    /// An issuer whose keys are fetched by and by.
    pub(crate) fn remote(config: &config::Issuer, remote: Arc<Remote>) -> Self {
        External::with(config, Keys::Remote(remote))
    }

    fn with(config: &config::Issuer, keys: Keys) -> Self {
        External {
            url: config.url.clone(),
            audience: config.audience.clone(),
            roles_claim: config.roles_claim.clone(),
            roles: config.roles.clone(),
            keys,
        }
    }

    /// What a token says, if it is this issuer's and good now.
    pub(super) fn check(&self, token: &Unverified<'_>, now: i64) -> Option<Bearer> {
        let claims = match &self.keys {
            Keys::Fixed(keys) => token.verified_by(keys.get(token.kid())?)?,
            Keys::Remote(remote) => token.verified_by(remote.keys().get(token.kid())?)?,
        };
        standard(&claims, &self.url, &self.audience, now)?;
        Some(Bearer::External {
            issuer: self.url.clone(),
            subject: claims.text("sub").filter(|s| s.len() <= 256)?.to_owned(),
            roles: self.words(&claims),
        })
    }

    /// The one to ask for a key that this issuer is said to have and we do not know.
    pub(super) fn unknown(&self, token: &Unverified<'_>, issuer: &str) -> Option<&Arc<Remote>> {
        match &self.keys {
            Keys::Remote(remote) if self.url == issuer => {
                let known = remote.keys().get(token.kid()).is_some();
                (!known).then_some(remote)
            }
            _ => None,
        }
    }

    /// Whoever keeps its keys, if they are fetched.
    pub(super) fn fetched(&self) -> Option<&Arc<Remote>> {
        match &self.keys {
            Keys::Fixed(_) => None,
            Keys::Remote(remote) => Some(remote),
        }
    }

    fn words(&self, claims: &Members) -> Vec<String> {
        let claim = claims.0.get(&self.roles_claim);
        claim.map_or_else(Vec::new, |theirs| translate(theirs, &self.roles))
    }
}
