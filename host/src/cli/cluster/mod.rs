//! `glovebox cluster`: a scheduler and executors that work on ranges of runs, and certificates to begin with.

mod executor;
mod lanes;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Subcommand;
use glovebox_cluster::{Certificates, Scheduler, make};

use super::asked_to_stop::asked_to_stop;
use super::{Exit, say};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Hand out ranges of runs to executors.
    Scheduler(SchedulerArgs),
    /// Work on ranges of runs that the scheduler hands out.
    Executor(executor::Args),
    /// Make certificates to begin a cluster with: an authority, and one for each role.
    Certificates(CertificatesArgs),
}

#[derive(Debug, clap::Args)]
struct SchedulerArgs {
    /// Where executors and runs connect to, with mutual TLS.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:50050")]
    listen: SocketAddr,
    /// A folder with `ca.crt`, `tls.crt` and `tls.key`.
    #[arg(long, value_name = "DIR")]
    certificates: PathBuf,
    /// Serve counts without TLS, for Prometheus and for whoever scales executors: `/metrics`, `/healthz`.
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
    /// Give an executor's ranges to others once it has said nothing for so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u16).range(3..=3600))]
    dead_after: u16,
}

#[derive(Debug, clap::Args)]
struct CertificatesArgs {
    /// The folder to make them in; nothing in it is overwritten.
    folder: PathBuf,
    /// A host name or IP address under which executors and runs call the scheduler.
    #[arg(long = "name", value_name = "HOST", required = true)]
    names: Vec<String>,
}

pub(super) fn cluster(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Scheduler(args) => scheduler(args),
        Command::Executor(args) => executor::executor(args),
        Command::Certificates(args) => certificates(args),
    }
}

fn certificates(args: &CertificatesArgs) -> anyhow::Result<Exit> {
    let folders = make(&args.folder, &args.names)?;
    let mut output = std::io::stdout().lock();
    for folder in &folders {
        writeln!(output, "{}", folder.display())?;
    }
    say::note(&format!(
        "copy each folder to where it is used, and keep {} away from all of them: whoever has it can join",
        args.folder.join("ca.key").display()
    ));
    say::note("they are valid for two years");
    Ok(Exit::Done)
}

fn scheduler(args: &SchedulerArgs) -> anyhow::Result<Exit> {
    let scheduler = Scheduler {
        listen: args.listen,
        metrics: args.metrics,
        certificates: Certificates::read(&args.certificates)?,
        dead_after: Duration::from_secs(args.dead_after.into()),
    };
    runtime()?.block_on(async {
        let stop = asked_to_stop()?;
        let ready = |address, counts: Option<SocketAddr>| {
            if let Some(counts) = counts {
                say::note(&format!("counts are at http://{counts}/metrics"));
            }
            say::note(&format!("the scheduler listens at {address}"));
        };
        scheduler.serve(ready, stop).await?;
        Ok(Exit::Done)
    })
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start threads")
}
