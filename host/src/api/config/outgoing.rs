//! Whom the server asks of its own accord: issuers that publish keys.
//!
//! Owns where requests to them may go; refuses plain text, and what would be sent nowhere.

use super::check::Checker;
use super::{Issuer, KeySource, written};
use crate::https::{Address, Plain};

/// Where an issuer's discovery document is, below its `url`.
const DISCOVERY: &str = ".well-known/openid-configuration";

impl Checker<'_> {
    pub(super) fn issuer(&mut self, written: written::Issuer) -> Option<Issuer> {
        self.url(&written.url)?;
        // To the letter, as tokens have it: some end with a slash.
        let url = written.url.value;
        let is_url = |jwks: &str| jwks.contains("://");
        let keys = match &written.jwks {
            Some(jwks) if is_url(&jwks.value) => Address::parse(&jwks.value, Plain::Never)
                .map(KeySource::Address)
                .map_err(|problem| {
                    let help = "write https://… of its key set, or the name of a file";
                    (jwks.span.clone(), problem, help)
                }),
            Some(jwks) => Ok(KeySource::File(self.path(&jwks.value))),
            None => Address::parse(&url, Plain::Never)
                .map(|issuer| KeySource::Discovery(issuer.below(DISCOVERY)))
                .map_err(|problem| {
                    let help = "without `jwks`, keys are found by https; write `jwks`";
                    (written.url.span.clone(), problem, help)
                }),
        };
        let keys = match keys {
            Ok(keys) => keys,
            Err((span, problem, help)) => {
                self.say(
                    span,
                    format!("no keys can be fetched there: {problem}"),
                    help,
                );
                return None;
            }
        };
        if let (KeySource::File(_), Some(tls)) = (&keys, &written.tls) {
            self.say(
                tls.span.clone(),
                "nothing is fetched, as `jwks` is a file",
                "delete `tls`, or leave `jwks` out",
            );
        }
        let roles = written.roles.0.into_iter();
        Some(Issuer {
            url,
            audience: written.audience,
            keys,
            ca: written.tls.map(|tls| self.path(&tls.value.ca)),
            roles_claim: written.roles_claim.unwrap_or_else(|| "roles".into()),
            roles: roles
                .map(|(theirs, ours)| (theirs.value, ours.value))
                .collect(),
        })
    }
}
