//! Another issuer's JSON Web Key Set (RFC 7517), and which of its keys are accepted.

use std::collections::BTreeMap;

use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

use super::super::jws::PublicKey;

/// Keys of a set at most.
pub(super) const MAX_KEYS: usize = 100;

/// Public keys by their `kid`.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct KeySet(BTreeMap<String, PublicKey>);

impl KeySet {
    /// Reads a set.
    ///
    /// # Errors
    /// A sentence: when it is no key set, or none of its keys can be used.
    pub(super) fn parse(jwks: &[u8]) -> Result<Self, String> {
        let set: Value =
            serde_json::from_slice(jwks).map_err(|_| "it is not a JSON Web Key Set".to_owned())?;
        let list = set.get("keys").and_then(Value::as_array);
        let list = list.ok_or("it has no `keys`, so it is not a JSON Web Key Set")?;
        if list.len() > MAX_KEYS {
            return Err(format!("it has more than {MAX_KEYS} keys"));
        }
        let mut keys = BTreeMap::new();
        for jwk in list {
            let Some((kid, key)) = public_key(jwk) else {
                continue;
            };
            if keys.insert(kid, key).is_some() {
                return Err("two of its keys have the same `kid`".into());
            }
        }
        // An issuer may withdraw all that it has; a set that we cannot use is another matter.
        if keys.is_empty() && !list.is_empty() {
            return Err(
                "none of its keys is an Ed25519, P-256 or RSA key for signatures with a `kid`"
                    .into(),
            );
        }
        Ok(KeySet(keys))
    }

    pub(super) fn get(&self, kid: &str) -> Option<&PublicKey> {
        self.0.get(kid)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A key for signatures; others are skipped, as sets hold keys for encryption too.
fn public_key(jwk: &Value) -> Option<(String, PublicKey)> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    if text("use").is_some_and(|u| u != "sig") || jwk.get("d").is_some() {
        return None;
    }
    let (algorithm, key) = match (text("kty")?, text("crv")) {
        ("OKP", Some("Ed25519")) => (
            Algorithm::EdDSA,
            DecodingKey::from_ed_components(text("x")?),
        ),
        ("EC", Some("P-256")) => (
            Algorithm::ES256,
            DecodingKey::from_ec_components(text("x")?, text("y")?),
        ),
        ("RSA", None) => (
            Algorithm::RS256,
            DecodingKey::from_rsa_components(text("n")?, text("e")?),
        ),
        _ => return None,
    };
    let key = PublicKey::new(algorithm, key.ok()?)?;
    let meant = text("alg").is_none_or(|alg| key.fits(alg));
    meant.then_some((text("kid")?.to_owned(), key))
}
