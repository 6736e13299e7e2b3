//! Checks a table against its declaration, using the database's catalogue; no row is read.

use glovebox_core::DataType;

use super::Table;

/// How a table is not what is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// It is not there, or not for this user.
    NoTable,
    /// A column, by place, is not there.
    NoColumn(usize),
    /// A column, by place, may not be read by this user.
    Hidden(usize),
    /// A column, by place, is of a type that cannot be read as what is declared.
    OtherType {
        /// Which.
        column: usize,
        /// What the database calls its type.
        found: String,
    },
}

/// A column as its database knows it.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) name: String,
    /// Its type; of a domain, the one below it.
    pub(super) data_type: String,
    pub(super) readable: bool,
    /// What a text has to become to be compared with its cells, of a type of PostgreSQL's that is no text.
    pub(super) cast: Option<String>,
}

/// The columns of a table of PostgreSQL's.
pub(super) const POSTGRES: &str = "\
SELECT a.attname::text, coalesce(b.typname, t.typname)::text, \
       has_column_privilege(c.oid, a.attnum, 'SELECT'), \
       CASE t.typcategory WHEN 'S' THEN NULL ELSE a.atttypid::regtype::text END \
FROM pg_class c \
JOIN pg_attribute a ON a.attrelid = c.oid \
JOIN pg_type t ON t.oid = a.atttypid \
LEFT JOIN pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype \
WHERE c.oid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped";

/// The columns of a table of SQLite's.
pub(super) const SQLITE: &str = "SELECT name, type FROM pragma_table_xinfo($1)";

pub(super) fn differences(
    table: &Table,
    found: &[Found],
    same: fn(&str, &str) -> bool,
    fits: fn(&str, DataType) -> bool,
) -> Vec<Difference> {
    if found.is_empty() {
        return vec![Difference::NoTable];
    }
    let columns = table.columns.iter().enumerate();
    columns
        .filter_map(|(place, column)| {
            let Some(there) = found.iter().find(|f| same(&f.name, &column.name)) else {
                return Some(Difference::NoColumn(place));
            };
            if !there.readable {
                return Some(Difference::Hidden(place));
            }
            (!fits(&there.data_type, column.data_type)).then(|| Difference::OtherType {
                column: place,
                found: shown(&there.data_type),
            })
        })
        .collect()
}

/// A type's name, if it can be no more than that.
fn shown(data_type: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_(), ".contains(c);
    match data_type {
        "" => "a column without a type".into(),
        name if name.len() <= 63 && name.chars().all(plain) => format!("`{name}`"),
        _ => "another type".into(),
    }
}

pub(super) fn is_in_postgres(name: &str, declared: &str) -> bool {
    name == declared
}

pub(super) fn fits_postgres(found: &str, declared: DataType) -> bool {
    const WHOLE: [&str; 3] = ["int2", "int4", "int8"];
    const FLOAT: [&str; 2] = ["float4", "float8"];
    match declared {
        DataType::Boolean => found == "bool",
        DataType::Int64 => WHOLE.contains(&found),
        DataType::Float64 => FLOAT.contains(&found) || WHOLE.contains(&found),
        DataType::Decimal { .. } => found == "numeric" || WHOLE.contains(&found),
        DataType::Bytes => found == "bytea",
        DataType::Date => found == "date",
        DataType::Timestamp => ["timestamptz", "timestamp"].contains(&found),
        // What has no type of ours is read as text.
        DataType::Text => ![
            "bool",
            "int2",
            "int4",
            "int8",
            "float4",
            "float8",
            "numeric",
            "bytea",
            "date",
            "timestamptz",
            "timestamp",
        ]
        .contains(&found),
        DataType::Opaque => false,
    }
}

pub(super) fn is_in_sqlite(name: &str, declared: &str) -> bool {
    name.eq_ignore_ascii_case(declared)
}

/// What SQLite makes of cells in a column of that type (its manual, "Datatypes In SQLite", section
/// 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Affinity {
    Integer,
    Text,
    Blob,
    Real,
    Numeric,
}

fn affinity(found: &str) -> Affinity {
    let found = found.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| found.contains(word));
    if has(&["INT"]) {
        Affinity::Integer
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        Affinity::Text
    } else if found.is_empty() || has(&["BLOB"]) {
        Affinity::Blob
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        Affinity::Real
    } else {
        Affinity::Numeric
    }
}

/// Columns that keep cells as they are, or that are named after what SQLite does not know, may hold
/// anything; only what contradicts is said.
pub(super) fn fits_sqlite(found: &str, declared: DataType) -> bool {
    let affinity = affinity(found);
    match declared {
        DataType::Boolean | DataType::Int64 => {
            ![Affinity::Text, Affinity::Real].contains(&affinity)
        }
        DataType::Float64 => affinity != Affinity::Text,
        DataType::Text | DataType::Decimal { .. } | DataType::Date | DataType::Timestamp => {
            ![Affinity::Integer, Affinity::Real].contains(&affinity)
        }
        DataType::Bytes => ![Affinity::Integer, Affinity::Real, Affinity::Text].contains(&affinity),
        DataType::Opaque => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Column, Key};
    use super::*;

    #[test]
    fn what_differs_is_said_by_place() {
        let column = |name: &str, data_type| Column {
            name: name.into(),
            data_type,
            not_null: false,
        };
        let table = Table {
            schema: None,
            name: "t".into(),
            columns: vec![
                column("id", DataType::Int64),
                column("note", DataType::Text),
                column("price", DataType::Float64),
                column("gone", DataType::Text),
            ],
            key: Key::RowId,
        };
        let found = |name: &str, data_type: &str| Found {
            name: name.into(),
            data_type: data_type.into(),
            readable: name != "note",
            cast: None,
        };
        let there = [
            found("id", "int4"),
            found("note", "text"),
            found("price", "text"),
        ];
        let differ = |there: &[Found]| differences(&table, there, is_in_postgres, fits_postgres);
        assert_eq!(
            differ(&there),
            [
                Difference::Hidden(1),
                Difference::OtherType {
                    column: 2,
                    found: "`text`".into()
                },
                Difference::NoColumn(3),
            ]
        );
        assert_eq!(differ(&[]), [Difference::NoTable]);
        assert_eq!(shown("a\u{1b}[31m"), "another type");
    }

    #[test]
    fn only_what_contradicts_is_said_of_sqlite() {
        let decimal = DataType::Decimal {
            precision: 9,
            scale: 2,
        };
        for (found, declared, fits) in [
            ("VARCHAR(100)", DataType::Text, true),
            ("DATETIME", DataType::Timestamp, true),
            ("", DataType::Bytes, true),
            ("INTEGER", DataType::Boolean, true),
            ("REAL", DataType::Float64, true),
            ("DECIMAL(9,2)", decimal, true),
            ("TEXT", DataType::Int64, false),
            ("bigint", DataType::Text, false),
            ("REAL", DataType::Int64, false),
            ("TEXT", DataType::Float64, false),
            ("FLOAT", decimal, false),
            ("TEXT", DataType::Bytes, false),
        ] {
            assert_eq!(fits_sqlite(found, declared), fits, "{found} as {declared}");
        }
    }
}
