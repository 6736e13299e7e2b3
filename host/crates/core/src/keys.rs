//! Keyed masking as the engine asks for it: a method, a key by name, cells by place.
//! Keys are never exposed: a ring computes with keys and returns only masked columns.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, BooleanArray};

use crate::schema::DataType;
use crate::shown::short_name;

/// A keyed method that a masker may point at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Method {
    /// HMAC-SHA-256 (FIPS 198-1), 32 bytes, URL-safe base64 with padding.
    HmacSha256,
    /// PBKDF2-HMAC-SHA-256 (RFC 8018), 32 bytes, URL-safe base64 with padding.
    Pbkdf2Sha256 {
        /// Rounds for each value.
        iterations: u32,
    },
    /// AES-SIV (RFC 5297); not yet computed by the host.
    AesSiv,
    /// FF1 (NIST SP 800-38G) over an alphabet; not yet computed by the host.
    Ff1 {
        /// The characters, in order.
        alphabet: Arc<str>,
    },
}

/// Which parts of a column a masker points at.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// Every cell.
    Cells,
    /// The cells of the marked rows.
    Rows(BooleanArray),
    /// Byte ranges inside text cells.
    Spans(Spans),
}

/// Byte ranges of text cells, sorted by row, then start; they do not overlap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spans {
    /// The row of each span.
    pub rows: Vec<u32>,
    /// Its first byte in the cell.
    pub starts: Vec<u32>,
    /// The byte after its last.
    pub ends: Vec<u32>,
}

/// Computes keyed masks. It holds the keys of one step, under the plugin's names for them.
pub trait KeyRing: Send + Sync {
    /// Whether the step's `keys:` block grants a key of that name.
    fn has(&self, key: &str) -> bool;

    /// The column with the targeted cells masked, as text. A null or empty cell becomes null.
    ///
    /// # Errors
    /// When the key is not granted, or the method does not fit the column or is not built in.
    fn mask(
        &self,
        key: &str,
        method: &Method,
        target: &Target,
        column: &ArrayRef,
    ) -> Result<ArrayRef, KeyError>;

    /// What one value costs on this machine, measured now; none where it is negligible.
    fn cost_of_one(&self, method: &Method) -> Option<Duration>;

    /// Sixteen bits by which a run that goes on notices other keys than it began with: too few
    /// to try keys against.
    fn check_value(&self) -> u16;
}

/// Why a keyed mask could not be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The step's `keys:` block has no such name.
    #[error("{}", not_granted(.0))]
    NotGranted(String),
    /// The method is in the contract but not built in yet.
    #[error("this version does not have method `{0}`; use hmac-sha256 or pbkdf2-sha256")]
    NotBuiltIn(&'static str),
    /// Parameters out of bounds.
    #[error("{0}")]
    Parameters(String),
    /// The method cannot mask cells of this type.
    #[error("keyed masking takes text, bytes or int64, not {0}")]
    Type(DataType),
    /// The column is not what the engine said it was.
    #[error("keyed masking cannot read an Arrow column of type {0}")]
    Arrow(String),
}

/// The name is a plugin's word.
fn not_granted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match short_name(name).filter(|name| name.chars().all(plain)) {
        Some(name) => format!(
            "key `{name}` is not in the step's `keys:` block; grant it with: keys: {{ {name}: NAME-OF-SECRET }}"
        ),
        None => "a key is not in the step's `keys:` block, and its name is not valid in that \
                block; report this to the plugin's author"
            .into(),
    }
}
