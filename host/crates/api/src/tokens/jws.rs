//! A compact JSON Web Signature, taken apart and verified (RFC 7515, RFC 8725). It accepts only the
//! subset of the format that we need: the key determines the algorithm, and the header must agree.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, crypto};
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

/// Tokens longer than this are not looked at.
const MAX_LENGTH: usize = 8 << 10;

/// A public key; it fits one algorithm and no other.
#[derive(Debug, Clone)]
pub(crate) struct PublicKey {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl PublicKey {
    /// A key of `EdDSA` with Ed25519, of `ES256`, or of `RS256` with 2,048 to 8,192 bits; none
    /// if it has another size.
    pub(super) fn new(algorithm: Algorithm, key: DecodingKey) -> Option<Self> {
        super::provider::install();
        let fits = match (algorithm, key.kind()) {
            (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(point)) => point.len() == 32,
            (Algorithm::ES256, DecodingKeyKind::SecretOrDer(point)) => point.len() == 65,
            (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, .. }) => {
                (256..=1024).contains(&n.len())
            }
            _ => false,
        };
        fits.then_some(PublicKey { algorithm, key })
    }

    /// Whether an `alg` names this key's algorithm.
    pub(super) fn fits(&self, algorithm: &str) -> bool {
        // RFC 9864 names the curve; RFC 8037 did not, and `jsonwebtoken` knows its word only.
        let algorithm = match algorithm {
            "Ed25519" => "EdDSA",
            other => other,
        };
        algorithm.parse() == Ok(self.algorithm)
    }

    /// Whether it has signed this; the signature is in base64.
    pub(super) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        crypto::verify(signature, message, &self.key, self.algorithm).unwrap_or(false)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        use DecodingKeyKind::{RsaModulusExponent as Rsa, SecretOrDer as Point};
        self.algorithm == other.algorithm
            && match (self.key.kind(), other.key.kind()) {
                (Point(ours), Point(theirs)) => ours == theirs,
                (Rsa { n, e }, Rsa { n: m, e: f }) => n == m && e == f,
                _ => false,
            }
    }
}

/// The header, and no more than it may say. `crit` asks for what we do not do; `b64` and `zip` would
/// change what is signed; `jwk`, `jku`, `x5c` and `x5u` bring a key along. No issuer needs them for
/// an access token.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
    #[serde(default = "jwt")]
    typ: String,
    #[serde(default, rename = "x5t")]
    _sha1: IgnoredAny,
    #[serde(default, rename = "x5t#S256")]
    _sha256: IgnoredAny,
}

fn jwt() -> String {
    "JWT".into()
}

/// The members of a JSON object, each there once.
#[derive(Debug)]
pub(crate) struct Members(pub(crate) Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;

        impl<'de> Visitor<'de> for Once {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = map.next_entry()? {
                    if members.insert(name, value).is_some() {
                        return Err(de::Error::custom("a member is given twice"));
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
    header: Header,
}

impl<'t> Unverified<'t> {
    /// Takes a token apart. None if anything at all is wrong: what exactly is nobody's business.
    pub(crate) fn parse(token: &'t str) -> Option<Self> {
        if token.len() > MAX_LENGTH {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        if claims.contains('.') {
            return None;
        }
        let header = Value::Object(members(header)?.0);
        let header: Header = serde_json::from_value(header).ok()?;
        let access = |kind: &str| header.typ.eq_ignore_ascii_case(kind);
        let sound = header.kid.len() <= 256 && (access("JWT") || access("at+jwt"));
        sound.then_some(Unverified {
            message,
            claims,
            signature,
            header,
        })
    }

    /// The key that it names.
    pub(crate) fn kid(&self) -> &str {
        &self.header.kid
    }

    /// Its claims, if this key has signed them.
    pub(crate) fn verified_by(&self, key: &PublicKey) -> Option<Members> {
        let good =
            key.fits(&self.header.alg) && key.verifies(self.message.as_bytes(), self.signature);
        good.then(|| members(self.claims))?
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
