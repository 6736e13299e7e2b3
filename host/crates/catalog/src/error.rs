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
