//! Encryption of rejected rows to their recipients: what the engine asks of whoever has the keys, and
//! what a sink keeps. Without a recipient's private key nothing here can be opened again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::finding::Reject;
use crate::keys::{KeyError, Refusal};
use crate::secret::Secret;

/// A text that every recipient can open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The key of the text, sealed to each recipient, by the recipient's fingerprint; URL-safe base64
    /// without padding.
    pub keys: BTreeMap<String, String>,
    /// The encrypted text; URL-safe base64 without padding.
    pub sealed: String,
}

/// Encrypts to recipients.
pub trait Seal: Send + Sync {
    /// Encrypts a text; it opens within this context only.
    ///
    /// # Errors
    /// When the system gives no randomness.
    fn seal(&self, context: &[u8], text: &[u8]) -> Result<Envelope, KeyError>;
}

/// Opens what was encrypted to one recipient.
pub trait Unseal {
    /// Tells the recipient's public key from others.
    fn fingerprint(&self) -> &str;

    /// The text.
    ///
    /// # Errors
    /// When it is not for this recipient, of another context, or altered.
    fn open(&self, context: &[u8], envelope: &Envelope) -> Result<Secret, Refusal>;
}

/// Rejected rows of a chunk, encrypted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SealedBlock {
    /// The chunk's place among the chunks of its run.
    pub chunk: u64,
    /// 0 for rows that were rejected before the sink had them, 1 for those that the target refused.
    pub part: u32,
    /// How many rows it has.
    pub rows: u64,
    /// The line of the sealed file that it is.
    pub line: String,
}

/// Encrypts rows of a chunk that are rejected after the chunk has left its worker.
pub trait SealLate: Send + Sync {
    /// The block of these rejects; none if there are none.
    ///
    /// # Errors
    /// When they cannot be encrypted.
    fn seal(&self, rejects: &[Reject]) -> Result<Option<SealedBlock>, KeyError>;
}

/// What a chunk in flight has for rows that its target may refuse: nothing, if rejects are not sealed.
#[derive(Clone, Default)]
pub struct Late(pub Option<Arc<dyn SealLate>>);

impl Late {
    /// The block of these rejects.
    ///
    /// # Errors
    /// As [`SealLate::seal`].
    pub fn seal(&self, rejects: &[Reject]) -> Result<Option<SealedBlock>, KeyError> {
        match &self.0 {
            Some(late) => late.seal(rejects),
            None => Ok(None),
        }
    }
}

/// It holds cells.
impl fmt::Debug for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Late(…)")
    }
}
