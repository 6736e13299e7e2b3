//! What a refused statement means, without the server's own text, and whether retrying can help.
//! The message, detail and context of an error are dropped, since they quote cells
//! (`Key (email)=(…) already exists`, `COPY sales, line 7, column price: "…"`).

use std::io;

use glovebox_core::SinkError;
use sqlx::postgres::PgDatabaseError;

use crate::database::sift::{FOREIGN_KEY, Refusal};

/// An error, and whether the same may go well in a moment.
#[derive(Debug)]
pub(super) enum Fault {
    /// A lost connection, a restart, another session in the way.
    Passing(SinkError),
    /// All else.
    Lasting(SinkError),
}

impl From<SinkError> for Fault {
    fn from(error: SinkError) -> Self {
        Fault::Lasting(error)
    }
}

/// The fault of a statement.
pub(super) fn fault(error: sqlx::Error, place: &str) -> Fault {
    let passing = match &error {
        sqlx::Error::Database(e) => e.code().is_some_and(|code| passes(&code)),
        other => !of_ours(other),
    };
    let error = refusal(error, place);
    if passing {
        Fault::Passing(error)
    } else {
        Fault::Lasting(error)
    }
}

/// Whether an error is that unique key's, or any one's; for statements on the journal only.
pub(super) fn is_duplicate(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(e) if e.code().as_deref() == Some("23505"))
}

/// Whether another session held the lock for too long.
pub(super) fn is_locked_out(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(e) if e.code().as_deref() == Some("55P03"))
}

/// The fault of a statement that makes, or takes hold of, what another session may be making or
/// removing at this moment: it is looked at anew.
pub(super) fn contended(error: sqlx::Error, place: &str) -> Fault {
    let by_another = matches!(&error, sqlx::Error::Database(e) if e.code().is_some_and(|code| {
        // A name in the catalogue, as its unique index or the command says it; a name that is gone;
        // "tuple concurrently updated", which has no code of its own.
        matches!(&*code, "23505" | "42P06" | "42P07" | "42710" | "42P01" | "3F000" | "XX000")
    }));
    if !by_another {
        return fault(error, place);
    }
    Fault::Passing(SinkError::Refused {
        place: place.into(),
        problem: "another session is creating or removing it or its schema right now; run again \
                 when that is done"
            .into(),
    })
}

/// Codes that say nothing against a second attempt.
pub(super) fn passes(code: &str) -> bool {
    code.starts_with("08")
        || matches!(
            code,
            // Shut down, crashed, starting up, idle for too long.
            "57P01" | "57P02" | "57P03" | "57P05" | "25P03"
            // Another session's transaction, and too many sessions.
            | "40001" | "40003" | "40P01" | "53300"
        )
}

/// Errors that no server and no network makes.
fn of_ours(error: &sqlx::Error) -> bool {
    matches!(
        error,
        sqlx::Error::RowNotFound
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::Decode(_)
            | sqlx::Error::Encode(_)
            | sqlx::Error::TypeNotFound { .. }
    )
}

/// The sink's error for a statement's.
fn refusal(error: sqlx::Error, place: &str) -> SinkError {
    let kind = match error {
        sqlx::Error::Database(e) => {
            return SinkError::Refused {
                place: place.into(),
                problem: match e.try_downcast_ref::<PgDatabaseError>() {
                    Some(e) => describe(e),
                    None => "an error without SQLSTATE; see the server's log".into(),
                },
            };
        }
        sqlx::Error::Io(e) => e.kind(),
        other if of_ours(&other) => {
            return SinkError::Internal {
                place: place.into(),
                problem: "the server answered with different columns than requested".into(),
            };
        }
        _ => io::ErrorKind::Other,
    };
    SinkError::Io {
        place: place.into(),
        problem: io::Error::new(
            kind,
            "the connection was lost; what is committed stays, and `glovebox run --resume` \
            continues from there",
        ),
    }
}

