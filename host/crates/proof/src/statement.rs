//! What a pack states: an in-toto Statement v1 whose predicate is our own, `docs/proof.md`.
//!
//! <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>

use std::collections::BTreeMap;

use glovebox_core::RowCounts;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ProofError;

/// The type of statements.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The type of our predicate, with its version.
pub const PREDICATE_TYPE: &str = "urn:glovebox:proof:v1";

/// A statement about what a run let out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Statement {
    /// [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// What left.
    pub subject: Vec<Subject>,
    /// [`PREDICATE_TYPE`].
    pub predicate_type: String,
    /// How it came about.
    pub predicate: Predicate,
}

impl Statement {
    /// A statement of our predicate.
    pub fn new(subject: Vec<Subject>, predicate: Predicate) -> Self {
        Statement {
            statement_type: STATEMENT_TYPE.into(),
            subject,
            predicate_type: PREDICATE_TYPE.into(),
            predicate,
        }
    }

    pub(crate) fn check(&self) -> Result<(), ProofError> {
        if self.statement_type != STATEMENT_TYPE || self.predicate_type != PREDICATE_TYPE {
            return Err(ProofError::Form(
                "its statement is of another type or version",
            ));
        }
        if self.subject.is_empty() {
            return Err(ProofError::Contradiction("it is about nothing"));
        }
        if !self.predicate.rows.balanced(&self.predicate.gathers) {
            return Err(ProofError::Contradiction(
                "the rows read are not those stored, filtered and rejected",
            ));
        }
        Ok(())
    }
}

/// A file, or a table's chunks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The file's name without its folders, or the table in words.
    pub name: String,
    /// `sha256` of the file, or `rfc6962-sha256`, the root over a run's chunks; in hexadecimal.
    pub digest: BTreeMap<String, String>,
}

impl Subject {
    const FILE: &str = "sha256";
    const CHUNKS: &str = "rfc6962-sha256";

    /// A file.
    pub fn file(name: String, sha256: String) -> Self {
        let digest = BTreeMap::from([(Self::FILE.into(), sha256)]);
        Subject { name, digest }
    }

    /// A run's chunks in a table.
    pub fn chunks(name: String, root: String) -> Self {
        let digest = BTreeMap::from([(Self::CHUNKS.into(), root)]);
        Subject { name, digest }
    }

    /// SHA-256 of a file.
    pub fn sha256(&self) -> Option<&str> {
        self.digest.get(Self::FILE).map(String::as_str)
    }

    /// The root over a run's chunks.
    pub fn root(&self) -> Option<&str> {
        self.digest.get(Self::CHUNKS).map(String::as_str)
    }
}

/// How what left came about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Predicate {
    /// The run.
    pub run: Run,
    /// The manifest.
    pub manifest: Manifest,
    /// Where the rows came from, in words and without credentials.
    pub source: String,
    /// Where they went.
    pub sink: String,
    /// What was read.
    pub input: InputDigest,
    /// Rows by their fate.
    pub rows: Counts,
    /// The `gather:` steps, in order: rows that they made beside those that were read, and rows that they took. Left out
    /// where the counts of rows are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gathers: Vec<Gathered>,
    /// The chunks of a run into a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunks: Option<Chunks>,
    /// What was stored, column by column.
    pub columns: Vec<Column>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Rejected rows by step, rule and column; of a release only where they are k or more.
    pub rejects: Vec<Rejected>,
    /// Columns that were let out unmasked on somebody's responsibility.
    pub exemptions: Vec<Exemption>,
    /// Columns of the source that are called not personal although they look so, or are not declared with
    /// intent, on somebody's responsibility.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub register_exemptions: Vec<Exemption>,
    /// What a release was to satisfy and what it does, as the run's report has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Value>,
    /// Where the audit log stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Audit>,
}

/// A run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Run {
    /// Its name in the sink's journal and its report.
    pub name: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// When the pack was made, in UTC.
    pub proven: String,
    /// The program's name and version.
    pub program: String,
    /// SHA-256 of all that decides what a row becomes, as the journal has it.
    pub plan: String,
}

/// The manifest, by its digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// SHA-256 of the file.
    pub sha256: String,
}

/// What was read, by a digest that nobody can try values against without its key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct InputDigest {
    /// Lines that are not blank; of a source without lines, chunks. Left out where the counts of rows are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    /// Digest of them, in whatever order.
    pub digest: String,
    /// What keeps the digest's key: `journal` of the sink, or `proof-key`.
    pub keyed_by: String,
}

