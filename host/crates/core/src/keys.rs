//! Keyed masking as the engine asks for it: a method, a key by name, cells by place.
//! Keys are never exposed: a ring computes with keys and returns only masked columns.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, BooleanArray};

use crate::schema::DataType;
use crate::secret::Secret;
use crate::shown::short_name;
use crate::tokens::{Token, TokenBatch, TokenTerms};

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
    /// AES-SIV (RFC 5297): deterministic encryption.
    AesSiv,
    /// FF1 (NIST SP 800-38G): encryption that keeps a text's form, or an integer's digits.
    Ff1(Form),
    /// A Fernet token.
    Fernet,
    /// HPKE (RFC 9180), or RSA-OAEP, to a recipient's public key.
    Seal,
    /// A token, whose cell is kept beside the rows, sealed to two officers.
    Token,
    /// A value made up of pieces, chosen by the key and the cell.
    Pick(Arc<[Piece]>),
    /// A date or timestamp moved by a number of days that its entity has.
    Shift {
        /// Index into the granted fields.
        entity: usize,
        /// The most days.
        days: u32,
    },
}

/// Text of which the characters of an alphabet are encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Form {
    /// The characters, in order.
    pub alphabet: Arc<str>,
    /// Characters of the alphabet that stay at the beginning.
    pub keep_first: u32,
    /// Those that stay at the end.
    pub keep_last: u32,
    /// Whether the last digit is a check digit by Luhn's formula.
    pub luhn: bool,
}

/// A piece of a value that is made up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Piece {
    /// This text.
    Text(Arc<str>),
    /// One line of this text.
    Choice(Arc<str>),
    /// So many decimal digits.
    Digits(u32),
    /// The check digit, by Luhn's formula, of all digits before it.
    Luhn,
}

impl Method {
    /// Its name in manifests, messages and reports.
    pub fn name(&self) -> &'static str {
        match self {
            Method::HmacSha256 => "hmac-sha256",
            Method::Pbkdf2Sha256 { .. } => "pbkdf2-sha256",
            Method::AesSiv => "aes-siv",
            Method::Ff1(_) => "ff1",
            Method::Fernet => "fernet",
            Method::Seal => "seal",
            Method::Token => "token",
            Method::Pick(_) => "pick",
            Method::Shift { .. } => "shift",
        }
    }

    /// Whether whoever has the right keys gets the cell back from the mask.
    pub fn is_undone(&self) -> bool {
        match self {
            Method::AesSiv | Method::Ff1(_) | Method::Fernet | Method::Seal | Method::Token => true,
            Method::HmacSha256
            | Method::Pbkdf2Sha256 { .. }
            | Method::Pick(_)
            | Method::Shift { .. } => false,
        }
    }

    /// The type of what it makes of cells of this type; none if it cannot mask them.
    pub fn output(&self, cells: DataType) -> Option<DataType> {
        match (self, cells) {
            (Method::Shift { .. }, DataType::Date | DataType::Timestamp) => Some(cells),
            (Method::Shift { .. }, _) => None,
            (Method::Ff1(_), DataType::Int64) => Some(DataType::Int64),
            (Method::Ff1(_), DataType::Text) => Some(DataType::Text),
            (Method::Ff1(_), _) => None,
            (_, DataType::Text | DataType::Bytes | DataType::Int64) => Some(DataType::Text),
            _ => None,
        }
    }
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

/// The keys of a step, and what divides its masks from those of others.
#[derive(Debug, Default)]
pub struct StepKeys {
    /// The keys.
    pub keys: Vec<StepKey>,
    /// The step's domain; none has [`Method`]s that have a domain use the column's name.
    pub domain: Option<Arc<str>>,
    /// What [`Method::Token`] needs beside a key.
    pub tokens: Option<TokenTerms>,
}

/// A key under the plugin's name for it.
#[derive(Debug)]
pub struct StepKey {
    /// The name.
    pub name: String,
    /// The key.
    pub held: HeldKey,
}

/// Where the key of a step is.
#[derive(Debug)]
pub enum HeldKey {
    /// Here: its versions, the newest first: that one writes, and all of them read.
    Here(Vec<(u32, Secret)>),
    /// On a server, which masks with it.
    Remote(Arc<dyn RemoteKey>),
}

/// A version of a key that never leaves its server, which computes with it.
pub trait RemoteKey: fmt::Debug + Send + Sync {
    /// The version.
    fn version(&self) -> u32;

    /// The longest value that it takes, in bytes.
    fn longest(&self) -> usize;

    /// HMAC-SHA-256 (FIPS 198-1) of each value under the key, in their order; none may be longer than
    /// [`RemoteKey::longest`].
    ///
    /// # Errors
    /// [`KeyError::Remote`] when the server does not compute all of them.
    fn hmac_sha256(&self, values: &[&[u8]]) -> Result<Vec<[u8; 32]>, KeyError>;
}

/// A key as a store has it.
#[derive(Debug, Clone)]
pub enum Key {
    /// Its bytes.
    Secret(Secret),
    /// Whatever computes with it.
    Remote(Arc<dyn RemoteKey>),
}

impl StepKey {
    /// A key that has no versions.
    pub fn new(name: impl Into<String>, secret: Secret) -> Self {
        StepKey {
            name: name.into(),
            held: HeldKey::Here(vec![(0, secret)]),
        }
    }
}

