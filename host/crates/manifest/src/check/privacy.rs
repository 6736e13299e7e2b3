//! Follows personal data from where it is declared to the sink.

use glovebox_core::DataType;

use chrono::NaiveDate;

use crate::block::short;
use crate::diagnostic::Diagnostic;
use crate::model::{Column, Manifest, Span};

use super::{Flow, declared};

/// Columns that say what of a person they hold, and not that they hold it.
pub(super) fn kinds(manifest: &Manifest, problems: &mut Vec<Diagnostic>) {
    let added = manifest.steps.iter().flat_map(|s| &s.adds);
    for column in manifest.columns.iter().chain(added) {
        if let Some(kind) = column.kind.as_ref().filter(|_| !column.is_personal()) {
            let name = short(&column.name);
            problems.push(
                Diagnostic::error(
                    kind.span.clone(),
                    format!("`{name}` holds {}, but it is not personal", kind.value),
                )
                .help("add `personal: true`; if it holds no personal data, delete `kind:`"),
            );
        }
    }
}

/// Paths into JSON of a step that masks more than one column, or one that is not text.
pub(super) fn inside(manifest: &Manifest, problems: &mut Vec<Diagnostic>) {
    let mut flow = Flow::from_source(manifest);
    for step in &manifest.steps {
        if let Some(path) = step.inside.first() {
            for (i, path) in step.inside.iter().enumerate() {
                let mut earlier = step.inside.iter().take(i);
                if let Some(first) = earlier.find(|first| first.value.overlaps(&path.value)) {
                    problems.push(
                        Diagnostic::error(
                            path.span.clone(),
                            "two paths may lead to the same value, which would be masked twice",
                        )
                        .label("again here")
                        .context(first.span.clone(), "first here")
                        .help("delete one, or write paths that cannot meet"),
                    );
                }
            }
            let one = match step.masks.as_slice() {
                [one] => Some(one),
                _ => None,
            };
            let column = one.and_then(|name| flow.find(name)).map(|live| live.column);
            if one.is_none() && !step.masks.is_empty() {
                problems.push(
                    Diagnostic::error(
                        path.span.clone(),
                        "a step masks inside of one column at a time",
                    )
                    .help("make a step of each column; `inside:` may list several paths"),
                );
            }
            if let Some(column) = column.filter(|c| c.data_type.value != DataType::Text) {
                problems.push(
                    Diagnostic::error(
                        path.span.clone(),
                        format!(
                            "`{}` is {}, and JSON is text",
                            short(&column.name),
                            column.data_type.value
                        ),
                    )
                    .context(declared(column), "declared here")
                    .help("delete `inside:` to mask whole cells, or declare the column `type: text` if it holds JSON"),
                );
            }
        }
        flow.apply(step);
    }
}

/// Tokens without a database to keep them in.
pub(super) fn tokens(manifest: &Manifest, problems: &mut Vec<Diagnostic>) {
    let tokens = manifest
        .steps
        .iter()
        .filter_map(|step| step.tokens.as_ref());
    for tokens in tokens.filter(|_| !manifest.sink.target.keeps_tokens()) {
        problems.push(
            Diagnostic::error(tokens.span.clone(), "a file cannot keep tokens")
                .context(manifest.sink.span.clone(), "the sink")
                .help(
                    "write to `sqlite:` or `postgres:`, which keep them beside the rows; or mask by \
                    `encrypt`, whose values need no database",
                ),
        );
    }
}

/// Releases that have passed, or that release nothing.
pub(super) fn releases(manifest: &Manifest, today: NaiveDate, problems: &mut Vec<Diagnostic>) {
    let added = manifest.steps.iter().flat_map(|s| &s.adds);
    for column in manifest.columns.iter().chain(added) {
        let Some(release) = &column.release else {
            continue;
        };
        let name = short(&column.name);
        if !column.is_personal() {
            problems.push(
                Diagnostic::error(
                    release.span.clone(),
                    format!("`{name}` is released but not personal"),
                )
                .help("if it holds personal data, add `personal: true`; if not, delete `release:`"),
            );
        }
        let until = &release.until;
        if until.value < today {
            problems.push(
                Diagnostic::error(
                    until.span.clone(),
                    format!("the release of `{name}` ended on {}", until.value),
                )
                .label(format!("today is {today}"))
                .help(format!(
                    "add a step that masks it, or have {} extend the release",
                    short(&release.owner)
                )),
            );
        }
    }
}

