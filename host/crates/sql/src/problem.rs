//! What is said of a query that cannot be planned: our sentences where a mistake is common, else the
//! planner's first one. Nothing here runs once rows are there.

use std::ops::Range;

use datafusion::common::{Column, DataFusionError, Location, SchemaError, Span};
use glovebox_core::QueryProblem;
use strsim::damerau_levenshtein;

/// The most names that are listed.
const LISTED: usize = 12;

pub(crate) fn problem(message: impl Into<String>, at: Option<Range<usize>>) -> QueryProblem {
    QueryProblem {
        message: message.into(),
        help: None,
        at,
    }
}

pub(crate) fn helped(
    message: impl Into<String>,
    at: Option<Range<usize>>,
    help: impl Into<String>,
) -> QueryProblem {
    QueryProblem {
        help: Some(help.into()),
        ..problem(message, at)
    }
}

/// A place as the parser counts, lines and characters from 1, in bytes of the text.
pub(crate) fn offset(text: &str, line: u64, column: u64) -> Option<usize> {
    let nth = |n: u64| usize::try_from(n.checked_sub(1)?).ok();
    let mut begins = 0;
    for (i, found) in text.split_inclusive('\n').enumerate() {
        if i == nth(line)? {
            let within = found.char_indices().nth(nth(column)?);
            return Some(begins + within.map_or(found.len(), |(at, _)| at));
        }
        begins += found.len();
    }
    None
}

/// A place of the parser's in the text; none where it knows none.
pub(crate) fn place(text: &str, span: &Span) -> Option<Range<usize>> {
    let at = |location: &Location| offset(text, location.line, location.column);
    let (start, end) = (at(&span.start)?, at(&span.end)?);
    (start < end).then_some(start..end)
}

/// What the planner says, before a row is there.
pub(crate) fn of_planner(text: &str, error: &DataFusionError) -> QueryProblem {
    match error {
        DataFusionError::Diagnostic(diagnostic, inner) => {
            let said = of_planner(text, inner);
            let at = diagnostic.span.as_ref().and_then(|span| place(text, span));
            QueryProblem {
                at: at.or(said.at.clone()),
                ..said
            }
        }
        DataFusionError::Context(_, inner) => of_planner(text, inner),
        DataFusionError::Collection(errors) => match errors.first() {
            Some(first) => of_planner(text, first),
            None => problem("this query cannot be planned", None),
        },
        DataFusionError::Shared(inner) => of_planner(text, inner),
        DataFusionError::SchemaError(schema, _) => of_schema(text, schema),
        other => problem(sentence(&other.strip_backtrace()), None),
    }
}

fn of_schema(text: &str, error: &SchemaError) -> QueryProblem {
    match error {
        SchemaError::FieldNotFound {
            field,
            valid_fields,
        } => {
            let names: Vec<&str> = valid_fields.iter().map(|c| c.name.as_str()).collect();
            unknown_column(&field.name, &names, of_column(text, field))
        }
        SchemaError::AmbiguousReference { field } if joins(text) => helped(
            format!("`{}` is the name of more than one column here", field.name),
            of_column(text, field),
            format!("say of which table, like rows.{}", field.name),
        ),
        // Of one table only the query itself can have named two columns alike.
        SchemaError::AmbiguousReference { field } => twice(&field.name),
        SchemaError::DuplicateQualifiedField { name, .. }
        | SchemaError::DuplicateUnqualifiedField { name } => twice(name),
    }
}

/// Whether it may have a join, which the planner's error does not say.
fn joins(text: &str) -> bool {
    text.to_lowercase().contains("join")
}

/// Two columns of one name.
pub(crate) fn twice(name: &str) -> QueryProblem {
    helped(
        format!("two columns would be called `{name}`"),
        None,
        format!(
            "give one another name with AS; to put one in the place of the other, write SELECT * REPLACE (… AS {name}) \
             FROM rows"
        ),
    )
}

pub(crate) fn no_column(name: &str) -> String {
    format!("there is no column `{name}` here")
}

pub(crate) fn unknown_column(name: &str, names: &[&str], at: Option<Range<usize>>) -> QueryProblem {
    let message = no_column(name);
    match closest(name, names.iter().copied()) {
        Some(near) => helped(message, at, format!("did you mean `{near}`?")),
        None => helped(
            message,
            at,
            format!("the columns here are: {}", list(names)),
        ),
    }
}

fn of_column(text: &str, column: &Column) -> Option<Range<usize>> {
    column.spans().first().and_then(|span| place(text, &span))
}

pub(crate) fn list(names: &[&str]) -> String {
    let mut shown: Vec<String> = names.iter().take(LISTED).map(|n| (*n).to_owned()).collect();
    if names.len() > LISTED {
        shown.push(format!("and {} more", names.len() - LISTED));
    }
    shown.join(", ")
}

/// What was probably meant by a name that is not there.
pub(crate) fn closest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let lower = name.to_lowercase();
    let near = names.map(|n| (damerau_levenshtein(&lower, &n.to_lowercase()), n));
    let (distance, near) = near.min()?;
    (distance <= name.chars().count() / 3).then_some(near)
}

/// Types as the planner calls them, and as manifests do.
const TYPES: &[(&str, &str)] = &[
    ("Utf8View", "text"),
    ("Utf8", "text"),
    ("Int64", "int64"),
    ("Float64", "float64"),
    ("Date32", "date"),
    ("Decimal128", "decimal"),
    ("Timestamp(µs, \"UTC\")", "timestamp"),
    ("Boolean", "boolean"),
    ("Binary", "bytes"),
];

/// The planner's own words without its class of errors before them.
fn sentence(message: &str) -> String {
    const CLASSES: &[&str] = &[
        "Error during planning: ",
        "SQL error: ",
        "This feature is not implemented: ",
        "Schema error: ",
        "Execution error: ",
        "Arrow error: ",
        "External error: ",
    ];
    let mut message = message.trim();
    while let Some(rest) = CLASSES.iter().find_map(|class| message.strip_prefix(class)) {
        message = rest;
    }
    // Of several lines the last says what is wrong.
    let mut lines = message.lines();
    let first = lines.next().unwrap_or_default();
    let line = match lines.next_back() {
        Some(last) => format!("{first} {}", last.trim()),
        None => first.to_owned(),
    };
    let line = line.as_str();
    let line = line.split(" No function matches").next().unwrap_or(line);
    if line.starts_with("Physical plan does not support")
        || line.starts_with("physical plan does not")
    {
        return "a part of this query cannot be computed: IN (SELECT …) and EXISTS are for WHERE, and each SELECT within an \
                expression is for one row"
            .to_owned();
    }
    if line.starts_with("Cannot create filter with non-boolean") {
        return "WHERE needs a condition, something that is true or false".to_owned();
    }
    let line = TYPES.iter().fold(line.to_owned(), |line, (arrow, ours)| {
        line.replace(arrow, ours)
    });
    let mut letters = line.trim_end_matches('.').chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => "this query cannot be planned".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_characters_and_told_in_bytes() {
        let text = "SELECT é,\n  naïve FROM rows";
        assert_eq!(offset(text, 1, 8), Some(7));
        assert_eq!(offset(text, 1, 9), Some(9));
        assert_eq!(offset(text, 2, 3), text.find("naïve"));
        assert_eq!(offset(text, 9, 1), None);
    }
}
