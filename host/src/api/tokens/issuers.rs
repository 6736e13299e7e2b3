//! Other issuers whose tokens are accepted: OpenID Connect providers, by their key set in a file.
//!
//! Owns which of their keys are used; refuses secret keys, weak ones, and two of one name.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::jws::{Members, Verifier};
use crate::api::config;

/// Somebody else whose tokens are accepted.
#[derive(Debug)]
pub(crate) struct External {
    pub(crate) url: String,
    pub(crate) audience: String,
    roles_claim: String,
    roles: BTreeMap<String, String>,
    keys: BTreeMap<String, Verifier>,
}

impl External {
    /// Reads the key set.
    ///
    /// # Errors
    /// A sentence: when it is no key set, or none of its keys can be used.
    pub(crate) fn new(config: &config::Issuer, jwks: &[u8]) -> Result<Self, String> {
        let set: Value =
            serde_json::from_slice(jwks).map_err(|_| "it is no JSON Web Key Set".to_owned())?;
        let list = set.get("keys").and_then(Value::as_array);
        let mut keys = BTreeMap::new();
        for jwk in list.ok_or("it has no `keys`, which a JSON Web Key Set has")? {
            let Some((kid, key)) = public_key(jwk) else {
                continue;
            };
            if keys.insert(kid, key).is_some() {
                return Err("two of its keys have the same `kid`".into());
            }
        }
        if keys.is_empty() {
            return Err(
                "none of its keys is an Ed25519, P-256 or RSA key for signatures with a `kid`"
                    .into(),
            );
        }
        Ok(External {
            url: config.url.clone(),
            audience: config.audience.clone(),
            roles_claim: config.roles_claim.clone(),
            roles: config.roles.clone(),
            keys,
        })
    }

    pub(super) fn key(&self, kid: &str) -> Option<&Verifier> {
        self.keys.get(kid)
    }

    pub(super) fn roles(&self, claims: &Members) -> Vec<String> {
        let claim = claims.0.get(&self.roles_claim);
        claim.map_or_else(Vec::new, |theirs| super::translate(theirs, &self.roles))
    }
}

/// A key for signatures; others are skipped, as sets hold keys for encryption too.
fn public_key(jwk: &Value) -> Option<(String, Verifier)> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
    if text("use").is_some_and(|u| u != "sig") || jwk.get("d").is_some() {
        return None;
    }
    let fits = |algorithms: &[&str]| text("alg").is_none_or(|a| algorithms.contains(&a));
    let key = match (text("kty")?, text("crv")) {
        ("OKP", Some("Ed25519")) if fits(&["EdDSA", "Ed25519"]) => {
            Verifier::Ed25519(bytes("x").filter(|x| x.len() == 32)?)
        }
        ("EC", Some("P-256")) if fits(&["ES256"]) => {
            let (x, y) = (bytes("x")?, bytes("y")?);
            if x.len() != 32 || y.len() != 32 {
                return None;
            }
            Verifier::P256([&[4u8][..], &x, &y].concat())
        }
        ("RSA", None) if fits(&["RS256"]) => {
            let n = bytes("n").filter(|n| (256..=1024).contains(&n.len()))?;
            Verifier::Rsa { n, e: bytes("e")? }
        }
        _ => return None,
    };
    Some((text("kid")?.to_owned(), key))
}