/// Exemptions that have ended, or of columns that are declared personal.
pub(super) fn exemptions(manifest: &Manifest, today: NaiveDate, problems: &mut Vec<Diagnostic>) {
    for exemption in &manifest.exemptions {
        let name = short(&exemption.column);
        let until = &exemption.until;
        if until.value < today {
            problems.push(
                Diagnostic::error(
                    until.span.clone(),
                    format!("the exemption of `{name}` ended on {}", until.value),
                )
                .label(format!("today is {today}"))
                .help(format!(
                    "declare the column personal and mask it, or have {} extend the exemption",
                    short(&exemption.owner)
                )),
            );
        }
        let declared = manifest.columns.iter();
        let personal = declared.filter(|column| column.is_personal());
        for column in personal.filter(|column| column.name.value == exemption.column.value) {
            problems.push(
                Diagnostic::error(
                    exemption.column.span.clone(),
                    format!("`{name}` is exempt and personal"),
                )
                .context(column.name.span.clone(), "declared here")
                .help(
                    "delete the exemption; to let a personal column out unmasked, give it a \
                    `release:`",
                ),
            );
        }
    }
}

/// Columns made from personal ones have to say whether they are personal too: the host cannot
/// know what a plugin put into them.
pub(super) fn derived(manifest: &Manifest, problems: &mut Vec<Diagnostic>) {
    let mut flow = Flow::from_source(manifest);
    for step in &manifest.steps {
        let granted = step.granted();
        let raw = granted.iter().find_map(|name| {
            let live = flow.find(name)?;
            live.is_raw().then_some((*name, live.column))
        });
        if let Some((read, column)) = raw {
            for added in step.adds.iter().filter(|a| a.personal.is_none()) {
                problems.push(
                    Diagnostic::error(
                        declared(added),
                        format!(
                            "`{}` may contain personal data: its step reads `{}`",
                            short(&added.name),
                            short(read)
                        ),
                    )
                    .label("declare whether it does")
                    .context(read.span.clone(), "read here, not masked yet")
                    .context(declared(column), "declared personal here")
                    .help("add `personal: true`, or `personal: false` if nothing of the personal column is left in it"),
                );
            }
        }
        flow.apply(step);
    }
}

/// Personal columns that reach the sink with neither mask nor release, and whole.
pub(super) fn stored(manifest: &Manifest, problems: &mut Vec<Diagnostic>) {
    let mut flow = Flow::from_source(manifest);
    for step in &manifest.steps {
        flow.apply(step);
    }
    // What leaves of such a column is the same for k others.
    let gate = manifest.gate.as_ref();
    let generalised = |name: &str| gate.is_some_and(|gate| gate.generalises(name));
    match &manifest.sink.columns {
        Some(names) => {
            for name in names {
                if let Some(live) = flow.find(name)
                    && live.is_raw()
                    && live.column.release.is_none()
                    && !generalised(name)
                {
                    problems.push(unmasked(live.column, name.span.clone(), true));
                }
            }
        }
        None => {
            for live in &flow.live {
                if live.is_raw() && live.column.release.is_none() && !generalised(&live.column.name)
                {
                    problems.push(unmasked(live.column, manifest.sink.span.clone(), false));
                }
            }
        }
    }
}

fn unmasked(column: &Column, sink: Span, listed: bool) -> Diagnostic {
    let name = short(&column.name);
    let message = format!("`{name}` is personal and reaches the sink unmasked");
    let out = if listed {
        "delete it from the sink's `columns:`"
    } else {
        "list the others in the sink's `columns:`"
    };
    let problem = if listed {
        Diagnostic::error(sink, message)
            .label("stored here")
            .context(declared(column), "declared personal here")
    } else {
        Diagnostic::error(declared(column), message)
            .label("declared personal here")
            .context(sink, "stores all columns")
    };
    let mask = format!("add a step that masks it: - {{ mask: redact, masks: [{name}] }}");
    problem
        .help(match column.data_type.value {
            DataType::Opaque => format!("declare it as type: text, and {mask}"),
            _ => mask,
        })
        .note(format!("or do not store it: {out}"))
        .note(format!(
            "or release it: {name}: {{ type: {}, personal: true, release: {{ reason: WHY, owner: \
            WHO, until: YYYY-MM-DD }} }}",
            column.data_type.value
        ))
}
