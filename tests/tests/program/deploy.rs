//! What docker-compose.yml puts together, without an engine for containers: the very scripts and
//! configurations, against this machine's own PostgreSQL.

use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use glovebox_tests::http;
use glovebox_tests::pipeline::{Pipeline, program};
use glovebox_tests::postgres::machine;
use serde_json::Value;

pub(super) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

fn shipped(name: &str) -> String {
    fs::read_to_string(repository().join(name)).unwrap()
}

pub(super) fn succeeded(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// One of the two servers, configured as in docker-compose.yml.
pub(super) struct Database {
    name: &'static str,
    database: &'static str,
    made: PathBuf,
    folder: PathBuf,
    pub(super) port: u16,
    process: Child,
}

impl Database {
    /// As the image's entry point does on its first start: initdb, a server, the database, the
    /// script.
    pub(super) fn start(
        name: &'static str,
        database: &'static str,
        made: &Path,
        work: &Path,
    ) -> Database {
        let (binaries, owner) = (machine::binaries().unwrap(), machine::owner().unwrap());
        let folder = work.join(name);
        fs::create_dir(&folder).unwrap();
        let tls = made.join(name);
        let settings = shipped("deploy/postgresql.conf")
            .replace("'/tls/", &format!("'{}/", tls.display()))
            .replace("listen_addresses = '*'", "listen_addresses = '127.0.0.1'");
        let (settings_file, hba_file) =
            (folder.join("postgresql.conf"), folder.join("pg_hba.conf"));
        fs::write(&settings_file, settings).unwrap();
        fs::write(&hba_file, shipped("deploy/pg_hba.conf")).unwrap();
        if let Some((user, group)) = owner {
            // The files too: under a strict umask they are for who wrote them only.
            for place in [&folder, &settings_file, &hba_file] {
                chown(place, Some(user), Some(group)).unwrap();
            }
        }
        let as_owner = |program: &str| {
            let mut command = Command::new(binaries.join(program));
            command.current_dir(&folder).stdin(Stdio::null());
            if let Some((user, group)) = owner {
                command.uid(user).gid(group);
            }
            command
        };
        let mut initdb = as_owner("initdb");
        initdb
            .args([
                "--auth=scram-sha-256",
                "--username=postgres",
                "--no-sync",
                "-D",
                "data",
            ])
            .arg("--pwfile")
            .arg(tls.join("superuser"));
        succeeded(&initdb.output().unwrap());
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let log = File::create(work.join(format!("{name}.log"))).unwrap();
        let process = as_owner("postgres")
            .args(["-D", "data", "-c", "fsync=off", "-p", &port.to_string()])
            .arg("-k")
            .arg(&folder)
            .arg("-c")
            .arg(format!("config_file={}/postgresql.conf", folder.display()))
            .arg("-c")
            .arg(format!("hba_file={}/pg_hba.conf", folder.display()))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Database {
            name,
            database,
            made: made.to_owned(),
            folder,
            port,
            process,
        };
        let started = Instant::now();
        while !server.local("postgres", "SELECT 1").status.success() {
            let log = fs::read_to_string(work.join(format!("{name}.log")));
            assert!(started.elapsed() < Duration::from_secs(60), "{log:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
        succeeded(&server.local("postgres", &format!("CREATE DATABASE {database}")));
        let script = Command::new("sh")
            .arg(repository().join(format!("deploy/{name}.sh")))
            .env("POSTGRES_USER", "postgres")
            .env("POSTGRES_DB", database)
            .env("PGHOST", &server.folder)
            .env("PGPORT", port.to_string())
            .env("PGPASSWORD", server.password("superuser"))
            .env("TLS", &tls)
            .env("DATA", repository().join("data"))
            .output();
        succeeded(&script.unwrap());
        server
    }

    pub(super) fn password(&self, role: &str) -> String {
        fs::read_to_string(self.made.join(self.name).join(role)).unwrap()
    }

    fn psql(
        &self,
        host: &Path,
        user: &str,
        password: &str,
        mode: &str,
        database: &str,
        sql: &str,
    ) -> Output {
        Command::new(machine::binaries().unwrap().join("psql"))
            .args([
                "--no-psqlrc",
                "--tuples-only",
                "--no-align",
                "--command",
                sql,
            ])
            .env("PGHOST", host)
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", user)
            .env("PGPASSWORD", password)
            .env("PGDATABASE", database)
            .env("PGSSLMODE", mode)
            .env("PGSSLROOTCERT", self.made.join("ca/ca.pem"))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// By the socket, as the superuser.
    pub(super) fn local(&self, database: &str, sql: &str) -> Output {
        self.psql(
            &self.folder,
            "postgres",
            &self.password("superuser"),
            "prefer",
            database,
            sql,
        )
    }

    /// The certificate that it shows.
    pub(super) fn certificate(&self) -> String {
        let shown = Command::new("openssl")
            .args(["s_client", "-starttls", "postgres", "-connect"])
            .arg(format!("localhost:{}", self.port))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        let (_, from) = shown.split_once("-----BEGIN CERTIFICATE-----").unwrap();
        from.split_once("-----END").unwrap().0.to_owned()
    }

    pub(super) fn reload(&self) {
        let signal = Command::new("kill")
            .args(["-HUP", &self.process.id().to_string()])
            .status();
        assert!(signal.unwrap().success());
    }

    /// By the network.
    pub(super) fn remote(&self, user: &str, password: &str, mode: &str, sql: &str) -> Output {
        self.psql(
            Path::new("localhost"),
            user,
            password,
            mode,
            self.database,
            sql,
        )
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // INT is PostgreSQL's fast shutdown; a kill would leave its shared memory.
        let _ = Command::new("kill")
            .args(["-INT", &self.process.id().to_string()])
            .status();
        let _ = self.process.wait();
    }
}

/// Certificates and secrets by `init.sh`, for the user that the servers run as here.
pub(super) fn init(made: &Path) {
    let _ = init_with(made, &[]);
}

pub(super) fn init_with(made: &Path, flags: &[&str]) -> String {
    let mut init = Command::new("sh");
    init.arg(repository().join("deploy/init.sh"))
        .args(flags)
        .arg(made);
    let us = succeeded(&Command::new("id").arg("-u").output().unwrap());
    init.env("GLOVEBOX_UID", us.trim());
    if let Some((user, _)) = machine::owner().unwrap() {
        init.env("POSTGRES_UID", user.to_string());
    }
    succeeded(&init.output().unwrap())
}

/// Does something while the secrets of these services alone are there, as in a container.
fn seeing<T>(made: &Path, services: &[&str], work: impl FnOnce() -> T) -> T {
    let hidden: Vec<_> = ["load", "api", "audit", "admin", "authority"]
        .into_iter()
        .filter(|name| !services.contains(name))
        .collect();
    let away = |name: &str| made.join(format!("{name}.hidden"));
    for name in &hidden {
        fs::rename(made.join(name), away(name)).unwrap();
    }
    let done = work();
    for name in &hidden {
        fs::rename(away(name), made.join(name)).unwrap();
    }
    done
}

/// A folder that the servers' user may look into.
pub(super) fn open_folder(pipeline: &Pipeline, name: &str) -> PathBuf {
    let path = pipeline.path(name);
    fs::create_dir(&path).unwrap();
    for folder in [pipeline.folder(), path.as_path()] {
        fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    }
    path
}

#[test]
fn what_compose_puts_together_works_together() {
    let pipeline = Pipeline::empty();
    let made = open_folder(&pipeline, "made");
    let work = open_folder(&pipeline, "work");
    init(&made);
    let source = Database::start("source", "shop", &made, &work);
    let destination = Database::start("destination", "warehouse", &made, &work);

    // TLS 1.3 and SCRAM, and nothing less.
    let extractor = source.password("extractor");
    let session = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let over_tls = source.remote("extractor", &extractor, "verify-full", session);
    assert_eq!(succeeded(&over_tls), "TLSv1.3\n");
    let plain = source.remote("extractor", &extractor, "disable", "SELECT 1");
    assert!(String::from_utf8_lossy(&plain.stderr).contains("no encryption"));
    let hashes = "SELECT bool_and(rolpassword LIKE 'SCRAM-SHA-256$%') FROM pg_authid \
                  WHERE rolpassword IS NOT NULL";
    for server in [&source, &destination] {
        assert_eq!(succeeded(&server.local("postgres", hashes)), "t\n");
    }
    let write = source.remote(
        "extractor",
        &extractor,
        "verify-full",
        "DELETE FROM public.sales",
    );
    assert!(!write.status.success());

    // The one-shot run, and again, as `docker compose up` does.
    let here = |text: String, from: &[(&str, u16)]| {
        let mut text = text
            .replace("/tls/ca/", &format!("{}/", made.join("ca").display()))
            .replace("/run/glovebox", &made.display().to_string())
            .replace(
                "/var/lib/glovebox-checkpoints",
                &pipeline.path("checkpoints").display().to_string(),
            )
            .replace(
                "/var/lib/glovebox",
                &pipeline.path("state").display().to_string(),
            )
            .replace("/etc/glovebox", &pipeline.folder().display().to_string())
            .replace("0.0.0.0:8000", "127.0.0.1:0");
        for (host, port) in from {
            text = text.replace(
                &format!("host: {host}\n"),
                &format!("host: localhost\n    port: {port}\n"),
            );
        }
        text
    };
    let ports = [("source", source.port), ("destination", destination.port)];
    fs::create_dir(pipeline.path("state")).unwrap();
    pipeline.write("sales.yaml", here(shipped("deploy/sales.yaml"), &ports));
    for _ in 0..2 {
        let call = ["run", "sales.yaml", "--resume"];
        let ran = seeing(&made, &["load"], || pipeline.call(&call));
        let _ = ran.ends_with(0);
    }
    let reader = destination.password("reader");
    let count = "SELECT count(*) FROM public.sales";
    assert_eq!(
        succeeded(&destination.remote("reader", &reader, "verify-full", count)),
        "3\n"
    );
    let write = destination.remote("reader", &reader, "verify-full", "DELETE FROM public.sales");
    assert!(!write.status.success());

    // The API: its first user, its health, its rows.
    let indented = |host: &str, port: u16| {
        (
            format!("host: {host}\n"),
            format!("host: localhost\n      port: {port}\n"),
        )
    };
    let (from, to) = indented("destination", destination.port);
    let config = here(shipped("deploy/glovebox.yaml"), &[]).replace(&from, &to);
    pipeline.write("glovebox.yaml", config);
    let password = made.join("admin/first-password");
    for said in ["", "admin: the user already exists\n"] {
        let bin = program().parent().unwrap().display().to_string();
        let path = std::env::var("PATH").unwrap();
        let mut admin = Command::new("sh");
        admin
            .arg(repository().join("deploy/admin.sh"))
            .arg(pipeline.path("glovebox.yaml"))
            .arg(&password)
            .env("PATH", format!("{bin}:{path}"));
        let admin = seeing(&made, &["audit", "admin"], || admin.output().unwrap());
        let told = succeeded(&admin);
        assert!(told.ends_with(said), "{told}");
    }
    let password_text = fs::read_to_string(&password).unwrap();
    fs::remove_file(&password).unwrap();
    let mut serving = pipeline.start(&["serve", "--config", "glovebox.yaml"]);
    // The port is not in the URL, which the configuration has fixed.
    let mut port = None;
    serving.until("it listens", |running| {
        port = listening(running.id());
        port.is_some() && running.stdout().contains("listens on")
    });
    let port = port.unwrap();
    let health = Command::new("bash")
        .arg(repository().join("deploy/healthcheck.sh"))
        .arg(port.to_string())
        .status();
    assert!(health.unwrap().success());
    let address = format!("127.0.0.1:{port}");
    let call = |method: &str, target: &str, headers: &[(&str, &str)], body: &str| {
        let request = http::request(method, target, headers, body.as_bytes());
        http::raw(&address, &request)
    };
    let form = format!("username=admin&password={}", http::escape(&password_text));
    let kind = [("Content-Type", "application/x-www-form-urlencoded")];
    let token = call("POST", "/token", &kind, &form).is(200).json();
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let rows = call("GET", "/sales", &[("Authorization", &bearer)], "")
        .is(200)
        .json();
    let rows: Vec<&Value> = rows.as_array().unwrap().iter().collect();
    assert_eq!(rows.len(), 3);
    assert!(
        rows.iter()
            .all(|r| r["product"].as_str().unwrap().starts_with("Halal"))
    );
    serving.signal("TERM");
    let _ = serving.end().ends_with(0);
    assert!(pipeline.path("checkpoints/audit").is_dir());

    // New certificates by the same authority: clients need no other file.
    let before = destination.certificate();
    assert!(init_with(&made, &["--renew"]).contains("renewed"));
    assert_eq!(
        destination.certificate(),
        before,
        "not before it is told to"
    );
    destination.reload();
    let started = Instant::now();
    while destination.certificate() == before {
        assert!(started.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(
        succeeded(&destination.remote("reader", &reader, "verify-full", count)),
        "3\n"
    );
}

/// The port on which a process listens, as the kernel tells.
pub(super) fn listening(process: u32) -> Option<u16> {
    let sockets = fs::read_dir(format!("/proc/{process}/fd")).ok()?;
    let own: Vec<String> = sockets
        .flatten()
        .filter_map(|fd| fs::read_link(fd.path()).ok())
        .filter_map(|link| {
            let link = link.to_string_lossy().into_owned();
            Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let listens = *state == "0A" && own.iter().any(|o| o == inode);
        let port = local.split(':').nth(1)?;
        listens
            .then(|| u16::from_str_radix(port, 16).ok())
            .flatten()
    })
}

#[test]
fn secrets_are_made_once_private_and_by_nobody_else() {
    let pipeline = Pipeline::empty();
    let made = open_folder(&pipeline, "made");
    init(&made);
    let secret = || fs::read(made.join("api/api/token-key")).unwrap();
    let before = secret();
    init(&made);
    assert_eq!(before, secret());
    // What another version made is neither taken for its own nor overwritten.
    let old = open_folder(&pipeline, "old");
    fs::create_dir(old.join("source")).unwrap();
    fs::write(old.join("source/superuser"), "old").unwrap();
    let refused = Command::new("sh")
        .arg(repository().join("deploy/init.sh"))
        .arg(&old)
        .output()
        .unwrap();
    assert!(!refused.status.success());
    assert_eq!(fs::read(old.join("source/superuser")).unwrap(), b"old");
    for name in [
        "load/sales/customer-salt",
        "authority/ca.key",
        "source/server.key",
        "destination/superuser",
    ] {
        let mode = fs::metadata(made.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
    // What everybody sees has the authority's certificate and no key.
    let left: Vec<_> = fs::read_dir(made.join("ca")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn the_compose_file_names_what_is_there_and_nothing_secret() {
    let text = shipped("docker-compose.yml");
    let mounts = text.lines().filter_map(|l| l.trim().strip_prefix("- ./"));
    let mut mounted = 0;
    for mount in mounts {
        let path = mount.split(':').next().unwrap();
        assert!(repository().join(path).is_file(), "{path}");
        assert!(mount.ends_with(":ro"), "{mount}");
        mounted += 1;
    }
    assert!(mounted >= 8);
    // Who holds what: a service that is not named here sees none of it.
    for (volume, services) in [
        ("authority", &["init"][..]),
        ("load-secrets", &["init", "load", "api"]),
        ("api-secrets", &["init", "api"]),
        ("audit-secrets", &["init", "admin", "api"]),
        ("admin-secrets", &["init", "admin"]),
        ("source-tls", &["init", "source"]),
        ("destination-tls", &["init", "destination"]),
        ("state", &["owner", "admin", "api"]),
    ] {
        assert_eq!(mounting(&text, volume), services, "{volume}");
    }
    for image in text
        .lines()
        .filter_map(|l| l.trim().strip_prefix("image: "))
    {
        let tag = image.split_once(':').unwrap().1;
        assert!(
            tag.starts_with(|c: char| c.is_ascii_digit()),
            "{image} is not pinned"
        );
    }
    // Passwords come from files that `init` makes.
    for line in text.lines().filter(|l| l.contains("PASSWORD")) {
        assert!(line.contains("PASSWORD_FILE: /tls/"), "{line}");
    }
    for from in shipped("deploy/Dockerfile")
        .lines()
        .filter_map(|l| l.strip_prefix("FROM "))
    {
        let tag = from.split([':', ' ']).nth(1).unwrap();
        assert!(
            tag.starts_with(|c: char| c.is_ascii_digit()),
            "{from} is not pinned"
        );
    }
}

/// The services, or what several share, that mount a volume.
fn mounting<'a>(compose: &'a str, volume: &str) -> Vec<&'a str> {
    let mount = format!("- {volume}:");
    let mut within = "";
    let mut services = false;
    let mut found = Vec::new();
    for line in compose.lines() {
        let name = line.split(':').next().unwrap_or_default();
        let depth = name.len() - name.trim_start().len();
        if depth == 0 && !name.is_empty() {
            services = name == "services";
            within = name.trim_start_matches("x-");
        } else if depth == 2 && services {
            within = name.trim();
        }
        if line.trim().starts_with(&mount) {
            found.push(within);
        }
    }
    found
}
