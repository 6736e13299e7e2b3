//! Rows into a PostgreSQL table by binary COPY, over TLS, in one transaction a run.
//!
//! Owns the sink's life from connecting to committing; refuses connections that are not verified,
//! rows after an error, and a commit whose outcome it does not know being called a failure.

mod connect;
mod copy;
mod head;
mod numeric;
mod refusal;
mod session;
mod table;
mod types;

use std::path::PathBuf;
use std::time::Duration;

use glovebox_core::{Encoded, Encoder, Payload, Schema, Secret, SinkError};

pub use crate::database::Mode;
pub use head::head;
use session::Session;

/// Where the rows go, and as whom.
#[derive(Debug, Clone)]
pub struct Options {
    /// A host name or an IP address; the server's certificate must bear it.
    pub host: String,
    /// The TCP port, [`Options::PORT`] unless said otherwise.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The role.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// How the server proves who it is.
    pub tls: Tls,
    /// The table, or `schema.table`, taken to the letter: names are always quoted.
    pub table: String,
    /// What happens to the rows that the table already holds.
    pub mode: Mode,
    /// The longest wait for a connection, from the name's resolution to the password's check; and
    /// the longest wait for a table that another session holds.
    pub connect_timeout: Duration,
}

impl Options {
    /// PostgreSQL's port.
    pub const PORT: u16 = 5432;
    /// A wait that spans a slow network and a busy server.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

    fn server(&self) -> String {
        format!(
            "PostgreSQL database `{}` at {}:{}",
            self.database, self.host, self.port
        )
    }

    fn place(&self) -> String {
        format!("table `{}` in {}", self.table, self.server())
    }
}

/// Server verification. There is no way to turn it off.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// A PEM file with the certificates of the authorities to trust, besides the built-in public
    /// ones (Mozilla's); none for these alone.
    pub ca: Option<PathBuf>,
}

/// A PostgreSQL table as a sink.
///
/// It blocks on a runtime of its own, so it may not be used from within an async task.
pub struct Sink {
    options: Options,
    session: Option<Session>,
    columns: Vec<copy::Column>,
}

impl Sink {
    /// A sink that has not connected yet.
    pub fn new(options: Options) -> Self {
        Sink {
            options,
            session: None,
            columns: Vec::new(),
        }
    }

    fn internal(&self, problem: &str) -> SinkError {
        SinkError::Internal {
            place: self.options.place(),
            problem: problem.into(),
        }
    }
}

impl glovebox_core::Sink for Sink {
    fn describe(&self) -> String {
        self.options.place()
    }

    fn probe(&mut self, schema: &Schema) -> Result<(), SinkError> {
        Session::start(&self.options)?.probe(&self.options, schema)
    }

    fn open(&mut self, schema: &Schema) -> Result<(), SinkError> {
        self.abort();
        let mut session = Session::start(&self.options)?;
        match session.begin(&self.options, schema) {
            Ok(columns) => {
                self.columns = columns;
                self.session = Some(session);
                Ok(())
            }
            Err(e) => {
                session.rollback();
                Err(e)
            }
        }
    }

    fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(copy::CopyEncoder::new(
            self.options.place(),
            self.columns.clone(),
        ))
    }

    fn write(&mut self, encoded: Encoded) -> Result<(), SinkError> {
        let bytes = match encoded.payload {
            Payload::Bytes(bytes) => bytes,
            Payload::Empty => return Ok(()),
            Payload::Batches(_) => return Err(self.internal("COPY takes bytes, not columns")),
        };
        // Taken, and given back only on success: after an error nothing may be committed.
        let Some(mut session) = self.session.take() else {
            return Err(self.internal("written to while no run is open"));
        };
        match session.push(bytes) {
            Ok(()) => {
                self.session = Some(session);
                Ok(())
            }
            Err(e) => {
                session.rollback();
                Err(e)
            }
        }
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        match self.session.take() {
            Some(session) => session.commit(),
            None => Err(self.internal("committed while no run is open")),
        }
    }

    fn abort(&mut self) {
        if let Some(session) = self.session.take() {
            session.rollback();
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        glovebox_core::Sink::abort(self);
    }
}
