//! The pack as a file: a Sigstore bundle v0.3 or a plain DSSE envelope, in one line of JSON.
//!
//! A signature covers the statement only. So that no other byte can be changed either, a pack has one
//! spelling, and what is not spelt so is refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::dsse::{Envelope, PAYLOAD_TYPE, Signature, pae};
use crate::error::ProofError;
use crate::key::{PackFormat, PublicKey, SigningKey};
use crate::statement::Statement;

/// The most bytes of a pack.
pub const MAX_PACK: usize = 16 << 20;
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// A Sigstore bundle v0.3 whose signer is known by a plain key.
/// <https://github.com/sigstore/protobuf-specs/blob/v0.3.2/protos/sigstore_bundle.proto>
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Bundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Envelope,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Material {
    public_key: Hint,
    tlog_entries: [(); 0],
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hint {
    hint: String,
}

/// A pack that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// What it states.
    pub statement: Statement,
    /// The key that it names, by [`PublicKey::id`].
    pub key: String,
    /// Its form.
    pub format: PackFormat,
}

/// Signs a statement.
///
/// # Errors
/// When it contradicts itself, or the signing fails.
pub fn seal(statement: &Statement, key: &SigningKey) -> Result<String, ProofError> {
    statement.check()?;
    let body = serde_json::to_vec(statement).map_err(|_| ProofError::Signing)?;
    let signature = key.sign(&pae(PAYLOAD_TYPE, &body))?;
    let public = key.public();
    let pack = spell(&body, &signature, &public.id(), public.format())?;
    match pack.len() <= MAX_PACK {
        true => Ok(pack),
        false => Err(ProofError::Size(MAX_PACK)),
    }
}

/// Reads a pack and verifies it.
///
/// # Errors
/// Why it is refused.
pub fn open(pack: &[u8], key: &PublicKey) -> Result<Opened, ProofError> {
    let parts = Parts::read(pack)?;
    if parts.format != key.format() {
        return Err(ProofError::KeyKind {
            pack: parts.format.says(),
            key: key.format().says(),
        });
    }
    if parts.key != key.id() {
        return Err(ProofError::OtherKey {
            named: short(&parts.key),
            given: short(&key.id()),
        });
    }
    if !key.verifies(&pae(PAYLOAD_TYPE, &parts.body), &parts.signature) {
        return Err(ProofError::Signature);
    }
    parts.opened()
}

/// Reads a pack without verifying who signed it.
///
/// # Errors
/// When it is none.
pub fn read(pack: &[u8]) -> Result<Opened, ProofError> {
    Parts::read(pack)?.opened()
}

/// What a pack is made of.
struct Parts {
    body: Vec<u8>,
    signature: Vec<u8>,
    key: String,
    format: PackFormat,
}

impl Parts {
    fn read(pack: &[u8]) -> Result<Self, ProofError> {
        if pack.len() > MAX_PACK {
            return Err(ProofError::Size(MAX_PACK));
        }
        let text = std::str::from_utf8(pack).map_err(|_| ProofError::Form("it is no text"))?;
        let (envelope, format) = match serde_json::from_str::<Bundle>(text) {
            Ok(bundle) => (bundle.dsse_envelope, PackFormat::Sigstore),
            Err(_) => match serde_json::from_str::<Envelope>(text) {
                Ok(envelope) => (envelope, PackFormat::Dsse),
                Err(_) => return Err(ProofError::Form("its JSON is of another form")),
            },
        };
        let decode = |base64: &str| STANDARD.decode(base64).map_err(|_| ProofError::Spelling);
        let [signature] = &envelope.signatures;
        let parts = Parts {
            body: decode(&envelope.payload)?,
            signature: decode(&signature.sig)?,
            key: signature.keyid.clone(),
            format,
        };
        match spell(&parts.body, &parts.signature, &parts.key, format)? == text {
            true => Ok(parts),
            false => Err(ProofError::Spelling),
        }
    }

    fn opened(self) -> Result<Opened, ProofError> {
        let statement: Statement = serde_json::from_slice(&self.body)
            .map_err(|_| ProofError::Form("its statement is of another type or version"))?;
        statement.check()?;
        Ok(Opened {
            statement,
            key: self.key,
            format: self.format,
        })
    }
}

/// The one spelling of a pack.
fn spell(
    body: &[u8],
    signature: &[u8],
    key: &str,
    format: PackFormat,
) -> Result<String, ProofError> {
    let envelope = Envelope {
        payload: STANDARD.encode(body),
        payload_type: PAYLOAD_TYPE.into(),
        signatures: [Signature {
            keyid: key.to_owned(),
            sig: STANDARD.encode(signature),
        }],
    };
    let json = match format {
        PackFormat::Dsse => serde_json::to_string(&envelope),
        PackFormat::Sigstore => serde_json::to_string(&Bundle {
            media_type: MEDIA_TYPE.into(),
            verification_material: Material {
                public_key: Hint {
                    hint: key.to_owned(),
                },
                tlog_entries: [],
            },
            dsse_envelope: envelope,
        }),
    };
    Ok(json.map_err(|_| ProofError::Signing)? + "\n")
}

/// As much of a key's name as a message shows, if it is one.
fn short(id: &str) -> String {
    let plain = id.chars().filter(char::is_ascii_hexdigit);
    plain.take(16).collect()
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;
