//! Checks `from`: where columns are read from in their source. Two columns may not have the same
//! origin: the second would bypass what is declared for the first.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use glovebox_core::{ReadFrom, path};

use crate::block::short;
use crate::diagnostic::Diagnostic;
use crate::model::{Column, Manifest, Source, Span};

/// Uses of `from` that cannot be.
pub(super) fn uses(manifest: &Manifest, problems: &mut Vec<Diagnostic>) {
    for column in &manifest.columns {
        if let Some(from) = &column.from
            && let Some((problem, help)) = misplaced(&manifest.source, &from.value)
        {
            problems.push(Diagnostic::error(from.span.clone(), problem).help(help));
        }
    }
    let json = manifest.source.nests();
    let place = |column| place(column, json);
    if json {
        within(manifest, problems);
    }
    let mut firsts: HashMap<_, &Column> = HashMap::new();
    for column in &manifest.columns {
        let first = match firsts.entry(place(column)) {
            Entry::Occupied(first) => *first.get(),
            Entry::Vacant(place) => {
                place.insert(column);
                continue;
            }
        };
        if first.from.is_some() || column.from.is_some() {
            problems.push(
                Diagnostic::error(
                    span(column),
                    format!(
                        "`{}` and `{}` are the same column of the source",
                        short(&first.name),
                        short(&column.name)
                    ),
                )
                .label("again here")
                .context(span(first), "first here")
                .help(
                    "delete one of them: what is declared for one, such as `personal`, would \
                      not apply to the other",
                ),
            );
        }
    }
    for column in manifest.steps.iter().flat_map(|s| &s.adds) {
        if let Some(from) = &column.from {
            problems.push(
                Diagnostic::error(
                    from.span.clone(),
                    "a column added by a step comes from its plugin",
                )
                .help("delete `from`"),
            );
        }
    }
}

/// What is wrong with reading from there, and what to write instead.
fn misplaced(source: &Source, from: &ReadFrom) -> Option<(&'static str, &'static str)> {
    match (source, from) {
        (Source::Csv(csv), ReadFrom::Name(_)) if !csv.header => Some((
            "a file without a header has no column names",
            "write its position, counted from 1, like from: 3",
        )),
        (Source::Jsonl(_), ReadFrom::Name(name)) if path::parse(name).is_none() => Some((
            "this is not a path to a key",
            "write keys joined by dots, like from: user.mail; write a dot in a key as \\., a \
            backslash as \\\\",
        )),
        (Source::Csv(_), _) | (Source::Jsonl(_), ReadFrom::Name(_)) => None,
        (Source::Jsonl(_), ReadFrom::Position(_)) => Some((
            "values of an object have no positions",
            "write the key of the value, like from: unitPrice",
        )),
        (Source::Parquet(_), _) => Some((
            "columns of Parquet files are read by their own names",
            "give the column its name in the file, and delete `from`",
        )),
        (Source::Postgres(_), _) => Some((
            "columns of a database are read by their own names",
            "write a query that renames it, like query: SELECT unit_price AS price FROM sales",
        )),
    }
}

/// Personal values within an object that another column holds whole, and is not said to be
/// personal.
fn within(manifest: &Manifest, problems: &mut Vec<Diagnostic>) {
    // Of each object the first personal column that is within it.
    let mut objects: HashMap<Vec<String>, &Column> = HashMap::new();
    for inner in manifest.columns.iter().filter(|c| c.is_personal()) {
        let (mut keys, _) = place(inner, true);
        while keys.pop().is_some() {
            objects.entry(keys.clone()).or_insert(inner);
        }
    }
    for outer in manifest.columns.iter().filter(|c| !c.is_personal()) {
        let (keys, _) = place(outer, true);
        if let Some(inner) = objects.get(&keys) {
            problems.push(
                Diagnostic::error(
                    span(outer),
                    format!(
                        "`{}` contains `{}`, which is personal",
                        short(&outer.name),
                        short(&inner.name)
                    ),
                )
                .label("the whole object")
                .context(span(inner), "a part of it")
                .help("add `personal: true`, or delete one of them"),
            );
        }
    }
}

/// Where a column is found: its keys, one within the other, or its position.
fn place(column: &Column, json: bool) -> (Vec<String>, Option<usize>) {
    match column.from.as_ref().map(|f| &f.value) {
        None => (vec![column.name.value.clone()], None),
        // One that leads nowhere is complained about as that, and is the same as no other.
        Some(ReadFrom::Name(name)) => {
            let keys = path::parse(name).filter(|_| json);
            (keys.unwrap_or_else(|| vec![name.to_string()]), None)
        }
        Some(ReadFrom::Position(position)) => (Vec::new(), Some(*position)),
    }
}

fn span(column: &Column) -> Span {
    let from = column.from.as_ref().map(|f| f.span.clone());
    from.unwrap_or_else(|| column.name.span.clone())
}
