//! Whether the release gate fits the columns that reach it and the sink behind it.

use glovebox_core::DataType;

use super::{Flow, declared};
use crate::block::short;
use crate::diagnostic::Diagnostic;
use crate::model::{Gate, Generalise, Manifest, Mode, SinkTarget, Spanned};

/// What does not fit.
pub(super) fn uses(manifest: &Manifest, sink: bool, problems: &mut Vec<Diagnostic>) {
    let Some(gate) = &manifest.gate else {
        return;
    };
    let mut flow = Flow::from_source(manifest);
    for step in &manifest.steps {
        flow.apply(step);
    }
    columns(gate, &flow, problems);
    if !sink {
        return;
    }
    let stored = &manifest.sink.columns;
    let quasi = gate.quasi.iter().map(|(name, _)| name);
    for name in quasi.chain(gate.sensitive.iter().map(|(name, _)| name)) {
        let is_stored = stored
            .as_ref()
            .is_none_or(|stored| stored.iter().any(|s| s.value == name.value));
        if !is_stored && flow.find(name).is_some() {
            let problem = format!(
                "`{}` is not stored, so it tells nobody anything",
                short(name)
            );
            problems.push(
                Diagnostic::error(name.span.clone(), problem)
                    .context(manifest.sink.span.clone(), "the sink")
                    .help("delete it here, or add it to the sink's `columns:`"),
            );
        }
    }
    let target = &manifest.sink.target;
    if matches!(target, SinkTarget::Delta(_)) {
        let problem = "a release cannot go to a Delta table: it is held against the one before, whose record such a \
                       table does not keep, and whose rows stay readable in its older versions";
        problems.push(
            Diagnostic::error(gate.span.clone(), problem)
                .context(manifest.sink.span.clone(), "the sink")
                .help("release into a database or a file, and load that"),
        );
        return;
    }
    if target.mode() != Mode::Replace {
        problems.push(
            Diagnostic::error(
                gate.span.clone(),
                "a release replaces the one before it as a whole",
            )
            .context(
                manifest.sink.span.clone(),
                "this sink keeps rows that are there",
            )
            .help("write `mode: replace` in the sink"),
        );
    }
}

fn columns(gate: &Gate, flow: &Flow<'_>, problems: &mut Vec<Diagnostic>) {
    let mut named: Vec<&Spanned<String>> = Vec::new();
    let quasi = gate
        .quasi
        .iter()
        .map(|(name, quasi)| (name, Some(&quasi.by)));
    let sensitive = gate.sensitive.iter().map(|(name, _)| (name, None));
    let entity = gate.entity.iter().map(|name| (name, None));
    for (name, by) in quasi.chain(sensitive).chain(entity) {
        if let Some(first) = named.iter().find(|first| first.value == name.value) {
            let problem = format!("`{}` has two parts in the release", short(name));
            problems.push(
                Diagnostic::error(name.span.clone(), problem)
                    .label("again here")
                    .context(first.span.clone(), "first here")
                    .help("a column is a quasi-identifier, or sensitive, or the entity"),
            );
        }
        named.push(name);
        let Some(live) = flow.find(name) else {
            if !flow.lacks(name) {
                continue;
            }
            let problem = format!("there is no column `{}` after the last step", short(name));
            let problem = Diagnostic::error(name.span.clone(), problem);
            problems.push(match flow.closest(name) {
                Some(near) => problem.help(format!("did you mean `{}`?", short(near))),
                None => problem.help(format!("the columns are: {}", flow.list())),
            });
            continue;
        };
        let kind = live.column.data_type.value;
        let fits = match (by, kind) {
            (_, DataType::Opaque | DataType::Bytes) => false,
            (Some(Generalise::Width(_)), kind) => matches!(
                kind,
                DataType::Int64 | DataType::Float64 | DataType::Decimal { .. }
            ),
            (Some(Generalise::Date(_)), kind) => {
                matches!(kind, DataType::Date | DataType::Timestamp | DataType::Text)
            }
            (Some(Generalise::Prefix(_)), kind) => matches!(kind, DataType::Text | DataType::Int64),
            _ => true,
        };
        if !fits {
            let levels = match by {
                Some(Generalise::Width(_)) => "widths are of numbers",
                Some(Generalise::Date(_)) => "parts of dates are of dates",
                Some(Generalise::Prefix(_)) => "first characters are of text",
                _ => "its values cannot be compared",
            };
            problems.push(
                Diagnostic::error(
                    name.span.clone(),
                    format!("`{}` is {kind}, and {levels}", short(name)),
                )
                .context(declared(live.column), "declared here")
                .help("choose other levels, or declare the column by another type"),
            );
        }
    }
}
