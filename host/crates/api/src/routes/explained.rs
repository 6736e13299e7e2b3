//! An explanation as the API shows it: there is no field for a cell.

use poem_openapi::Object;

use crate::runs::Violation;

/// How a cell came about, and what became of its row.
#[derive(Debug, Object)]
pub(crate) struct Explained {
    /// The row's number in the source, counted from 0.
    row: u64,
    /// The cell's column.
    column: ExplainedColumn,
    /// The steps that could see or change it, in order.
    steps: Vec<ExplainedStep>,
    /// Whether a release behind the steps generalises it.
    #[oai(default, skip_serializing_if = "is_false")]
    generalised: bool,
    /// By what column and steps are known: `proof`, the run's own; `run`, the manifest, which is as the run had it;
    /// `manifest`, which the run may have had otherwise.
    lineage: String,
    /// The run's name in the sink's journal and in its report.
    #[oai(skip_serializing_if_is_none)]
    run: Option<String>,
    /// What became of the row.
    fate: Fate,
}

impl Explained {
    /// The column's name.
    pub(super) fn column(&self) -> &str {
        &self.column.name
    }
}

/// A column and what became of it on its way.
#[derive(Debug, Object)]
struct ExplainedColumn {
    /// Its name after the last step.
    name: String,
    /// Its name in the source; absent if a step made it.
    #[oai(skip_serializing_if_is_none)]
    source: Option<String>,
    /// Whether the manifest calls it personal.
    personal: bool,
    /// The steps that masked or made it, in order.
    steps: Vec<Touch>,
    /// What a release has left of it.
    #[oai(skip_serializing_if_is_none)]
    level: Option<Level>,
}

/// A level of a hierarchy.
#[derive(Debug, Object)]
struct Level {
    /// The level; 0 is the first that the manifest names.
    is: u64,
    /// The last level, at which nothing is left.
    of: u64,
}

/// What a step did to a column.
#[derive(Debug, Object)]
struct Touch {
    /// The step's name.
    step: String,
    /// The host's method, or `plugin` where the plugin computed the cells.
    method: String,
    /// Rounds for each value, of `pbkdf2-sha256`.
    #[oai(skip_serializing_if_is_none)]
    iterations: Option<u32>,
    /// The key.
    #[oai(skip_serializing_if_is_none)]
    key: Option<KeyUsed>,
    /// Paths inside documents that it masked.
    #[oai(default, skip_serializing_if_is_empty)]
    inside: Vec<String>,
    /// The columns that it made this one of, as far as it could see.
    #[oai(rename = "made-of", default, skip_serializing_if_is_empty)]
    made_of: Vec<String>,
    /// What the leak guard let stay of a cell.
    #[oai(rename = "may-keep", skip_serializing_if_is_none)]
    may_keep: Option<String>,
    /// Whether the leak guard was off.
    #[oai(default, skip_serializing_if = "is_false")]
    unguarded: bool,
    /// Who undoes the mask, and what that takes.
    #[oai(rename = "undone-by", skip_serializing_if_is_none)]
    undone_by: Option<String>,
}

/// A key by its name.
#[derive(Debug, Object)]
struct KeyUsed {
    /// The secret's name, without a version.
    name: String,
    /// The version that masked; 0 of a secret without versions.
    version: u32,
    /// Whether it never left its server, which masked with it.
    #[oai(default, skip_serializing_if = "is_false")]
    remote: bool,
}

/// A step and its plugin.
#[derive(Debug, Object)]
struct ExplainedStep {
    /// Its name.
    name: String,
    /// `validate`, `mask` or `transform`.
    does: String,
    /// The plugin's name and version, or its file.
    plugin: String,
    /// SHA-256 of the component.
    sha256: String,
    /// The number of the minisign key that signed it, where the manifest asks for signatures.
    #[oai(rename = "signed-by", skip_serializing_if_is_none)]
    signed_by: Option<String>,
    /// The columns that it could see.
    reads: Vec<String>,
}

/// What became of a row.
#[derive(Debug, Object)]
struct Fate {
    /// `stored`; `filtered`; `rejected`; `absent` from the run; `at-gate`: it left, generalised, unless a release
    /// found its class too small; `gathered`: a step made other rows of it and of others; `undecided`: not rejected, and the source cannot be asked.
    is: String,
    /// `journal`, or `pipeline` where the row was read again; absent where there is no journal to ask.
    #[oai(rename = "known-by", skip_serializing_if_is_none)]
    known_by: Option<String>,
    /// The step that filtered or gathered it.
    #[oai(skip_serializing_if_is_none)]
    step: Option<String>,
    /// The rules that it broke.
    #[oai(default, skip_serializing_if_is_empty)]
    violations: Vec<Violation>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the derive passes a reference"
)]
fn is_false(is: &bool) -> bool {
    !is
}
