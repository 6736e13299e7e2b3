//! Looks at where columns are read from in their source.
//!
//! Refuses what the source has no word for, and two columns of one: the second would be a way
//! around what is said of the first.

use glovebox_core::ReadFrom;

use crate::manifest::block::short;
use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::model::{Column, Manifest, Source, Span};

/// Uses of `from` that cannot be.
pub(super) fn uses(manifest: &Manifest, problems: &mut Vec<Diagnostic>) {
    for column in &manifest.columns {
        if let Some(from) = &column.from
            && let Some((problem, help)) = misplaced(&manifest.source, &from.value)
        {
            problems.push(Diagnostic::error(from.span.clone(), problem).help(help));
        }
    }
    for (i, column) in manifest.columns.iter().enumerate() {
        let mut earlier = manifest.columns.iter().take(i);
        if let Some(first) = earlier.find(|c| place(c) == place(column))
            && (first.from.is_some() || column.from.is_some())
        {
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
                .help("delete one of them: what holds for the one, such as `personal`, would not hold for the other"),
            );
        }
    }
    for column in manifest.steps.iter().flat_map(|s| &s.adds) {
        if let Some(from) = &column.from {
            problems.push(
                Diagnostic::error(
                    from.span.clone(),
                    "a column that a step adds comes from its plugin",
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
            "without a header, columns have no names in the file",
            "write its position, counted from 1, like from: 3",
        )),
        (Source::Csv(_), _) | (Source::Jsonl(_), ReadFrom::Name(_)) => None,
        (Source::Jsonl(_), ReadFrom::Position(_)) => Some((
            "an object's values have no positions",
            "write the key that the value has, like from: unitPrice",
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

/// Where a column is found.
fn place(column: &Column) -> (Option<&str>, Option<usize>) {
    match column.from.as_ref().map(|f| &f.value) {
        None => (Some(&column.name.value), None),
        Some(ReadFrom::Name(name)) => (Some(name), None),
        Some(ReadFrom::Position(position)) => (None, Some(*position)),
    }
}

fn span(column: &Column) -> Span {
    let from = column.from.as_ref().map(|f| f.span.clone());
    from.unwrap_or_else(|| column.name.span.clone())
}
