//! Follows columns that only pass through: from a PostgreSQL source to a PostgreSQL sink, past
//! every plugin.

use glovebox_core::DataType;

use crate::block::short;
use crate::diagnostic::Diagnostic;
use crate::model::{Column, Manifest};

use super::Flow;

/// Opaque columns where they cannot be.
pub(super) fn uses(manifest: &Manifest, sink: bool, problems: &mut Vec<Diagnostic>) {
    if !manifest.source.has_opaque() {
        for column in manifest.columns.iter().filter(|c| is_opaque(c)) {
            problems.push(misplaced(
                column,
                "only a PostgreSQL source has opaque columns",
            ));
        }
        return;
    }
    let mut flow = Flow::from_source(manifest);
    for step in &manifest.steps {
        for name in step.granted() {
            let Some(live) = flow.find(name).filter(|live| is_opaque(live.column)) else {
                continue;
            };
            problems.push(
                Diagnostic::error(
                    name.span.clone(),
                    format!("`{}` is opaque, so no plugin can see it", short(name)),
                )
                .label("granted here")
                .context(live.column.data_type.span.clone(), "declared opaque here")
                .help(
                    "declare the type that the plugin should see; any PostgreSQL column can be \
                      read as type: text",
                ),
            );
        }
        for column in step.adds.iter().filter(|c| is_opaque(c)) {
            problems.push(misplaced(column, "no plugin can add an opaque column"));
        }
        flow.apply(step);
    }
    if !sink || manifest.sink.target.takes_opaque() {
        return;
    }
    let stored = |column: &Column| match &manifest.sink.columns {
        None => true,
        Some(names) => names.iter().any(|n| n.value == column.name.value),
    };
    for live in &flow.live {
        let column = live.column;
        if is_opaque(column) && stored(column) {
            problems.push(
                misplaced(column, "only a PostgreSQL sink accepts opaque columns")
                    .context(manifest.sink.span.clone(), "stored elsewhere"),
            );
        }
    }
}

fn is_opaque(column: &Column) -> bool {
    column.data_type.value == DataType::Opaque
}

fn misplaced(column: &Column, message: &str) -> Diagnostic {
    Diagnostic::error(column.data_type.span.clone(), message)
        .label("opaque")
        .help("use a type that plugins can see: any PostgreSQL column can be read as type: text")
}
