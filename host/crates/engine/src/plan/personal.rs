//! Personal columns that reach the sink, where a query stands on their way: what it leaves is known only
//! here. Without a query the manifest's own checks have said it already.

use std::collections::BTreeSet;

use glovebox_core::Schema;
use glovebox_manifest::Manifest;
use glovebox_manifest::diagnostic::Diagnostic;
use glovebox_manifest::model;

use super::PlannedStep;
use super::query::path;

/// Columns that would leave as they are.
pub(super) fn unmasked(
    manifest: &Manifest,
    source: &Schema,
    steps: &[PlannedStep],
    sink_columns: &[usize],
    released: &BTreeSet<&str>,
) -> Vec<Diagnostic> {
    let after = steps.last().map_or(source, |step| &step.output);
    let gate = manifest.gate.as_ref();
    let mut problems = Vec::new();
    for &place in sink_columns {
        let Some(field) = after.fields.get(place).filter(|field| field.personal) else {
            continue;
        };
        let path = path(steps, place, source);
        let first = path.last().map_or(&*field.name, |name| name);
        if released.contains(&*field.name)
            || step_made(steps, place).is_none() && released.contains(first)
            || gate.is_some_and(|gate| gate.generalises(&field.name))
        {
            continue;
        }
        let mut listed = manifest.sink.columns.iter().flatten();
        let listed = listed.find(|name| name.value == *field.name);
        let span = listed.map_or(&manifest.sink.span, |name| &name.span);
        let mut problem = Diagnostic::error(
            span.clone(),
            format!("`{}` is personal and reaches the sink unmasked", field.name),
        )
        .label("stored here");
        if let Some(column) = manifest.columns.iter().find(|c| c.name.value == *first) {
            problem = problem.context(column.name.span.clone(), "declared personal here");
        }
        if path.len() > 1 {
            let path: Vec<String> = path.iter().map(|name| format!("`{name}`")).collect();
            problem = problem.note(format!(
                "it comes from a personal column: {}",
                path.join(" ← ")
            ));
        }
        problems.push(problem.help(format!(
            "add a step that masks it: - {{ mask: redact, masks: [{}] }}",
            field.name
        )));
    }
    problems
}

/// The last query that computed the column, if one did.
fn step_made(steps: &[PlannedStep], place: usize) -> Option<&PlannedStep> {
    let mut place = place;
    for step in steps.iter().rev() {
        match step.before(place) {
            Some(before) => place = before,
            None => return Some(step),
        }
    }
    None
}

/// Columns of a plugin that reads a personal one and does not say whether they are personal too.
pub(super) fn undeclared(step: &model::Step, planned: &PlannedStep) -> Option<Box<Diagnostic>> {
    let read = planned.grants.fields.iter().find(|field| field.personal)?;
    let added = step.adds.iter().find(|added| added.personal.is_none())?;
    Some(Box::new(
        Diagnostic::error(
            added.name.span.clone(),
            format!(
                "`{}` may contain personal data: its step reads `{}`",
                added.name.value, read.name
            ),
        )
        .label("declare whether it does")
        .help("add `personal: true`, or `personal: false` if nothing of the personal column is left in it"),
    ))
}
