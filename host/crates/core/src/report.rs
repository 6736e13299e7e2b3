//! The report of a run: printed at its end, written as JSON, checked by its own sums.
//! It has no values: only counts, names and times.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The result of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct RunReport {
    /// The run's own name, under which a database sink keeps its journal.
    pub run: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// Where the rows came from.
    pub source: String,
    /// Where they went.
    pub sink: String,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Row counts; `read = stored + filtered + rejected`, unless there are `gathers`.
    pub rows: RowCounts,
    /// The `gather:` steps, in order: of each `read = taken + filtered + rejected`, with what was read, filtered and
    /// rejected since the one before; and what the last one made is what was stored, and filtered and rejected since.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gathers: Vec<GatherReport>,
    /// Rows read that an earlier process of this run had dealt with.
    #[serde(skip_serializing_if = "is_zero")]
    pub resumed_rows: u64,
    /// Good rows that were not published, so that the rows that were there stay; then none is
    /// stored, and `read = withheld + filtered + rejected`.
    #[serde(skip_serializing_if = "is_zero")]
    pub withheld_rows: u64,
    /// Of the rows stored in mode upsert: those whose key a later row of the run has too, which took
    /// their place. The table has so many fewer.
    #[serde(skip_serializing_if = "is_zero")]
    pub superseded_rows: u64,
    /// Of a pipeline with a release gate: what was asked and what was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseReport>,
    /// Of a run over rows that an earlier one rejected: which, and what it left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rerun: Option<Rerun>,
    /// Of a run over what came behind the rows of an earlier one: which, and how many those are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_new: Option<OnlyNew>,
    /// Rejected rows by step, rule and column, the most frequent first.
    pub rejects: Vec<RejectCount>,
    /// What the operator may want to know or to write differently; columns and options, no cells.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Where the rejects are written down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejects_path: Option<String>,
    /// Where their cells are kept, encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed_rejects: Option<SealedRejects>,
    /// The steps, in order.
    pub steps: Vec<StepReport>,
    /// Plugin faults that were contained: one sentence a plugin and kind, and how often.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub faults: BTreeMap<String, u64>,
    /// Wall time of the run, in seconds.
    pub seconds: f64,
    /// The most memory that the process has held, in bytes, where the system tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<u64>,
    /// The run's proof as its file has it, for the server that supervises the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub proof: Option<String>,
}

fn is_zero(rows: &u64) -> bool {
    *rows == 0
}

/// The rejected rows with their cells, encrypted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct SealedRejects {
    /// The file.
    pub path: String,
    /// Rows in it; fewer than were rejected where the target refused rows at the very end.
    pub rows: u64,
}

/// A run over rows that an earlier one rejected, and over no others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Rerun {
    /// The list that names them.
    pub rejects_of: String,
    /// The run in the sink's journal that rejected them; none if the journal knows of none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_run: Option<String>,
    /// Rows of the input that are not in the list; they count as neither read nor stored.
    pub passed_over: u64,
}

/// A run over the rows of its input that no earlier one has stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct OnlyNew {
    /// The run whose input was the beginning of this one's; none if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_run: Option<String>,
    /// Rows of that beginning; they count as neither read nor stored.
    pub passed_over: u64,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// Every row has its fate.
    #[default]
    Done,
    /// More rows were rejected than the manifest's `at-most`. What joins other rows is stored; what
    /// would have taken their place is withheld.
    TooManyRejects,
    /// Not one row was left to take the place of those that were there, which stay.
    NoRows,
    /// The rows do not satisfy what the manifest asks of a release; what was there stays.
    NotReleased,
}

/// Rows by their fate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RowCounts {
    /// Taken from the source.
    pub read: u64,
    /// In the sink.
    pub stored: u64,
    /// Dropped by a transformer.
    pub filtered: u64,
    /// Set aside with their violations.
    pub rejected: u64,
}

impl RowCounts {
    /// Whether each row that was read has exactly one fate.
    pub fn balanced(&self) -> bool {
        self.read == self.stored + self.filtered + self.rejected
    }
}

/// How many rows broke a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RejectCount {
    /// The step that said so, or `source` or `sink`.
    pub step: String,
    /// The rule.
    pub rule: String,
    /// The column, where the rule is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Rows.
    pub rows: u64,
}

/// What a step did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct StepReport {
    /// The step's name.
    pub name: String,
    /// The plugin: a standard one's name and version, or the file that the manifest names.
    pub plugin: String,
    /// SHA-256 of the component, in hexadecimal.
    pub sha256: String,
    /// The number of the key that signed it, where the manifest asks for signatures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
    /// Rows that entered it.
    pub rows_in: u64,
    /// Rows that it filtered.
    pub filtered: u64,
    /// Rows that it rejected.
    pub rejected: u64,
    /// The secrets under whose names its keys are kept, of each key the version that masked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Personal columns that it masked while the leak guard was off.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unguarded: Vec<String>,
    /// Its paths into the documents of its column.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inside: Vec<InsideReport>,
    /// Of a `gather:` step: the rows that it made of those that entered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made: Option<u64>,
    /// Time spent in it, over all workers, in seconds.
    pub seconds: f64,
}

/// What a `gather:` step took and made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct GatherReport {
    /// The step.
    pub step: String,
    /// Rows that were read from the source, or made by the step of this kind before.
    pub read: u64,
    /// Those of them that were filtered before this step.
    pub filtered: u64,
    /// Those of them that were rejected before this step.
    pub rejected: u64,
    /// The rest, which this step took.
    pub taken: u64,
    /// Rows that it made of these.
    pub made: u64,
}

/// What a path into documents came upon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct InsideReport {
    /// The path, as the manifest writes it.
    pub path: String,
    /// Rows in which it led to a value.
    pub rows: u64,
}

/// What a release gate asked and what it reached. No class is named, and no value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct ReleaseReport {
    /// The least number of members of a class that was asked for.
    pub k: u64,
    /// The members of the smallest class that was released; 0 if none was.
    pub smallest_class: u64,
    /// The classes that were released.
    pub classes: u64,
    /// Rows of classes that were not.
    pub suppressed_rows: u64,
    /// How many there might have been.
    pub suppress_at_most: u64,
    /// What was left of each quasi-identifier.
    pub levels: Vec<LevelReport>,
    /// How much of what the quasi-identifiers told is gone, from 0 to 1.
    pub information_loss: f64,
    /// Whether the levels are those of an earlier release, to which this one had to hold.
    pub frozen: bool,
    /// The chance of finding whoever is easiest to find.
    pub highest_risk: f64,
    /// The mean of that chance over all members.
    pub average_risk: f64,
    /// What is told of each sensitive column.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sensitive: Vec<SensitiveReport>,
    /// Why nothing was released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// What would have satisfied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub would_satisfy: Vec<String>,
    /// Time spent in the search, in seconds.
    pub seconds: f64,
}

/// What was left of a quasi-identifier.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct LevelReport {
    /// The column.
    pub column: String,
    /// Its level; 0 is its values, or the first that the manifest names.
    pub level: u64,
    /// The last level, at which nothing is left of it.
    pub last: u64,
}

/// What a release tells of a sensitive column, in the class that tells most.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct SensitiveReport {
    /// The column.
    pub column: String,
    /// The number of values that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l: Option<f64>,
    /// The distance that was allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub t: Option<f64>,
    /// The fewest different values of a class.
    pub distinct_l: u64,
    /// The least e to the power of a class's entropy.
    pub entropy_l: f64,
    /// The largest distance of a class from all rows, with all values one apart.
    pub equal_t: f64,
    /// The same by the order of the values.
    pub ordered_t: f64,
}
