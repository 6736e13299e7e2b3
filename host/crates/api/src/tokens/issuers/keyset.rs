//! A JSON Web Key Set (RFC 7517) of somebody else's.
//!
//! Owns which of its keys are used; refuses secret keys, weak ones, two of one name, and more than
//! any issuer has.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::super::jws::Verifier;

/// Keys of a set at most.
pub(super) const MOST: usize = 100;

/// Public keys by their `kid`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct KeySet(BTreeMap<String, Verifier>);

impl KeySet {
    /// Reads a set.
    ///
    /// # Errors
    /// A sentence: when it is no key set, or none of its keys can be used.
    pub(super) fn parse(jwks: &[u8]) -> Result<Self, String> {
        let set: Value =
            serde_json::from_slice(jwks).map_err(|_| "it is no JSON Web Key Set".to_owned())?;
        let list = set.get("keys").and_then(Value::as_array);
        let list = list.ok_or("it has no `keys`, which a JSON Web Key Set has")?;
        if list.len() > MOST {
            return Err(format!("it has more than {MOST} keys"));
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

    pub(super) fn get(&self, kid: &str) -> Option<&Verifier> {
        self.0.get(kid)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
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
