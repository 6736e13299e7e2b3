//! Shared by both database sinks: how existing rows are treated, how names are quoted, how a table
//! that does not fit is described, and which rows are rejected.

pub(crate) mod decimal;
pub(crate) mod journal;
pub(crate) mod runner;
pub(crate) mod set_aside;
pub(crate) mod sift;

use glovebox_core::shown::short_name;
use glovebox_core::{Equality, Schema, SinkError};

/// What happens to the rows that a table already holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// They stay; the run's rows are added, chunk for chunk.
    #[default]
    Append,
    /// They stay; the run's rows are added all at once.
    AppendWhole,
    /// They go, in the same transaction that brings the run's rows: readers see the old rows or
    /// the new ones, never a mixture. The table itself stays, and with it its grants, views and
    /// indexes.
    Replace,
    /// Those with the key of one of the run's rows take its cells; the others stay.
    Upsert,
}

impl Mode {
    /// Whether rows are added to those that are there.
    pub(crate) fn appends(self) -> bool {
        matches!(self, Mode::Append | Mode::AppendWhole)
    }

    /// Whether rows wait in a table of their own until all are there.
    pub(crate) fn stages(self) -> bool {
        self != Mode::Append
    }

    /// Its word in a journal.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Append => "append",
            Mode::AppendWhole => "append-whole",
            Mode::Replace => "replace",
            Mode::Upsert => "upsert",
        }
    }
}

/// What a run may take away beside what it brings; by default nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lenient {
    /// Whether a run without a single row may replace those that are there.
    pub replace_with_nothing: bool,
    /// Whether other tables may change by what hangs on the target: foreign keys that cascade,
    /// triggers and rules on DELETE.
    pub side_effects: bool,
}

/// A row read back as text; null is none.
pub type TextRow = Vec<Option<String>>;

/// `name` as an SQL identifier, in both dialects.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A statement that counts how often each combination of these texts occurs, in both dialects.
pub(crate) fn combinations(texts: &[String], table: &str) -> String {
    let columns = texts.join(", ");
    let places: Vec<String> = (1..=texts.len()).map(|place| place.to_string()).collect();
    format!(
        "SELECT {columns}, count(*) FROM {table} GROUP BY {}",
        places.join(", ")
    )
}

/// Names as an SQL column list.
pub(crate) fn quote_all<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quote).collect::<Vec<_>>().join(", ")
}

/// A name out of a database's catalogue, for people, if it is short and printable.
pub(crate) fn shown(name: &str) -> String {
    match short_name(name) {
        Some(name) => format!("`{name}`"),
        None => "with a name that is not shown".into(),
    }
}

/// A unique index that would refuse rows for what a mask has made of them.
pub(crate) fn collision(column: &str, index: &str) -> String {
    format!(
        "column `{column}` is masked so that different cells may become the same, and the unique index \
         {index} would refuse the second; mask it by `format-preserving`, `encrypt` or `pseudonym`, or \
         drop the index"
    )
}

/// Why a masked column is no key by which an upsert finds a row again.
pub(crate) fn unfit_key(key: &str, equality: Equality) -> Option<String> {
    let would = match equality {
        Equality::Kept => return None,
        Equality::Merges => {
            "different cells may become the same, and an upsert would merge their rows"
        }
        Equality::Splits => {
            "equal cells become different at each run, and an upsert would add their rows again"
        }
    };
    Some(format!(
        "key `{key}` is masked so that {would}; mask it by `format-preserving`, `pseudonym` or `encrypt` \
         with `method: aes-siv`, or choose another key"
    ))
}

/// A table that differs from the run's columns, all differences at once.
pub(crate) fn misfit(place: String, differences: &[String]) -> SinkError {
    let list: String = differences.iter().map(|d| format!("\n  - {d}")).collect();
    let count = match differences.len() {
        1 => "1 difference".into(),
        n => format!("{n} differences"),
    };
    SinkError::Shape {
        place,
        problem: format!(
            "{count}:{list}\nchange the table or the manifest's `sink.columns`, or use another \
            table"
        ),
    }
}

/// What stands in the way of any table of this schema, whatever the database.
pub(crate) fn unusable_names(schema: &Schema) -> Vec<String> {
    let mut found = Vec::new();
    if schema.fields.is_empty() {
        found.push("the run has no columns to store; list some in `sink.columns`".into());
    }
    for field in &schema.fields {
        if field.name.is_empty() || field.name.contains('\0') {
            found.push("a column's name is empty or contains NUL; rename it".into());
        }
    }
    found
}

/// What is said of a journal that only a run may bring up to date.
pub(crate) const EARLIER_VERSION: &str =
    "its journal has an earlier version; the next run into it upgrades the journal";

/// What becomes of a journal of the version before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// It is brought up to date.
    Renew,
    /// It is left as it is, and not read.
    Refuse,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(
            quote(r#"a"; DROP TABLE x; --"#),
            r#""a""; DROP TABLE x; --""#
        );
        assert_eq!(quote_all(["a", "B c"]), r#""a", "B c""#);
    }
}
