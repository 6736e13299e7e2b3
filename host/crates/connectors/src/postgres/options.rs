//! How a PostgreSQL table is written to.

use std::num::NonZero;
use std::time::Duration;

use glovebox_core::{Login, Secret};

use crate::database::{Lenient, Mode};

/// Where the rows go, and as whom.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server and its role. Its wait for a connection is also the longest wait at the beginning
    /// for a server that does not take any, and for a table that another session holds.
    pub login: Login,
    /// The table, or `schema.table`, taken to the letter: names are always quoted.
    pub table: String,
    /// What happens to the rows that the table already holds.
    pub mode: Mode,
    /// The columns that tell rows apart, in mode upsert: the last row of a key is the one that
    /// stays.
    pub keys: Vec<String>,
    /// What the run may take away beside what it brings.
    pub lenient: Lenient,
    /// The schema of the same database in which the run's journal is kept, [`Options::JOURNAL`]
    /// unless said otherwise; created where it is missing.
    pub journal: String,
    /// The key of the journal's digests; none for one that the database makes and keeps.
    pub identity_key: Option<Secret>,
    /// Over how many connections rows go at the most; none for as many as there are cores, up to
    /// four. Where the server allows fewer, it is those.
    pub connections: Option<NonZero<usize>>,
    /// Whether rows arrive in the order of their source, which takes a single connection.
    pub ordered: bool,
    /// How long what passes is tried again once the run has begun, since the last time that it
    /// went well: lost connections, restarts of the server, other sessions in the way.
    pub retry_for: Duration,
}

impl Options {
    /// A wait that spans the restart of a server.
    pub const RETRY_FOR: Duration = Duration::from_secs(60);
    /// The schema of the journal.
    pub const JOURNAL: &str = "glovebox";

    pub(super) fn place(&self) -> String {
        format!("table `{}` in {}", self.table, self.login)
    }
}