/// The server's own sources that check constraints and name them from the catalogue. A trigger
/// may put anything into these fields, a cell too, but cannot say that it is one of these.
const CHECKERS: [&str; 6] = [
    "execMain.c",
    "execIndexing.c",
    "nbtinsert.c",
    "ri_triggers.c",
    // The checks of domains, in a COPY and in a statement.
    "domains.c",
    "execExprInterp.c",
];

/// What a refused statement has against one of its rows; none if that is not why.
pub(super) fn of_row(error: &sqlx::Error) -> Option<Refusal> {
    let sqlx::Error::Database(error) = error else {
        return None;
    };
    let error = error.try_downcast_ref::<PgDatabaseError>()?;
    Some(Refusal {
        rule: rule(error.code())?,
        message: describe(error),
        column: match checked(error) {
            true => error.column().map(str::to_owned),
            false => None,
        },
    })
}

/// The row of a COPY into a table of that name at which it was refused, counted from 0. It is read
/// off words that a cell may stand behind, so it is no more than a hint.
pub(super) fn named_row(error: &sqlx::Error, table: &str) -> Option<usize> {
    let sqlx::Error::Database(error) = error else {
        return None;
    };
    let error = error.try_downcast_ref::<PgDatabaseError>()?;
    // The word for line is the server's language's.
    let copy = error.r#where()?.lines().rev();
    let behind = copy
        .filter_map(|line| line.strip_prefix("COPY ")?.strip_prefix(table))
        .find_map(|rest| rest.strip_prefix(", "))?;
    let digits = behind.find(|c: char| c.is_ascii_digit())?;
    let number = behind.get(digits..)?;
    let number = number.split(|c: char| !c.is_ascii_digit()).next()?;
    number.parse::<usize>().ok()?.checked_sub(1)
}

/// The rule that a row breaks which is refused with that code; none for codes that are not about
/// rows.
fn rule(code: &str) -> Option<&'static str> {
    Some(match code {
        "23502" => "not-null",
        "23503" => FOREIGN_KEY,
        "23505" => "unique",
        "23514" => "check",
        "23P01" => "exclusion",
        "22001" | "54000" => "too-long",
        "22003" | "22008" => "range",
        // The form of the whole, not of a row.
        "22P03" | "22P04" => return None,
        _ => match code.get(..2)? {
            "22" => "type",
            "23" | "44" => "check",
            // PostgreSQL's own classes that say something of the session, the table or the server.
            "00" | "01" | "02" | "03" | "08" | "0A" | "0B" | "0F" | "0L" | "0P" | "0Z" | "10"
            | "20" | "24" | "25" | "26" | "28" | "2B" | "2D" | "2F" | "34" | "3B" | "3D" | "3F"
            | "40" | "42" | "53" | "54" | "55" | "57" | "58" | "72" | "F0" | "HV" | "XX" => {
                return None;
            }
            // A trigger's, which may choose any other.
            _ => "trigger",
        },
    })
}

fn checked(error: &PgDatabaseError) -> bool {
    error.file().is_some_and(|file| CHECKERS.contains(&file))
}

fn describe(error: &PgDatabaseError) -> String {
    // A trigger chooses its code as it likes, and five characters are a ZIP code.
    let code = match error.code() {
        code if exactly(code).is_some() => code,
        code if class(code).is_some() => code.get(..2).unwrap_or_default(),
        _ => "unknown",
    };
    let mut text = format!("{} (SQLSTATE {code}", meaning(error.code()));
    if checked(error) {
        for (what, name) in [
            ("constraint", error.constraint()),
            ("column", error.column()),
            ("table", error.table()),
        ] {
            if let Some(name) = name {
                text.push_str(&format!(", {what} `{name}`"));
            }
        }
    }
    text.push(')');
    text
}

fn meaning(code: &str) -> &'static str {
    exactly(code)
        .or_else(|| class(code))
        .unwrap_or("the server refused; see its log")
}

