//! A query and where its text was written.

use std::ops::Range;

use super::column::Column;
use crate::load::source::Source;
use crate::span::{Span, Spanned};

/// A query over the rows that reach a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Its text.
    pub text: String,
    /// Where each of its lines begins in the manifest; none where YAML has other words for them, such as
    /// escapes.
    lines: Option<Vec<usize>>,
}

/// A query over all rows, and what it may take.
#[derive(Debug, Clone, PartialEq)]
pub struct Gather {
    /// The query.
    pub query: Query,
    /// The tables that it reads beside the rows, by name.
    pub tables: Vec<(Spanned<String>, Table)>,
    /// What it may take.
    pub room: Room,
}

/// A table that a query reads beside the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Where its rows come from.
    pub source: Source,
    /// Its columns.
    pub columns: Vec<Column>,
}

/// What a query over all rows may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes of memory.
    pub memory: usize,
    /// Bytes on the disk beyond that.
    pub spill: u64,
}

/// Where the manifest does not say.
impl Default for Room {
    fn default() -> Self {
        Room {
            memory: 256 << 20,
            spill: 16 << 30,
        }
    }
}

impl Query {
    /// A query that was written at `span` of the manifest's text.
    pub(crate) fn new(text: String, manifest: &str, span: &Span) -> Self {
        let written = manifest.get(span.clone()).unwrap_or_default();
        let mut after = 0;
        let lines = text.lines().map(|line| {
            let found = written.get(after..)?.find(line)?;
            let begins = after + found;
            after = begins + line.len();
            Some(span.start + begins)
        });
        let lines = lines.collect();
        Query { text, lines }
    }

    /// Bytes of the query's text as a place in the manifest.
    #[must_use]
    pub fn span(&self, at: &Range<usize>) -> Option<Span> {
        let lines = self.lines.as_ref()?;
        let before = self.text.get(..at.start)?;
        let line = before.matches('\n').count();
        let column = at.start - before.rfind('\n').map_or(0, |end| end + 1);
        let rest = self.text.get(at.start..at.end)?;
        // A place is within one line: the first.
        let len = rest.find('\n').unwrap_or(rest.len());
        let start = lines.get(line)? + column;
        Some(start..start + len.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_again_in_plain_and_in_block_text() {
        let plain = "- sql: SELECT prize FROM rows\n";
        let span = 7..plain.len() - 1;
        let query = Query::new("SELECT prize FROM rows".into(), plain, &span);
        assert_eq!(query.span(&(7..12)), Some(14..19));

        let block = "- sql: |\n    SELECT\n      prize\n    FROM rows\n";
        let query = Query::new(
            "SELECT\n  prize\nFROM rows\n".into(),
            block,
            &(7..block.len()),
        );
        let at = query.span(&(9..14)).unwrap();
        assert_eq!(&block[at], "prize");
    }

    #[test]
    fn nothing_is_pointed_at_in_text_that_yaml_spells_otherwise() {
        let quoted = r#"- sql: "SELECT \"a\" FROM rows""#;
        let query = Query::new(r#"SELECT "a" FROM rows"#.into(), quoted, &(7..quoted.len()));
        assert_eq!(query.span(&(7..10)), None);
    }
}
