//! Other clients of the server: `psql`, and whatever reads libpq's environment.

use std::process::{Command, Stdio};

use super::{Postgres, USER};

impl Postgres {
    /// Where a database is, as a manifest says it: the keys of a source or sink without its table. The
    /// password is the secret `password`.
    pub fn place(&self, database: &str) -> String {
        format!(
            "host: {}, port: {}, database: {database}, user: {USER}, password: {{ secret: password }}, \
             tls: {{ ca: \"{}\" }}",
            self.host(),
            self.port(),
            self.ca_path().display()
        )
    }

    /// `psql` in a database, without its user's settings; it stops at the first error.
    pub fn psql_command(&self, database: &str) -> Command {
        let mut command = Command::new(self.binaries.join("psql"));
        command
            .args(["--no-psqlrc", "--set", "ON_ERROR_STOP=1"])
            .stdin(Stdio::null());
        self.set_environment(&mut command, database);
        command
    }

    /// Tells a client of libpq where the server is.
    pub fn set_environment(&self, command: &mut Command, database: &str) {
        command
            .env("PGHOST", self.host())
            .env("PGPORT", self.port().to_string())
            .env("PGUSER", USER)
            .env("PGPASSWORD", self.password())
            .env("PGDATABASE", database)
            .env("PGSSLMODE", "verify-full")
            .env("PGSSLROOTCERT", self.ca_path())
            .env("PGCLIENTENCODING", "UTF8");
    }
}
