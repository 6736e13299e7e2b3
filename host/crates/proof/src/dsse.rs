//! DSSE v1 (Dead Simple Signing Envelope): what is signed, and the envelope as JSON.
//! <https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md>

use serde::{Deserialize, Serialize};

/// The type of payload of an in-toto statement.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The bytes that a signature is over: type and body with their lengths, so that neither can be taken
/// for a part of the other.
pub(crate) fn pae(payload_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// An envelope with one signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Envelope {
    /// The statement, as base64.
    pub(crate) payload: String,
    pub(crate) payload_type: String,
    pub(crate) signatures: [Signature; 1],
}

/// A signature, and the key that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signature {
    pub(crate) keyid: String,
    pub(crate) sig: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The protocol's own vector.
    #[test]
    fn what_is_signed_is_as_the_protocol_has_it() {
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
        assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
    }
}
