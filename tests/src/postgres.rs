//! A real PostgreSQL server for tests: the machine's own binaries, TLS with certificates made on
//! the spot, SCRAM-SHA-256 and nothing else.

mod certificates;
mod client;
mod faults;
pub mod machine;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use certificates::certificates;
use machine::{binaries, owner};

/// The longest wait for the server to take connections.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How often a port that somebody else took in between is replaced by another.
const PORT_ATTEMPTS: usize = 5;
/// Starts the server, waits for standard input to end, stops the server and removes its files. A
/// line on standard input stops it at once, as `pg_ctl stop --mode immediate` does, and starts it.
///
/// Standard input is a pipe of the test process, which the system closes when that process ends,
/// killed or not. `$1` is the folder, `$2` the `postgres` program, the rest its arguments.
const WATCHDOG: &str = r#"
    folder=$1; shift
    "$@" & server=$!
    while read -r _; do
        kill -QUIT "$server"
        wait "$server"
        "$@" & server=$!
    done
    kill -INT "$server"
    wait "$server"
    cd / && rm -rf "$folder"
"#;
const USER: &str = "glovebox";
const FIELD: char = '\u{1f}';
const RECORD: char = '\u{1e}';
const NULL: &str = "\u{1}null";

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    binaries: PathBuf,
    folder: PathBuf,
    port: u16,
    password: String,
    watchdog: Option<Child>,
}

impl Postgres {
    /// The server that all tests of a binary share.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start, with what to do.
    pub fn shared() -> &'static Postgres {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Postgres::start)
    }

    /// A server of one's own, stopped when dropped.
    ///
    /// # Panics
    /// As [`Postgres::shared`].
    pub fn start() -> Postgres {
        Postgres::start_with("")
    }

    /// The same, with lines for its configuration, which win over the harness's own.
    ///
    /// # Panics
    /// As [`Postgres::shared`].
    pub fn start_with(settings: &str) -> Postgres {
        match Postgres::try_start(settings) {
            Ok(server) => server,
            Err(problem) => panic!("cannot start PostgreSQL for tests: {problem}"),
        }
    }

    fn try_start(settings: &str) -> Result<Postgres, String> {
        let binaries = binaries()?;
        let owner = owner()?;
        let folder = tempfile::Builder::new()
            .prefix("glovebox-postgres-")
            .tempdir()
            .map_err(told("a temporary folder"))?
            .keep();
        let password = secret()?;
        let prepared = prepare(&binaries, &folder, owner, &password, settings);
        let mut server = Postgres {
            binaries,
            folder,
            port: 0,
            password,
            watchdog: None,
        };
        prepared?;
        let mut log = String::new();
        for _ in 0..PORT_ATTEMPTS {
            server.launch(owner)?;
            if server.answers() {
                return Ok(server);
            }
            log = server.log();
            if !port_was_taken(&log) {
                break;
            }
            // The server is gone; its watchdog would only remove the folder.
            if let Some(mut watchdog) = server.watchdog.take() {
                let _ = watchdog.kill();
                let _ = watchdog.wait();
            }
        }
        Err(format!("it takes no connections; its log:\n{log}"))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn launch(&mut self, owner: Option<(u32, u32)>) -> Result<(), String> {
        self.port = TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .map_err(told("a free port"))?
            .port();
        let log = File::create(self.folder.join("log")).map_err(told("the log"))?;
        let mut command = Command::new("sh");
        command
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(&self.folder)
            .arg(self.binaries.join("postgres"))
            .arg("-D")
            .arg(self.folder.join("data"))
            .args(["-p", &self.port.to_string()])
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().map_err(told("the log"))?)
            .stderr(log)
            // Ctrl-C in a terminal goes to the test process, and the server ends after it.
            .process_group(0);
        run_as(&mut command, owner);
        self.watchdog = Some(command.spawn().map_err(told("sh"))?);
        Ok(())
    }

    fn answers(&mut self) -> bool {
        let started = Instant::now();
        while started.elapsed() < START_TIMEOUT {
            let up = self
                .psql("postgres", "SELECT 1")
                .is_ok_and(|output| output.status.success());
            if up {
                return true;
            }
            if port_was_taken(&self.log()) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }

    /// A name that the server's certificate bears.
    pub fn host(&self) -> &str {
        "localhost"
    }

    /// The TCP port, on 127.0.0.1 and 127.0.0.2; the certificate is not for the second.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The superuser's name.
    pub fn user(&self) -> &str {
        USER
    }

    /// The superuser's password, new with each server.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The authority that signed the server's certificate.
    pub fn ca_path(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Another authority, of the same name.
    pub fn wrong_ca_path(&self) -> PathBuf {
        self.folder.join("wrong-ca.pem")
    }

    /// Creates a database whose name begins with `name`, and returns its whole name.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn database(&self, name: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("{name}_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.query(
            "postgres",
            &format!("CREATE DATABASE \"{name}\" TEMPLATE template0"),
        );
        name
    }

    /// The rows that `sql` yields in a database, as text; a null is `None`.
    ///
    /// # Panics
    /// When it fails, with what the server said.
    pub fn query(&self, database: &str, sql: &str) -> Vec<Vec<Option<String>>> {
        let output = match self.psql(database, sql) {
            Ok(output) => output,
            Err(e) => panic!("cannot run psql: {e}"),
        };
        assert!(
            output.status.success(),
            "`{sql}` failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8_lossy(&output.stdout);
        let cell = |c: &str| (c != NULL).then(|| c.to_owned());
        // psql ends its output with a line break, whatever the separators.
        text.strip_suffix('\n')
            .unwrap_or(&text)
            .split_terminator(RECORD)
            .map(|record| record.split(FIELD).map(cell).collect())
            .collect()
    }

    /// Whether it takes connections now.
    pub fn is_up(&self, database: &str) -> bool {
        self.psql(database, "SELECT 1")
            .is_ok_and(|output| output.status.success())
    }

    fn psql(&self, database: &str, sql: &str) -> io::Result<Output> {
        self.psql_command(database)
            .args(["--quiet", "--no-align", "--tuples-only"])
            .args(["--pset", &format!("null={NULL}")])
            .args(["--field-separator", &FIELD.to_string()])
            .args(["--record-separator", &RECORD.to_string()])
            .args(["--command", sql])
            .output()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        match self.watchdog.take() {
            Some(mut watchdog) => {
                drop(watchdog.stdin.take());
                let _ = watchdog.wait();
            }
            None => {
                let _ = fs::remove_dir_all(&self.folder);
            }
        }
    }
}

