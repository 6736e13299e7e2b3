//! The parts of a plan that affect rows, so that differences between two plans can be named.

use std::collections::BTreeMap;

use glovebox_core::shown::printable;
use glovebox_core::{Source, hex};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::armed::ArmedStep;
use crate::plan::{Plan, PlannedStep};

/// Bytes of a part's digest that are kept: enough to tell two plans apart.
const KEPT: usize = 8;
/// The most differences that are named.
const MAX_DIFFERENCES: usize = 8;
/// The longest name that is shown of what the journal says, in characters.
const MAX_NAME: usize = 64;

/// The parts of a plan, by digests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Parts {
    source: String,
    columns: BTreeMap<String, String>,
    steps: Vec<StepParts>,
    sink: String,
    /// SHA-256 of the manifest of a run that is or can be proven.
    #[serde(skip_serializing_if = "String::is_empty")]
    manifest: String,
    /// What is asked of a release, if anything is.
    #[serde(skip_serializing_if = "String::is_empty")]
    release: String,
    /// How the columns are masked by which an upsert finds its rows: for each the methods and what
    /// tells their keys from others.
    found_by: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct StepParts {
    name: String,
    plugin: String,
    with: String,
    grants: String,
    keyed: String,
    keys: String,
    /// The names of the secrets; those of an `ff1` value's key are written down nowhere else.
    secrets: Vec<String>,
}

