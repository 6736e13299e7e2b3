//! What a server may meet: a restart without a farewell, a full disk; and what a proxy in front of
//! it needs to stand in for it.

use std::io::Write as _;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use super::machine::owner;
use super::{Postgres, told};

impl Postgres {
    /// Its Unix socket, on which it speaks without TLS.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(format!(".s.PGSQL.{}", self.port))
    }

    /// Its certificate and the key of that, PEM.
    pub fn certificate_paths(&self) -> (PathBuf, PathBuf) {
        (
            self.folder.join("server.pem"),
            self.folder.join("server.key"),
        )
    }

    /// Stops it at once, which breaks all connections and leaves recovery to the next start, and
    /// starts it again. Returns before it takes connections.
    ///
    /// # Errors
    /// When its watchdog is gone.
    pub fn restart_at_once(&self) -> Result<(), String> {
        let mut watchdog = self
            .watchdog
            .as_ref()
            .and_then(|watchdog| watchdog.stdin.as_ref())
            .ok_or("the server's watchdog is gone")?;
        watchdog
            .write_all(b"restart\n")
            .map_err(told("the watchdog"))
    }

    /// Creates a database whose tables lie in a folder, which becomes the server's.
    ///
    /// # Errors
    /// When the folder cannot be made over to the server.
    pub fn database_in(&self, name: &str, folder: &Path) -> Result<String, String> {
        if let Some((user, group)) = owner()? {
            chown(folder, Some(user), Some(group)).map_err(told("the folder's owner"))?;
        }
        let name = self.database(name);
        let folder = folder.display();
        self.query(
            "postgres",
            &format!("CREATE TABLESPACE {name} LOCATION '{folder}'"),
        );
        self.query(
            "postgres",
            &format!("ALTER DATABASE {name} SET TABLESPACE {name}"),
        );
        Ok(name)
    }

    /// Removes what [`Postgres::database_in`] made.
    pub fn drop_database_in(&self, name: &str) {
        self.query("postgres", &format!("DROP DATABASE {name} WITH (FORCE)"));
        self.query("postgres", &format!("DROP TABLESPACE {name}"));
    }
}
