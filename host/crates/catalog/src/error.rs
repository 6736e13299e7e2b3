//! Errors of the catalog.

/// What the catalog's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the catalog did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached or used.
    #[error("the catalog in {place} cannot be used: {problem}")]
    Place {
        /// Where it is.
        place: String,
        /// What is wrong, and what to do.
        problem: String,
        /// Whether it may pass by itself: the database is away, starts, or has no connection to spare.
        passing: bool,
    },
    /// A statement failed.
    #[error("the catalog's database failed: {0}")]
    Database(String),
    /// A name or a list of roles is not well formed.
    #[error("{0}")]
    Malformed(&'static str),
    /// A user of that name is there already.
    #[error("a user of that name already exists; `glovebox user list` shows all")]
    Taken,
    /// Passwords are being checked by as many as may wait.
    #[error("too many logins at once; try again in a moment")]
    Busy,
    /// Hashing failed, or the operating system provided no random bytes.
    #[error("{0}")]
    Crypto(&'static str),
}

impl Error {
    /// Whether it may pass by itself.
    pub fn is_passing(&self) -> bool {
        matches!(self, Error::Place { passing: true, .. })
    }
}

/// Whether a database may answer differently in a moment: it is away, starts or ends, has no connection to
/// spare, or a lock was held for too long.
pub(crate) fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Io(error) => error.kind() != std::io::ErrorKind::NotFound,
        // Of PostgreSQL; 5 is SQLite's, of a file that others write.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code.starts_with("08")
                || matches!(
                    &*code,
                    "57P01" | "57P02" | "57P03" | "53300" | "55P03" | "40P01" | "5"
                )
        }),
        _ => false,
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        // A database's own message may quote what was bound.
        Error::Database(match error {
            sqlx::Error::Database(e) => match e.code() {
                Some(code) => format!("it refused a statement (code {code})"),
                None => "it refused a statement".into(),
            },
            sqlx::Error::PoolTimedOut => "no connection was free in time".into(),
            sqlx::Error::Io(e) => e.to_string(),
            _ => "the connection broke, or the server sent an unexpected answer".into(),
        })
    }
}
