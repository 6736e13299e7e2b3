//! What a refused read means, told without the server's own words.
//! The message, detail and context of an error are dropped, since they quote cells.

use std::io;

use glovebox_core::{SinkError, SourceError};
use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

use super::super::refusal::Fault;

/// The source's error for a statement's.
pub(super) fn refused(error: sqlx::Error, place: &str) -> SourceError {
    refused_at(error, place, None)
}

/// The same for one that holds the manifest's query behind so many characters: the place in it is
/// told.
pub(super) fn refused_query(error: sqlx::Error, place: &str, before: usize) -> SourceError {
    refused_at(error, place, Some(before))
}

fn refused_at(error: sqlx::Error, place: &str, before: Option<usize>) -> SourceError {
    let place = place.to_owned();
    let kind = match error {
        sqlx::Error::Database(e) => {
            let code = e.code().unwrap_or_default().into_owned();
            let known = meaning(&code);
            // A function of the query chooses its code as it likes, and five characters are a ZIP
            // code.
            let code = if known.is_some() { &*code } else { "unknown" };
            let position = e
                .try_downcast_ref::<PgDatabaseError>()
                .and_then(|e| e.position());
            let at = match (position, before) {
                (Some(PgErrorPosition::Original(n)), Some(before)) if n > before => {
                    format!(", at character {}", n - before)
                }
                _ => String::new(),
            };
            let known = known.unwrap_or("the server refused; see its log");
            return SourceError::Refused {
                place,
                problem: format!("{known} (SQLSTATE {code}{at})"),
            };
        }
        sqlx::Error::Io(e) => e.kind(),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::RowNotFound => {
            return SourceError::Shape {
                place,
                problem: "the server's catalogue differs from PostgreSQL's".into(),
            };
        }
        _ => io::ErrorKind::Other,
    };
    SourceError::Io {
        place,
        problem: io::Error::new(
            kind,
            "the connection was lost, and with it the snapshot; `glovebox run --resume` continues",
        ),
    }
}

/// Bytes that are no rows.
pub(super) fn malformed(place: &str) -> SourceError {
    SourceError::Shape {
        place: place.to_owned(),
        problem: "the server did not send a valid binary COPY of the declared columns; if it is \
                 PostgreSQL, without a proxy in between, please report it"
            .into(),
    }
}

/// A connection's error, which the sink has in common.
pub(super) fn unconnected(fault: Fault) -> SourceError {
    match fault {
        Fault::Passing(error) | Fault::Lasting(error) => match error {
            SinkError::Connect { place, problem } => SourceError::Connect { place, problem },
            other => SourceError::Shape {
                place: "the source".into(),
                problem: other.to_string(),
            },
        },
    }
}

/// Codes of PostgreSQL's appendix A that a reader can meet, and then their classes.
fn meaning(code: &str) -> Option<&'static str> {
    Some(match code {
        "25006" => "the query writes, but a source is read-only; use a query that only reads",
        "40001" => {
            "the standby cancelled the query because of a conflict with its primary; run again, \
            or see hot_standby_feedback"
        }
        "42501" => "the role lacks a privilege on what is read; run: GRANT SELECT ON … TO …",
        "42601" => "the query is not valid SQL for this server",
        "42703" => "the query uses a column that does not exist",
        "42P01" => "the query uses a table that does not exist; give its schema, too",
        "42883" => "the query uses a function or operator that does not exist for these types",
        "53100" => "the server's disk is full",
        "53200" => "the server is out of memory",
        "53300" => "the server has no connection left; try later, or raise max_connections",
        "55P03" => {
            "another session has locked the table; end it (see pg_stat_activity), or run \
        later"
        }
        "57014" => "someone cancelled the statement",
        "57P01" | "57P02" | "57P03" => {
            "the server is shutting down or starting; `glovebox run --resume` continues"
        }
        "25P03" | "25P04" => {
            "the transaction took longer than the server allows; raise transaction_timeout for \
            the role"
        }
        _ => match code.get(..2)? {
            "08" => "the connection failed; run again",
            "21" | "22" => "the query fails on a row; check its casts and divisions",
            "42" => "the query cannot be run",
            "53" => "the server is out of resources",
            "54" => "the query exceeds a limit of the server",
            "57" => "someone ended the session",
            "58" | "XX" => "the server had an internal error; see its log",
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_sentence_or_its_class_or_none() {
        assert!(meaning("42501").is_some_and(|m| m.contains("GRANT SELECT")));
        assert!(meaning("22012").is_some_and(|m| m.contains("fails on a row")));
        assert_eq!(meaning("90210"), None);
        assert_eq!(meaning("é"), None);
    }
}
