//! The steps that a column went through, as the manifest has them now.

use glovebox_core::shown::printable;
use glovebox_engine::{Plan, plan_digest};
use glovebox_manifest::{Manifest, closest};
use glovebox_proof::{Column, Step};
use serde::Serialize;

use super::Armed;
use crate::lineage;

/// A column and its steps.
pub(super) struct Trail {
    pub(super) column: Column,
    /// Those that could see or change it.
    pub(super) steps: Vec<Step>,
    pub(super) generalised: bool,
    pub(super) by: TrailBy,
}

/// By what a column and its steps are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum TrailBy {
    /// The run's proof.
    Proof,
    /// The manifest, whose columns, steps, plugins and keys are still those of the run.
    Run,
    /// The manifest, which the run had otherwise, or which no run is known of.
    Manifest,
}

/// A column after the last step, as the manifest has it; `had` is the run's plan.
pub(super) fn of(
    manifest: &Manifest,
    plan: &Plan,
    armed: &Armed<'_>,
    (column, had): (&str, Option<&str>),
) -> Option<Trail> {
    let column = lineage::column(manifest, plan, &armed.steps, column)?;
    let is_same = had == Some(&plan_digest(plan, &armed.steps, armed.source.as_ref()));
    let gate = manifest.gate.as_ref();
    Some(Trail {
        steps: touching(&column, lineage::steps(plan)),
        generalised: gate.is_some_and(|gate| gate.generalises(&column.name)),
        by: match is_same {
            true => TrailBy::Run,
            false => TrailBy::Manifest,
        },
        column,
    })
}

/// The steps that could see or change a column.
pub(super) fn touching(column: &Column, steps: Vec<Step>) -> Vec<Step> {
    let mut steps = steps;
    steps.retain(|step| {
        let by_name = column
            .source
            .as_ref()
            .is_some_and(|name| step.reads.contains(name));
        by_name
            || step.reads.contains(&column.name)
            || column.steps.iter().any(|touch| touch.step == step.name)
    });
    steps
}

/// The columns after the last step.
pub(super) fn names(plan: &Plan) -> impl Iterator<Item = &str> {
    let last = plan.steps.last().map_or(&plan.source, |step| &step.output);
    last.fields.iter().map(|field| &*field.name)
}

/// That there is no such column; what was asked for is not repeated, since it may be a cell.
pub(super) fn no_such_column<'n>(asked: &str, names: impl Iterator<Item = &'n str>) -> String {
    let none = "no step leaves a column of that name, and the source has none";
    match closest(asked, names) {
        Some(near) => format!("{none}; did you mean `{}`?", printable(near)),
        None => none.into(),
    }
}