/// Rows by their fate. Of a release the last three are left out where a count is smaller than its k.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// In the sink.
    pub stored: u64,
    /// Taken from the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<u64>,
    /// Dropped by a transformer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filtered: Option<u64>,
    /// Set aside with their violations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<u64>,
}

impl Counts {
    /// All counts, or the stored rows alone where the others are not told.
    pub fn of(rows: RowCounts, told: bool) -> Self {
        Counts {
            stored: rows.stored,
            read: told.then_some(rows.read),
            filtered: told.then_some(rows.filtered),
            rejected: told.then_some(rows.rejected),
        }
    }

    /// Whether the counts that are there say that each row has one fate.
    fn balanced(self, gathers: &[Gathered]) -> bool {
        let sum = |counts: &[u64]| counts.iter().try_fold(0, |sum: u64, n| sum.checked_add(*n));
        match (self.read, self.filtered, self.rejected) {
            (Some(read), Some(filtered), Some(rejected)) => {
                let mut rows = vec![read];
                let mut fates = vec![self.stored, filtered, rejected];
                for gather in gathers {
                    rows.push(gather.made);
                    fates.push(gather.taken);
                }
                let rows = sum(&rows);
                rows.is_some() && rows == sum(&fates)
            }
            (read, filtered, rejected) => read.or(filtered).or(rejected).is_none(),
        }
    }
}

/// A `gather:` step, which takes rows and makes others of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gathered {
    /// The step's name.
    pub step: String,
    /// Rows that it took.
    pub taken: u64,
    /// Rows that it made.
    pub made: u64,
}

/// The chunks that a run's root is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chunks {
    /// How many.
    pub count: u64,
    /// Those among them whose stored rows have no digest: they were stored by a process that was not told
    /// to prove.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub undigested: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A stored column, and what became of it on its way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Column {
    /// Its name in the sink.
    pub name: String,
    /// Its name in the source; none of a column that a step made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether the manifest calls what the source has there, or the step made, personal.
    pub personal: bool,
    /// The steps that masked or made it, in order; a column without any, and without a level, left as it came.
    pub steps: Vec<Touch>,
    /// What a release has left of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
}

/// A level of a hierarchy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// The level; 0 is the values, or the first that the manifest names.
    pub is: u64,
    /// The last level, at which nothing is left.
    pub of: u64,
}

/// What a step did to a column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Touch {
    /// The step, of [`Predicate::steps`].
    pub step: String,
    /// The host's method, or `plugin` where the plugin computed the cells.
    pub method: String,
    /// Rounds for each value, of `pbkdf2-sha256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iterations: Option<u32>,
    /// The key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyUsed>,
    /// Where inside of documents it masked; the rest of them is as it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inside: Vec<String>,
    /// Of a column that the step made: the columns that it could see.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made_of: Vec<String>,
    /// What may be left of the cell in its mask, by which the leak guard judged every row; none of a column
    /// that the step made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_keep: Option<String>,
    /// Whether the leak guard was told not to look.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unguarded: bool,
    /// Who undoes the mask, and what that takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<String>,
}

/// A key by its name: no part and no digest of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyUsed {
    /// The secret's name, without a version.
    pub name: String,
    /// The version that masked; 0 of a secret without versions.
    pub version: u32,
    /// Whether it never left its server, which masked with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remote: bool,
}

/// A step and its plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// `validate`, `mask` or `transform`.
    pub does: String,
    /// The plugin: a standard one's name and version, or the file that the manifest names.
    pub plugin: String,
    /// SHA-256 of the component.
    pub sha256: String,
    /// The number of the minisign key that signed it, where the manifest asks for signatures. Standard
    /// plugins are part of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
    /// The columns that it could see.
    pub reads: Vec<String>,
}

/// Rejected rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejected {
    /// The step that said so, or `source` or `sink`.
    pub step: String,
    /// The rule.
    pub rule: String,
    /// The column, where the rule is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// How many rows.
    pub rows: u64,
}

/// A column that the rules are not applied to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exemption {
    /// The column.
    pub column: String,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The last day, as YYYY-MM-DD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// Where the audit log of the server that ran this stood when its process began: `glovebox audit verify --head
/// RECORD:HASH` finds whether a log has that record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// The number of its last record.
    pub record: u64,
    /// That record's hash, to which all later ones are chained.
    pub hash: String,
}
