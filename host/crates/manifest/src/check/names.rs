//! Follows the names of columns from the source through all steps to the sink.

use std::collections::HashMap;

use crate::block::short;
use crate::diagnostic::Diagnostic;
use crate::model::{Column, Manifest, Spanned};

use super::{Flow, declared};

/// Columns whose names differ only in case: SQLite takes them for one.
pub(super) fn collisions(manifest: &Manifest, problems: &mut Vec<Diagnostic>) {
    let mut seen: HashMap<String, Vec<&Column>> = HashMap::new();
    let added = manifest.steps.iter().flat_map(|s| &s.adds);
    for column in manifest.columns.iter().chain(added) {
        let alike = seen.entry(column.name.to_lowercase()).or_default();
        let mut others = alike.iter().filter(|c| c.name.value != column.name.value);
        if let Some(first) = others.next() {
            problems.push(
                Diagnostic::error(
                    declared(column),
                    format!(
                        "`{}` and `{}` differ only in case",
                        short(&first.name),
                        short(&column.name)
                    ),
                )
                .label("again here")
                .context(declared(first), "first here")
                .help(
                    "rename one, or write both the same way if the step should replace the \
                      column; databases treat them as one",
                ),
            );
        }
        alike.push(column);
    }
}

/// Names that no source and no earlier step provides.
pub(super) fn uses(manifest: &Manifest, sink: bool, problems: &mut Vec<Diagnostic>) {
    let mut flow = Flow::from_source(manifest);
    for (i, step) in manifest.steps.iter().enumerate() {
        for name in step.reads.iter().chain(&step.masks) {
            if flow.lacks(name) {
                problems.push(unknown(manifest, &flow, name, i));
            }
        }
        flow.apply(step);
    }
    if !sink {
        return;
    }
    for name in manifest.sink.columns.iter().flatten() {
        if flow.lacks(name) {
            problems.push(unknown(manifest, &flow, name, manifest.steps.len()));
        }
    }
}

fn unknown(
    manifest: &Manifest,
    flow: &Flow<'_>,
    name: &Spanned<String>,
    position: usize,
) -> Diagnostic {
    let problem = Diagnostic::error(
        name.span.clone(),
        format!("there is no column `{}` here", short(name)),
    );
    let later = manifest.steps.iter().skip(position).find_map(|step| {
        let column = step.adds.iter().find(|c| c.name.value == name.value)?;
        Some((step, column))
    });
    if let Some((step, column)) = later {
        let adder = short(&step.name);
        return problem
            .context(declared(column), "added only here")
            .help(format!("move this step below the step `{adder}`"));
    }
    match flow.closest(name) {
        Some(near) => problem.help(format!("did you mean `{}`?", short(near))),
        None => problem.help(format!(
            "the columns here are: {}; declare others under `columns:`, or in the `adds:` of a transformer",
            flow.list()
        )),
    }
}
