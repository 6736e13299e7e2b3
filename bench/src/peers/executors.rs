//! A cluster on this machine: a scheduler and two executors with a thread each.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::glovebox;

const PATIENCE: Duration = Duration::from_secs(30);

/// Its processes, which end with this.
pub(super) struct Executors {
    processes: Vec<Child>,
    url: String,
    client: PathBuf,
}

impl Executors {
    /// Starts them for a manifest, with these secrets; none if the program was built without clusters.
    pub(super) fn start(
        folder: &Path,
        manifest: &Path,
        secrets: &[(&str, &str)],
    ) -> anyhow::Result<Option<Self>> {
        let made = folder.join("certificates");
        let certificates = Command::new(glovebox::program()?)
            .args(["cluster", "certificates", "--name", "127.0.0.1"])
            .arg(&made)
            .output()?;
        if !certificates.status.success() {
            return Ok(None);
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let mut executors = Executors {
            processes: Vec::new(),
            url: format!("https://{address}"),
            client: made.join("client"),
        };
        let scheduler = [
            "cluster",
            "scheduler",
            "--listen",
            &address,
            "--certificates",
        ];
        let log = folder.join("scheduler.log");
        executors.begin(&scheduler, &made.join("scheduler"), None, secrets, &log)?;
        listens(&log)?;
        let url = executors.url.clone();
        let executor = [
            "cluster",
            "executor",
            "--workers",
            "1",
            "--scheduler",
            &url,
            "--certificates",
        ];
        for number in 0..2 {
            let log = folder.join(format!("executor-{number}.log"));
            executors.begin(
                &executor,
                &made.join("executor"),
                Some(manifest),
                secrets,
                &log,
            )?;
        }
        Ok(Some(executors))
    }

    fn begin(
        &mut self,
        arguments: &[&str],
        certificates: &Path,
        manifest: Option<&Path>,
        secrets: &[(&str, &str)],
        log: &Path,
    ) -> anyhow::Result<()> {
        let mut command = Command::new(glovebox::program()?);
        command.args(arguments).arg(certificates).args(manifest);
        command.envs(secrets.iter().copied()).stdout(Stdio::null());
        let started = command.stderr(File::create(log)?).spawn();
        self.processes
            .push(started.context("cannot start glovebox")?);
        Ok(())
    }

    /// What a run is told to have them work on it.
    pub(super) fn arguments(&self) -> anyhow::Result<[&str; 4]> {
        let client = self.client.to_str().context("a folder's name")?;
        Ok(["--cluster", &self.url, "--certificates", client])
    }
}

fn listens(log: &Path) -> anyhow::Result<()> {
    let since = Instant::now();
    while !std::fs::read_to_string(log)?.contains("listens at") {
        ensure!(since.elapsed() < PATIENCE, "the scheduler does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

impl Drop for Executors {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
