//! Text to one query.

use datafusion::sql::sqlparser::ast::{Query, Statement};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use glovebox_core::QueryProblem;

use crate::problem::{helped, offset, problem};

/// The longest query, in bytes.
const MAX_LEN: usize = 64 << 10;
/// How deep expressions and queries may be nested.
const MAX_DEPTH: usize = 50;

/// The one query that the text is.
pub(crate) fn query(text: &str) -> Result<Box<Query>, QueryProblem> {
    if text.len() > MAX_LEN {
        return Err(problem(
            format!("a query has at most {} KiB", MAX_LEN >> 10),
            None,
        ));
    }
    let parser = Parser::new(&GenericDialect {}).with_recursion_limit(MAX_DEPTH);
    let statements = parser
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|error| of_parser(text, &error))?;
    let mut statements = statements.into_iter();
    match (statements.next(), statements.next()) {
        (Some(Statement::Query(query)), None) => Ok(query),
        (None, _) => Err(helped(
            "there is no query here",
            None,
            "write one, like SELECT *, price * quantity AS total FROM rows",
        )),
        (Some(_), Some(_)) => Err(helped(
            "there is more than one statement here",
            None,
            "make them two steps, or one query that reads from another: SELECT … FROM (SELECT … FROM rows)",
        )),
        (Some(_), None) => Err(helped(
            "a query only reads rows; this statement does something else",
            None,
            "begin with SELECT",
        )),
    }
}

fn of_parser(text: &str, error: &ParserError) -> QueryProblem {
    let said = match error {
        ParserError::TokenizerError(said) | ParserError::ParserError(said) => said.as_str(),
        ParserError::RecursionLimitExceeded => {
            return helped(
                format!("this query is nested more than {MAX_DEPTH} deep"),
                None,
                "make it several steps",
            );
        }
    };
    // "Expected: an expression, found: FROM at Line: 1, Column: 8"
    let (said, at) = match said.rsplit_once(" at Line: ") {
        Some((said, place)) => (said, located(text, place)),
        None => (said, None),
    };
    let mut letters = said.chars();
    let said: String = match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => "something else".to_owned(),
    };
    problem(format!("this is not SQL: {said}"), at)
}

/// From `1, Column: 8` to the word that begins there.
fn located(text: &str, place: &str) -> Option<std::ops::Range<usize>> {
    let (line, column) = place.split_once(", Column: ")?;
    let start = offset(
        text,
        line.parse().ok()?,
        column.trim_end_matches('.').parse().ok()?,
    )?;
    let rest = text.get(start..)?;
    let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
    let len = match word.unwrap_or(rest.len()) {
        0 => rest.chars().next().map_or(0, char::len_utf8),
        len => len,
    };
    Some(start..start + len)
}