fn port_was_taken(log: &str) -> bool {
    log.contains("could not create any TCP/IP sockets")
}

fn run_as(command: &mut Command, owner: Option<(u32, u32)>) {
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
}

fn prepare(
    binaries: &Path,
    folder: &Path,
    owner: Option<(u32, u32)>,
    password: &str,
    more: &str,
) -> Result<(), String> {
    // Others may look in: psql runs as the test's user, the server as its own.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).map_err(told("the folder"))?;
    certificates(folder).map_err(|e| format!("certificates: {e}"))?;
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o600)))
            .map_err(told(name))
    };
    write("password", password)?;
    if let Some((user, group)) = owner {
        for entry in fs::read_dir(folder).map_err(told("the folder"))?.flatten() {
            chown(entry.path(), Some(user), Some(group)).map_err(told("a file's owner"))?;
        }
        chown(folder, Some(user), Some(group)).map_err(told("the folder's owner"))?;
    }

    let data = folder.join("data");
    let mut initdb = Command::new(binaries.join("initdb"));
    initdb
        .arg("--pgdata")
        .arg(&data)
        .arg("--pwfile")
        .arg(folder.join("password"))
        .args(["--username", USER, "--auth", "scram-sha-256"])
        .args(["--encoding", "UTF8", "--no-locale", "--no-sync"])
        .current_dir(folder)
        .stdin(Stdio::null());
    run_as(&mut initdb, owner);
    let output = initdb.output().map_err(told("initdb"))?;
    if !output.status.success() {
        return Err(format!(
            "initdb failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let settings = format!(
        "listen_addresses = '127.0.0.1,127.0.0.2'\n\
         unix_socket_directories = '{0}'\n\
         ssl = on\n\
         ssl_cert_file = '{0}/server.pem'\n\
         ssl_key_file = '{0}/server.key'\n\
         password_encryption = 'scram-sha-256'\n\
         fsync = off\n\
         max_connections = 50\n",
        folder.display()
    );
    let configuration = data.join("postgresql.conf");
    let defaults = fs::read_to_string(&configuration).map_err(told("postgresql.conf"))?;
    fs::write(&configuration, defaults + &settings + more).map_err(told("postgresql.conf"))?;
    // The socket is for a proxy of ours, which speaks TLS to the program instead.
    let access = "hostssl all all 127.0.0.1/32 scram-sha-256\nlocal all all scram-sha-256\n";
    fs::write(data.join("pg_hba.conf"), access).map_err(told("pg_hba.conf"))
}

/// 32 hexadecimal digits from the system.
fn secret() -> Result<String, String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut random| io::Read::read_exact(&mut random, &mut bytes))
        .map_err(told("/dev/urandom"))?;
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

fn told(what: &str) -> impl Fn(io::Error) -> String + '_ {
    move |e| format!("{what}: {e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_answers_over_tls_and_leaves_nothing_behind() {
        let server = Postgres::start();
        let database = server.database("harness");
        assert_eq!(
            server.query(
                &database,
                "SELECT NULL, '', E'a\\nb', ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            ),
            [[
                None,
                Some(String::new()),
                Some("a\nb".into()),
                Some("t".into())
            ]]
        );
        assert!(server.query(&database, "SELECT 1 WHERE false").is_empty());
        assert_eq!(
            server.query(
                &database,
                "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid \
                 WHERE rolname = current_user"
            ),
            [[Some("t".into())]]
        );

        let (folder, port) = (server.folder.clone(), server.port());
        drop(server);
        assert!(!folder.exists());
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    }
}
