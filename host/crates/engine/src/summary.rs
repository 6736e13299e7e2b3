//! A chunk's counts for the report, small enough for a sink's journal, so that a resumed run also
//! reports what its first part did.
//! No cells: only names, numbers and the host's own sentences.

use std::collections::BTreeMap;

use glovebox_core::{Reject, ReleaseReport};
use serde::{Deserialize, Serialize};

use crate::gated::Record;
use crate::stage::Tally;

/// What the steps did to a chunk.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// By step, in their order.
    pub(crate) steps: Vec<StepCounts>,
    /// The place of the first of these steps: behind a `gather:` step it is not the first of all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) from: usize,
    /// Rows that a `gather:` step takes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) taken: u64,
    /// Rows that a `gather:` step has made, and that count as neither read nor lost.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) made: u64,
    /// Rejected rows by what they broke.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) rules: Vec<RuleCount>,
    /// Contained faults, and how often.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) faults: BTreeMap<String, u64>,
    /// Digest of the rows that were handed to the sink, in hexadecimal, where the run is to be proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stored: Option<String>,
    /// What a run with a gate released, in a chunk without rows behind all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) release: Option<Box<Record>>,
    /// What was said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) released: Option<Box<ReleaseReport>>,
}

fn is_zero<N: Default + PartialEq>(number: &N) -> bool {
    *number == N::default()
}

/// What one step did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StepCounts {
    #[serde(rename = "in")]
    pub(crate) rows_in: u64,
    #[serde(default)]
    pub(crate) filtered: u64,
    #[serde(default)]
    pub(crate) rejected: u64,
    #[serde(default)]
    pub(crate) nanos: u64,
    /// For each of its paths into documents, the rows in which it led to a value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) inside: Vec<u64>,
}

/// How many rows broke a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RuleCount {
    pub(crate) step: String,
    pub(crate) rule: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) column: Option<String>,
    pub(crate) rows: u64,
}

/// What the rejects broke, and how often.
pub(crate) fn broken(rejects: &[Reject]) -> Vec<RuleCount> {
    let mut rules: BTreeMap<(&str, &str, Option<&str>), u64> = BTreeMap::new();
    for violation in rejects.iter().flat_map(|r| &r.violations) {
        let key = (
            &*violation.step,
            &*violation.rule,
            violation.column.as_deref(),
        );
        *rules.entry(key).or_default() += 1;
    }
    rules
        .into_iter()
        .map(|((step, rule, column), rows)| RuleCount {
            step: step.to_owned(),
            rule: rule.to_owned(),
            column: column.map(str::to_owned),
            rows,
        })
        .collect()
}

impl Summary {
    pub(crate) fn of(tallies: &[Tally], rejects: &[Reject]) -> Self {
        let steps = tallies
            .iter()
            .map(|tally| StepCounts {
                rows_in: tally.rows_in,
                filtered: tally.filtered,
                rejected: tally.rejects.len() as u64,
                nanos: u64::try_from(tally.time.as_nanos()).unwrap_or(u64::MAX),
                inside: tally.inside.clone(),
            })
            .collect();
        let mut faults = BTreeMap::new();
        for (fault, count) in tallies.iter().flat_map(|t| &t.faults) {
            *faults.entry(fault.clone()).or_default() += count;
        }
        Summary {
            steps,
            rules: broken(rejects),
            faults,
            ..Summary::default()
        }
    }

    /// A summary out of the journal once more of the chunk's rows were set aside.
    pub(crate) fn revised(json: &str, refused: &[Reject]) -> String {
        let mut summary = Summary::from_json(json);
        for late in broken(refused) {
            let same = |r: &&mut RuleCount| {
                (&r.step, &r.rule, &r.column) == (&late.step, &late.rule, &late.column)
            };
            match summary.rules.iter_mut().find(same) {
                Some(rule) => rule.rows += late.rows,
                None => summary.rules.push(late),
            }
        }
        summary.to_json()
    }

    pub(crate) fn filtered(&self) -> u64 {
        self.steps.iter().map(|s| s.filtered).sum()
    }

    /// As it stands in the journal.
    pub(crate) fn to_json(&self) -> String {
        // Strings and numbers always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Out of the journal; one that another version wrote tells nothing about its steps.
    pub(crate) fn from_json(json: &str) -> Self {
        Summary::read(json).unwrap_or_default()
    }

    /// The same for whoever has to know it; none where it cannot be read.
    pub(crate) fn read(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }
}
