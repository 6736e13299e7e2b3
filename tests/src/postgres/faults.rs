//! What a server may meet: a restart without a farewell, a full disk; and what a proxy in front of
//! it needs to stand in for it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::certificates::own_certificate;
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

    /// From now on it shows a certificate as PostgreSQL's manual makes it, which is its own authority
    /// and the one that clients are told of: of that common name, and valid until that year.
    ///
    /// # Errors
    /// When it cannot be made, or the server does not take it.
    pub fn show_own_certificate(&self, name: &str, until: i32) -> Result<(), String> {
        let (certificate, key) =
            own_certificate(name, until).map_err(|e| format!("certificates: {e}"))?;
        let (certificate_path, key_path) = self.certificate_paths();
        // Written over, they keep their owners.
        fs::write(certificate_path, &certificate).map_err(told("server.pem"))?;
        fs::write(key_path, key).map_err(told("server.key"))?;
        fs::write(self.ca_path(), certificate).map_err(told("ca.pem"))?;
        let before = self.on_socket("SELECT pg_conf_load_time()")?;
        self.on_socket("SELECT pg_reload_conf()")?;
        while self.on_socket("SELECT pg_conf_load_time()")? == before {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// What a statement yields by the Unix socket, whatever the certificate.
    fn on_socket(&self, sql: &str) -> Result<Vec<u8>, String> {
        let output = self
            .psql_command("postgres")
            .env("PGHOST", &self.folder)
            .env("PGSSLMODE", "disable")
            .args(["--quiet", "--no-align", "--tuples-only", "--command", sql])
            .output()
            .map_err(told("psql"))?;
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
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