/// Codes of PostgreSQL's appendix A that a load can meet.
fn exactly(code: &str) -> Option<&'static str> {
    Some(match code {
        "23502" => "a null where the table allows none; add a validator that requires the column",
        "23503" => {
            "a row references one that does not exist, or is referenced by another table; load \
            the other table first, or append instead of replacing"
        }
        "23505" => {
            "a row with the same key already exists; remove duplicates, or use mode replace or \
            upsert"
        }
        "23514" => "a row violates a check of the table; add a validator for the same rule",
        "23P01" => "a row conflicts with another under an exclusion constraint",
        "22001" => "text is too long for the column; add a `length` validator",
        "22003" => "a number is outside the column's range; add a `range` validator",
        "22007" | "22008" => "a date or time is outside the column's range",
        "22021" | "22P05" => "text has a character that the database's encoding lacks; use UTF8",
        "22P03" => "the table's types have changed since they were checked; run again",
        "25006" => "the server is read-only; connect to the primary, not to a standby",
        "25P03" => "the source was silent longer than idle_in_transaction_session_timeout allows",
        "42501" => "the role lacks a privilege; `glovebox check --connect` says which",
        "42P01" => "the table is gone; run again to have it created",
        "42P07" | "42710" => "another session has just created the table; run again",
        "53100" => {
            "the server's disk is full; free space there, then continue with `glovebox run \
            --resume`"
        }
        "53200" => "the server is out of memory",
        "54000" => "a row is larger than PostgreSQL allows",
        "55P03" => {
            "another session has locked the table; end it (see pg_stat_activity), or run \
        later"
        }
        "57014" => "the statement was cancelled, or took longer than statement_timeout allows",
        "57P01" | "57P02" => {
            "the server is shutting down; when it is back, continue with `glovebox run --resume`"
        }
        "40001" | "40P01" => {
            "another session was in the way; when it is done, continue with `glovebox run --resume`"
        }
        "53300" => "the server has no connection left; try later, or raise max_connections",
        "P0001" => "a trigger of the table refused a row",
        _ => return None,
    })
}

/// Its classes, which are the first two characters.
fn class(code: &str) -> Option<&'static str> {
    Some(match code.get(..2)? {
        "08" => "the connection failed; run again",
        "22" => "a cell does not fit its column",
        "23" => "a row violates a constraint of the table",
        "42" => "the table has changed since it was checked; run again",
        "53" => "the server is out of resources",
        "58" | "XX" => "the server had an internal error; see its log",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_code_still_gets_its_class() {
        assert_eq!(meaning("22ZZZ"), "a cell does not fit its column");
        assert_eq!(meaning("99999"), "the server refused; see its log");
    }

    #[test]
    fn codes_about_rows_have_a_rule_and_others_have_none() {
        for (code, rule_of) in [
            ("23505", Some("unique")),
            ("23P01", Some("exclusion")),
            ("22P02", Some("type")),
            ("P0001", Some("trigger")),
            ("ZIP42", Some("trigger")),
            ("22P04", None),
            ("42P01", None),
            ("42883", None),
            ("53100", None),
            ("57014", None),
            ("25006", None),
        ] {
            assert_eq!(rule(code), rule_of, "{code}");
        }
    }

    #[test]
    fn a_lost_connection_passes_and_a_broken_rule_does_not() {
        let lost = sqlx::Error::Io(io::ErrorKind::ConnectionReset.into());
        assert!(matches!(
            fault(lost, "t"),
            Fault::Passing(SinkError::Io { .. })
        ));
        assert!(matches!(
            fault(sqlx::Error::RowNotFound, "t"),
            Fault::Lasting(SinkError::Internal { .. })
        ));
        for code in ["08006", "57P01", "57P03", "40P01", "40001", "53300"] {
            assert!(passes(code), "{code}");
        }
        for code in ["53100", "42501", "22003", "23505", "57014", "3D000"] {
            assert!(!passes(code), "{code}");
        }
    }
}
