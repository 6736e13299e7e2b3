//! A compact JSON Web Signature, taken apart and verified (RFC 7515, RFC 8725).
//!
//! Owns what is read before a signature is known to be good, which is as little as can be; refuses
//! every freedom of the format that we do not need: the key decides the algorithm, and the header
//! can only agree.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// Tokens longer than this are not looked at.
const LONGEST: usize = 8 << 10;

/// A public key; it fits one algorithm and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verifier {
    /// `EdDSA` with Ed25519.
    Ed25519(Vec<u8>),
    /// `ES256`.
    P256(Vec<u8>),
    /// `RS256`, 2,048 bits or more.
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

impl Verifier {
    fn fits(&self, algorithm: &str) -> bool {
        match self {
            // RFC 9864 names the curve; RFC 8037 did not.
            Verifier::Ed25519(_) => matches!(algorithm, "EdDSA" | "Ed25519"),
            Verifier::P256(_) => algorithm == "ES256",
            Verifier::Rsa { .. } => algorithm == "RS256",
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Verifier::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key)
                .verify(message, signature)
                .is_ok(),
            Verifier::P256(key) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key)
                .verify(message, signature)
                .is_ok(),
            Verifier::Rsa { n, e } => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
        }
    }
}

#[cfg(test)]
impl Verifier {
    /// For vectors that are no tokens.
    pub(super) fn verify_raw(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verify(message, signature)
    }
}

/// The members of a JSON object, each there once.
#[derive(Debug, Default)]
pub(crate) struct Members(pub(crate) BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;

        impl<'de> Visitor<'de> for Once {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry()? {
                    if members.insert(name, value).is_some() {
                        return Err(de::Error::custom("a member is there twice"));
                    }
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Once)
    }
}

impl Members {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// A whole number that is written as one: neither `"1"` nor `1.0`.
    pub(crate) fn seconds(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_i64()
    }
}

/// A token that may have been made by anybody: only its header was read.
#[derive(Debug)]
pub(crate) struct Unverified<'t> {
    /// What is signed.
    message: &'t str,
    claims: &'t str,
    signature: &'t str,
    algorithm: String,
    kid: String,
}

impl<'t> Unverified<'t> {
    /// Takes a token apart. None if anything at all is wrong: what exactly is nobody's business.
    pub(crate) fn parse(token: &'t str) -> Option<Self> {
        if token.len() > LONGEST {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        if claims.contains('.') {
            return None;
        }
        let header = members(header)?;
        let known = |name: &str| matches!(name, "alg" | "kid" | "typ" | "x5t" | "x5t#S256");
        // `crit` asks for what we do not do; `b64` and `zip` would change what is signed; `jwk`,
        // `jku`, `x5c` and `x5u` bring a key along. No issuer needs them for an access token.
        if !header.0.keys().all(|name| known(name)) {
            return None;
        }
        if let Some(kind) = header.0.get("typ") {
            let kind = kind.as_str()?;
            if !kind.eq_ignore_ascii_case("JWT") && !kind.eq_ignore_ascii_case("at+jwt") {
                return None;
            }
        }
        Some(Unverified {
            message,
            claims,
            signature,
            algorithm: header.text("alg")?.to_owned(),
            kid: header.text("kid").filter(|k| k.len() <= 256)?.to_owned(),
        })
    }

    /// The key that it names.
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// Its claims, if this key has signed them.
    pub(crate) fn verified_by(&self, key: &Verifier) -> Option<Members> {
        if !key.fits(&self.algorithm) {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(self.signature).ok()?;
        if !key.verify(self.message.as_bytes(), &signature) {
            return None;
        }
        members(self.claims)
    }

    /// Who is said to have made it, for finding out whom to ask for the key and for nothing else.
    pub(crate) fn said_issuer(&self) -> Option<String> {
        members(self.claims)?.text("iss").map(ToOwned::to_owned)
    }
}

/// Base64 without padding, whose unused bits are zero, of an object.
fn members(part: &str) -> Option<Members> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}