/// A mask to be computed of a column.
#[derive(Debug, Clone, Copy)]
pub struct Masking<'a> {
    /// The plugin's name for the key.
    pub key: &'a str,
    /// How.
    pub method: &'a Method,
    /// Which cells.
    pub target: &'a Target,
    /// The column.
    pub column: &'a ArrayRef,
    /// Its name.
    pub name: &'a str,
    /// The column of entities and its name, for [`Method::Shift`].
    pub entity: Option<(&'a ArrayRef, &'a str)>,
}

/// A mask to be undone.
#[derive(Debug, Clone, Copy)]
pub struct Revealing<'a> {
    /// The plugin's name for the key.
    pub key: &'a str,
    /// How the values were made.
    pub method: &'a Method,
    /// The name of their column.
    pub name: &'a str,
    /// The type of the cells from which they were made.
    pub cells: DataType,
    /// The only version of the key to try.
    pub version: Option<u32>,
    /// The recipient's key, for [`Method::Seal`].
    pub private: Option<&'a Secret>,
}

/// A column that was masked.
#[derive(Debug, Clone)]
pub struct Computed {
    /// Its cells; those of refused rows are null.
    pub column: ArrayRef,
    /// The rows whose cells the method cannot mask, ascending.
    pub refused: Vec<(u32, Refusal)>,
    /// What has to be stored with its rows, if tokens were made.
    pub tokens: Option<TokenBatch>,
}

/// Why a method does not mask a cell, or give it back. It says nothing of the cell itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The cell's length gives fewer values than FF1 may permute.
    Domain,
    /// A letter or digit that would stand readable in the mask.
    Alphabet,
    /// A check digit that could not be given back, since it is computed anew.
    CheckDigit,
    /// Longer than the method takes.
    Length,
    /// More values in one context than its numbers are for.
    Spent,
    /// One refusal for a wrong key, a wrong domain, an altered and an expired value, so that nobody
    /// learns which of them it is.
    Closed,
    /// A date or time that would leave its type's range.
    Range,
    /// No entity in the row to choose the days by.
    Entity,
}

impl Refusal {
    /// The rule under which its row is rejected.
    pub fn rule(self) -> &'static str {
        match self {
            Refusal::Domain => "ff1-domain",
            Refusal::Alphabet => "ff1-alphabet",
            Refusal::CheckDigit => "check-digit",
            Refusal::Length => "method-length",
            Refusal::Spent => "seal-context",
            Refusal::Closed => "not-opened",
            Refusal::Range => "shift-range",
            Refusal::Entity => "shift-entity",
        }
    }

    /// What is wrong with the cell, and what to do; its column's name goes before it.
    pub fn message(self) -> &'static str {
        match self {
            Refusal::Domain => {
                "is too short for ff1: the characters that are encrypted have fewer than 1,000,000 \
                 possible values; keep fewer of them, or use another method"
            }
            Refusal::Alphabet => {
                "has a letter or digit that is not in the alphabet and would stay readable; add it \
                 to the alphabet"
            }
            Refusal::CheckDigit => {
                "has a wrong check digit, so that it could not be decrypted; validate it first, or \
                 leave `luhn` out"
            }
            Refusal::Length => "is longer than the method takes",
            Refusal::Spent => "is one of more than 2^32 in a batch",
            Refusal::Closed => "does not open: another key or domain, altered, or expired",
            Refusal::Range => {
                "is too close to the first or last date that can be stored to be shifted"
            }
            Refusal::Entity => "cannot be shifted: the row has no entity",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Refusal {}

/// Computes keyed masks. It holds the keys of one step, under the plugin's names for them.
pub trait KeyRing: Send + Sync {
    /// Whether the step's `keys:` block grants a key of that name.
    fn has(&self, key: &str) -> bool;

    /// The column with the targeted cells masked. A null or empty cell becomes null.
    ///
    /// # Errors
    /// When the key is not granted or does not fit the method, or the method does not fit the column.
    fn mask(&self, masking: &Masking<'_>) -> Result<Computed, KeyError>;

    /// The cells from which these values were made, as text.
    ///
    /// # Errors
    /// When the key is not granted or does not fit the method, or nothing undoes the method.
    fn reveal(
        &self,
        revealing: &Revealing<'_>,
        values: &[&str],
    ) -> Result<Vec<Result<Secret, Refusal>>, KeyError>;

    /// The tokens of these cells under every version of the key that is listed.
    ///
    /// # Errors
    /// When the key is not granted, or the step has no officers.
    fn tokens(&self, key: &str, name: &str, cells: &[&str]) -> Result<Vec<Token>, KeyError>;

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
    /// Nothing undoes the method.
    #[error("nothing undoes `{0}`")]
    OneWay(&'static str),
    /// The key is not one of the method's.
    #[error("{0}")]
    Key(String),
    /// Parameters out of bounds.
    #[error("{0}")]
    Parameters(String),
    /// The method cannot mask cells of this type.
    #[error("{method} cannot mask {cells} cells")]
    Type {
        /// The method.
        method: &'static str,
        /// The cells' type.
        cells: DataType,
    },
    /// The server that has the key did not compute with it, which is no plugin's fault.
    #[error("{0}")]
    Remote(String),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_have_short_printable_names_of_their_own() {
        let all = [
            Refusal::Domain,
            Refusal::Alphabet,
            Refusal::CheckDigit,
            Refusal::Length,
            Refusal::Spent,
            Refusal::Closed,
            Refusal::Range,
            Refusal::Entity,
        ];
        let names: std::collections::HashSet<_> = all.map(Refusal::rule).into();
        assert_eq!(names.len(), all.len());
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(names.iter().all(|name| name.chars().all(plain)));
    }
}
