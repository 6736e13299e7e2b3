//! SQLite's errors in our own words.
//! SQLite's own text is dropped, since it may quote a cell.

use glovebox_core::SinkError;
use sqlx::sqlite::SqliteError;

use crate::database::sift::{FOREIGN_KEY, Refusal};

/// What a refused statement has against one of its rows; none if that is not why.
pub(super) fn of_row(error: &sqlx::Error) -> Option<Refusal> {
    let sqlx::Error::Database(e) = error else {
        return None;
    };
    let code = code(&**e);
    let rule = match code {
        275 => "check",
        787 => FOREIGN_KEY,
        1299 => "not-null",
        1555 | 2067 | 2579 => "unique",
        1811 => "trigger",
        3091 => "type",
        _ => match code & 0xff {
            18 => "too-long",
            19 => "check",
            20 => "type",
            _ => return None,
        },
    };
    Some(Refusal {
        rule,
        message: told(&**e),
        column: None,
    })
}

/// The sink's error for a statement's, told without SQLite's words unless these are names only.
pub(super) fn refusal(error: sqlx::Error, place: &str) -> SinkError {
    let problem = match &error {
        sqlx::Error::Database(e) => told(&**e),
        _ => "the connection broke; run again".into(),
    };
    SinkError::Refused {
        place: place.into(),
        problem,
    }
}

fn told(error: &dyn sqlx::error::DatabaseError) -> String {
    let code = code(error);
    // "UNIQUE constraint failed: sales.id" and its like name columns; a trigger's message may say
    // anything.
    let names = match code {
        1299 | 1555 | 2067 | 3091 => format!(": {}", error.message()),
        _ => String::new(),
    };
    format!("{} (SQLite result {code}{names})", meaning(code))
}

/// Why a file could not be opened.
pub(super) fn opening(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Database(e) => meaning(code(&**e)),
        _ => "the file's name is not UTF-8; rename it",
    }
}

fn code(error: &dyn sqlx::error::DatabaseError) -> i32 {
    error
        .try_downcast_ref::<SqliteError>()
        .and_then(|e| sqlx::error::DatabaseError::code(e)?.parse().ok())
        .unwrap_or(1)
}

/// Result codes of SQLite that a load can meet: extended ones first, then their low byte.
fn meaning(code: i32) -> &'static str {
    match code {
        275 => "a row violates a check of the table; add a validator for the same rule",
        787 => "a row references one that does not exist, or is referenced by another table",
        1299 => "a null where the table allows none; add a validator that requires the column",
        1555 | 2067 | 2579 => {
            "a row with the same key already exists; remove duplicates, or use mode replace"
        }
        1811 => "a trigger of the table refused a row",
        3091 => "a cell does not fit its column's type",
        _ => match code & 0xff {
            5 | 6 => "another program is writing to the file; try again when it is done",
            8 => "the file or its folder is read-only; change its permissions",
            10 => "the disk failed; see the system log",
            11 => "the file is damaged; restore it from a backup",
            13 => "the disk is full; free some space",
            14 => "the file cannot be opened; check its permissions and its folder's",
            18 => "a cell or a row is larger than SQLite allows",
            19 => "a row violates a constraint of the table",
            20 => "a cell does not fit its column's type",
            26 => "the file is not a SQLite database; name another file",
            _ => "SQLite refused",
        },
    }
}
