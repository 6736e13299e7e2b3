//! The tables of a journal: as they are created, and as they are recognised.

/// Version of the tables below, kept as a comment on the first.
pub(super) const VERSION: &str = "Glovebox journal, version 3";
/// The version before, and what makes it this one. Runs of it keep no key: their digests are cut.
pub(super) const BEFORE: &str = "Glovebox journal, version 2";
/// The key of all digests, which only those may read who load.
pub(super) const KEY: &str = "key";

/// Names and columns, as they are created and as they are checked.
pub(super) const TABLES: [(&str, &str); 4] = [
    (
        "run",
        "run text PRIMARY KEY, pipeline text NOT NULL, target text NOT NULL, mode text NOT NULL, \
         plan text NOT NULL, source text NOT NULL, state text NOT NULL \
         CHECK (state IN ('running', 'finished', 'abandoned')), epoch bigint NOT NULL, \
         started timestamp with time zone NOT NULL DEFAULT pg_catalog.clock_timestamp(), \
         finished timestamp with time zone, digest bytea, \
         read bigint, stored bigint, filtered bigint, rejected bigint, parts text, key integer, \
         runner text, lines bigint, first_lines bigint, first_digest bytea",
    ),
    (
        "chunk",
        "run text NOT NULL, chunk bigint NOT NULL, first_row bigint NOT NULL, \
         read bigint NOT NULL, stored bigint NOT NULL, filtered bigint NOT NULL, \
         rejected bigint NOT NULL, digest bytea NOT NULL, summary text NOT NULL, lines bigint, \
         upto bytea, PRIMARY KEY (run, chunk)",
    ),
    (
        "reject",
        "run text NOT NULL, chunk bigint NOT NULL, \"row\" bigint NOT NULL, line bigint, \
         violations json NOT NULL, file text",
    ),
    (
        KEY,
        "single boolean PRIMARY KEY DEFAULT true CHECK (single), key bytea NOT NULL",
    ),
];

/// What the journal is found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// There are none.
    Nothing,
    /// Those of the version before.
    Before,
    /// They are as they should be.
    Ready,
}

/// A table as the catalogue has it.
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    pub(super) comment: Option<String>,
    pub(super) writable: bool,
}

/// What these tables are; none if they are no journal that this version keeps.
pub(super) fn state(found: &[Table]) -> Option<Found> {
    let is = |due: &dyn Fn(&str) -> Option<Vec<String>>| {
        let due = TABLES
            .iter()
            .filter_map(|(name, _)| Some((*name, due(name)?)));
        let found = found.iter().map(|t| (t.name.as_str(), t.columns.clone()));
        found.eq(due)
    };
    let run = found.iter().find(|table| table.name == "run");
    match run.and_then(|table| table.comment.as_deref()) {
        Some(VERSION) if is(&|name| Some(shape(name))) => Some(Found::Ready),
        Some(BEFORE) if is(&|name| (name != KEY).then(|| shape_before(name))) => {
            Some(Found::Before)
        }
        _ => None,
    }
}

/// Name and type of each column, as the catalogue writes them.
fn shape(table: &str) -> Vec<String> {
    let columns = TABLES.iter().find(|(name, _)| *name == table);
    columns
        .map(|(_, columns)| *columns)
        .unwrap_or_default()
        .split(", ")
        // What stands in parentheses was cut too; columns begin with a lower-case word or a quote.
        .filter(|part| part.starts_with(|c: char| c.is_ascii_lowercase() || c == '"'))
        .filter_map(|part| {
            let (name, rest) = part.split_once(' ')?;
            let kind = [
                "timestamp with time zone",
                "text",
                "bigint",
                "bytea",
                "json",
                "integer",
                "boolean",
            ]
            .into_iter()
            .find(|kind| rest.starts_with(kind))?;
            Some(format!("{} {kind}", name.trim_matches('"')))
        })
        .collect()
}

/// The same of the version before.
fn shape_before(table: &str) -> Vec<String> {
    let new: &[&str] = match table {
        "run" => &[
            "parts",
            "key",
            "runner",
            "lines",
            "first_lines",
            "first_digest",
        ],
        "chunk" => &["lines", "upto"],
        _ => &[],
    };
    let mut columns = shape(table);
    columns.retain(|column| !new.iter().any(|n| column.split(' ').next() == Some(*n)));
    if table == "run" {
        columns.insert(6, "length bigint".into());
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_read_off_the_statement_that_creates_it() {
        assert_eq!(
            shape("run").join(", "),
            "run text, pipeline text, target text, mode text, plan text, source text, \
             state text, epoch bigint, started timestamp with time zone, \
             finished timestamp with time zone, digest bytea, read bigint, stored bigint, \
             filtered bigint, rejected bigint, parts text, key integer, runner text, \
             lines bigint, first_lines bigint, first_digest bytea"
        );
        assert_eq!(
            shape_before("run").join(", "),
            "run text, pipeline text, target text, mode text, plan text, source text, \
             length bigint, state text, epoch bigint, started timestamp with time zone, \
             finished timestamp with time zone, digest bytea, read bigint, stored bigint, \
             filtered bigint, rejected bigint"
        );
        assert_eq!(shape("key"), ["single boolean", "key bytea"]);
        assert_eq!(
            shape("reject"),
            [
                "run text",
                "chunk bigint",
                "row bigint",
                "line bigint",
                "violations json",
                "file text"
            ]
        );
        assert_eq!((shape("chunk").len(), shape_before("chunk").len()), (11, 9));
    }
}