impl Parts {
    /// The source's dialect and columns, each step's plugin, options, grants and keys, and the
    /// sink's columns. Limits, paths and the number of workers are not in it.
    pub(crate) fn of(plan: &Plan, steps: &[ArmedStep<'_>], source: &dyn Source) -> Self {
        let columns = plan.source.fields.iter();
        Parts {
            source: digest(&source.dialect()),
            columns: columns
                .map(|field| (field.name.to_string(), digest(&format!("{field:?}"))))
                .collect(),
            steps: steps
                .iter()
                .map(|step| {
                    let planned = step.planned;
                    StepParts {
                        name: planned.name.to_string(),
                        plugin: digest(planned.plugin.sha256()),
                        with: digest(&options(planned)),
                        grants: digest(&format!("{:?}", planned.grants)),
                        keyed: digest(&format!("{:?}", step.keyed)),
                        keys: step.keys.check_value().to_string(),
                        secrets: step.secrets.clone(),
                    }
                })
                .collect(),
            sink: digest(&format!("{:?}", plan.sink)),
            manifest: String::new(),
            release: plan
                .gate
                .as_ref()
                .map(|gate| digest(&gate.digest))
                .unwrap_or_default(),
            found_by: plan
                .upsert_keys
                .iter()
                .map(|column| (column.clone(), masked_by(column, plan, steps)))
                .collect(),
        }
    }

    /// The secrets that held the keys of a step, of each key the newest version.
    pub(crate) fn secrets_of(&self, step: &str) -> &[String] {
        let found = self.steps.iter().find(|known| known.name == step);
        found.map_or(&[], |found| &found.secrets)
    }

    /// Whether its rows went through a release gate.
    pub(crate) fn released(&self) -> bool {
        !self.release.is_empty()
    }

    /// Of this manifest, by its digest, if the run is or can be proven.
    pub(crate) fn of_manifest(self, digest: Option<&str>) -> Self {
        Parts {
            manifest: digest.unwrap_or_default().to_owned(),
            ..self
        }
    }

    /// Whether a run with these parts, as the journal has them, had the same manifest.
    pub(crate) fn same_manifest(&self, journal: &str) -> bool {
        Parts::from_json(journal).is_some_and(|parts| parts.manifest == self.manifest)
    }

    pub(crate) fn is_upsert(&self) -> bool {
        !self.found_by.is_empty()
    }

    /// The columns by which both plans' upserts find their rows, and which are masked otherwise.
    pub(crate) fn found_otherwise(&self, before: &Parts) -> Vec<String> {
        let columns = self.found_by.iter();
        let otherwise = columns.filter(|(column, masks)| {
            let then = before.found_by.get(*column);
            then.is_some_and(|then| then != *masks)
        });
        otherwise.map(|(column, _)| column.clone()).collect()
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// None of a run whose journal is older than parts.
    pub(crate) fn from_json(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// What of `self` another plan has otherwise, in words.
    pub(crate) fn differences(&self, before: &Parts) -> Vec<String> {
        let mut found = Vec::new();
        if self.source != before.source {
            found.push("how the source is read".to_owned());
        }
        for (name, column) in &self.columns {
            match before.columns.get(name) {
                None => found.push(format!("column `{}` is new", shown(name))),
                Some(other) if other != column => {
                    found.push(format!("column `{}` is declared differently", shown(name)));
                }
                Some(_) => {}
            }
        }
        let gone = before.columns.keys();
        for name in gone.filter(|name| !self.columns.contains_key(*name)) {
            found.push(format!("column `{}` is gone", shown(name)));
        }
        self.steps_differ(before, &mut found);
        if self.sink != before.sink {
            found.push("the stored columns".to_owned());
        }
        if let Some(more) = found
            .len()
            .checked_sub(MAX_DIFFERENCES)
            .filter(|more| *more > 0)
        {
            found.truncate(MAX_DIFFERENCES);
            found.push(format!("{more} more"));
        }
        found
    }

    fn steps_differ(&self, before: &Parts, found: &mut Vec<String>) {
        let named = |steps: &[StepParts], name: &str| steps.iter().any(|s| s.name == name);
        for step in &self.steps {
            let name = shown(&step.name);
            let Some(other) = before.steps.iter().find(|s| s.name == step.name) else {
                found.push(format!("step `{name}` is new"));
                continue;
            };
            for (what, now, then) in [
                ("its plugin", &step.plugin, &other.plugin),
                ("its `with`", &step.with, &other.with),
                ("what it reads, adds or masks", &step.grants, &other.grants),
                ("how it computes", &step.keyed, &other.keyed),
                ("its key", &step.keys, &other.keys),
            ] {
                if now != then {
                    found.push(format!("step `{name}`: {what}"));
                }
            }
        }
        for step in &before.steps {
            if !named(&self.steps, &step.name) {
                found.push(format!("step `{}` is gone", shown(&step.name)));
            }
        }
        let order = |steps: &[StepParts], others: &[StepParts]| -> Vec<String> {
            let both = steps.iter().filter(|s| named(others, &s.name));
            both.map(|s| s.name.clone()).collect()
        };
        if order(&self.steps, &before.steps) != order(&before.steps, &self.steps) {
            found.push("the order of the steps".to_owned());
        }
    }
}

/// SHA-256 over all that decides what a row becomes, in hexadecimal.
pub fn plan_digest(plan: &Plan, steps: &[ArmedStep<'_>], source: &dyn Source) -> String {
    let mut hash = Sha256::new();
    let mut say = |what: &str, value: &str| {
        // Lengths, so that no two lists of parts read the same.
        hash.update((what.len() as u64).to_be_bytes());
        hash.update(what);
        hash.update((value.len() as u64).to_be_bytes());
        hash.update(value);
    };
    say("glovebox-plan", "2");
    say("dialect", &source.dialect());
    say("columns", &format!("{:?}", plan.source));
    for step in steps {
        let planned = step.planned;
        say("step", &planned.name);
        say("plugin", planned.plugin.sha256());
        say("with", &options(planned));
        say("grants", &format!("{:?}", planned.grants));
        say("keyed", &format!("{:?}", step.keyed));
        say("keys", &step.keys.check_value().to_string());
    }
    say("sink", &format!("{:?}", plan.sink));
    if let Some(gate) = &plan.gate {
        say("release", &gate.digest);
    }
    hex(hash.finalize())
}

/// What a step was told beside its grants: its `with:` block, and the paths where it masks.
fn options(planned: &PlannedStep) -> String {
    let paths = planned.inside.iter();
    let paths: String = paths
        .map(|inside| format!("\ninside {}", inside.path))
        .collect();
    format!("{}{paths}", planned.config)
}

/// The keyed masks of a column, in their order.
fn masked_by(column: &str, plan: &Plan, steps: &[ArmedStep<'_>]) -> Vec<String> {
    let place = plan.sink.position(column);
    let place = place.and_then(|place| plan.sink_columns.get(place));
    let trail = place.map_or_else(Vec::new, |place| plan.trail(*place));
    let orders = steps.iter().zip(trail).flat_map(|(step, place)| {
        // Under whatever name it stood there.
        let before = place.and_then(|place| step.planned.before(place));
        let orders = step.keyed.iter();
        let orders = orders.filter(move |order| {
            let masked = step.planned.inputs.get(order.column);
            before.is_some() && masked == before.as_ref()
        });
        orders.map(|order| format!("{} {}", order.method.name(), step.keys.check_value()))
    });
    orders.collect()
}

/// A name out of the journal, which others may have edited, for a terminal.
pub(crate) fn shown(name: &str) -> String {
    let cut: String = name.chars().take(MAX_NAME).collect();
    printable(&cut)
}

fn digest(text: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(text).into();
    hex(&digest[..KEPT])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(columns: &[(&str, &str)], steps: &[(&str, &str)]) -> Parts {
        Parts {
            source: "csv".into(),
            columns: columns
                .iter()
                .map(|(name, kind)| ((*name).into(), (*kind).into()))
                .collect(),
            steps: steps
                .iter()
                .map(|(name, keys)| StepParts {
                    name: (*name).into(),
                    keys: (*keys).into(),
                    ..StepParts::default()
                })
                .collect(),
            sink: "all".into(),
            ..Parts::default()
        }
    }

    #[test]
    fn what_differs_is_named() {
        let before = parts(
            &[("id", "int"), ("name", "text")],
            &[("check", "1"), ("alias", "2")],
        );
        assert_eq!(before.differences(&before), Vec::<String>::new());
        let now = parts(
            &[("id", "text"), ("city", "text")],
            &[("alias", "3"), ("trim", "1")],
        );
        assert_eq!(
            now.differences(&before),
            [
                "column `city` is new",
                "column `id` is declared differently",
                "column `name` is gone",
                "step `alias`: its key",
                "step `trim` is new",
                "step `check` is gone"
            ]
        );
        let turned = parts(
            &[("id", "int"), ("name", "text")],
            &[("alias", "2"), ("check", "1")],
        );
        assert_eq!(turned.differences(&before), ["the order of the steps"]);
        assert_eq!(Parts::from_json(&now.to_json()), Some(now));
        assert_eq!(Parts::from_json(""), None);
    }

    #[test]
    fn names_out_of_the_journal_cannot_write_on_a_terminal() {
        assert_eq!(shown("a\u{1b}[31mb"), "a\u{fffd}[31mb");
        assert_eq!(shown(&"x".repeat(1000)).len(), 64);
    }
}
