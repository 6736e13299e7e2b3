//! `glovebox serve`: the API, until Ctrl-C or SIGTERM.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::Context;
use glovebox_api as api;
use glovebox_api::ChildRun;
use glovebox_api::config::Config;
use glovebox_core::SecretName;
use glovebox_engine::Toolbox;
use glovebox_files::bounded;
use glovebox_manifest::Diagnostic;

use super::asked_to_stop::asked_to_stop;
use super::{Exit, demo, manifest, reveal, say};
use crate::compose::{Composed, uploads};

/// The largest configuration that is read, in bytes; the parser refuses smaller ones with an excerpt.
const MAX_SIZE: u64 = 2 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What is served, to whom.
    #[arg(long, value_name = "FILE", default_value = "glovebox.yaml")]
    config: PathBuf,
    /// Only check everything that a start and a first request need: keys, files, databases, tables
    /// and their types, manifests, the audit log. Changes nothing.
    #[arg(long)]
    check: bool,
    /// Only send a test to each target of `alerts`, and say which took it.
    #[arg(long, conflicts_with = "check")]
    test_alerts: bool,
    /// Create what is missing for a first try: a token key, and a user `admin` with a new random
    /// password, which is printed once.
    #[arg(long, conflicts_with_all = ["check", "test_alerts"])]
    demo: bool,
}

/// Reads a configuration; shows every problem and is none if there is one.
pub(super) fn read(path: &Path) -> Option<Config> {
    read_with_text(path).map(|(config, _)| config)
}

/// The same, with its text.
fn read_with_text(path: &Path) -> Option<(Config, String)> {
    let shown = path.display().to_string();
    let read = bounded::read_text(path, MAX_SIZE);
    let text = read
        .inspect_err(|error| say::error(&format!("cannot read the configuration {shown}: {error}")))
        .ok()?;
    let folder = path.parent().unwrap_or(Path::new(""));
    match Config::read(folder, &text) {
        Ok(config) => Some((config, text)),
        Err(problems) => {
            show(&problems, &shown, &text);
            None
        }
    }
}

fn show(problems: &[Diagnostic], shown: &str, text: &str) {
    say::problems(|color| glovebox_manifest::render(problems, shown, text, color));
}

pub(super) fn serve(args: &Args) -> anyhow::Result<Exit> {
    let Some((config, text)) = read_with_text(&args.config) else {
        return Ok(Exit::Usage);
    };
    let composed = Arc::new(Composed::new()?);
    let stores = config.credentials.clone();
    let secrets = |name: &SecretName| Ok(composed.secret(&stores, name)?);
    let datasets: Vec<String> = config.datasets.iter().map(|d| d.name.clone()).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the threads of the server")?;
    if args.check {
        let loads = |path: &Path| manifest::loads(path, &composed);
        let problems = api::examine(&config, &text, &secrets, (&loads, uploads::seals), &runtime);
        if !problems.is_empty() {
            show(&problems, &args.config.display().to_string(), &text);
            return Ok(Exit::Usage);
        }
        println!("{} is fine", args.config.display());
        return Ok(Exit::Done);
    }
    if args.test_alerts {
        return test_alerts(&runtime.block_on(api::test_alerts(&config, &secrets))?);
    }
    if args.demo {
        demo::key(&config)?;
    }
    runtime.block_on(async {
        let admin = match args.demo {
            true => Some(demo::admin(&config, &secrets).await?),
            false => None,
        };
        let ready = |url: &str| {
            // Requests are served whether or not anybody reads this.
            let _ = writeln!(
                std::io::stdout(),
                "glovebox listens on {url}; documentation: {url}/docs"
            );
            if let Some(admin) = &admin {
                println!(
                    "{}",
                    demo::lines(url, admin, datasets.first().map(String::as_str))
                );
            }
        };
        let stop = asked_to_stop()?;
        let reveals = reveal::for_server(Arc::clone(&composed));
        let means = (
            command as api::Launch,
            uploads::seals as api::UploadSeals,
            explanation as api::Explains,
        );
        api::serve(config, &secrets, means, reveals, ready, stop).await
    })?;
    Ok(Exit::Done)
}

/// Which targets took a test.
fn test_alerts(told: &[(String, Result<(), String>)]) -> anyhow::Result<Exit> {
    if told.is_empty() {
        say::error("the configuration has no targets of `alerts`; see docs/audit.md");
        return Ok(Exit::Usage);
    }
    let mut all = true;
    for (kind, sent) in told {
        match sent {
            Ok(()) => println!("{kind}: taken"),
            Err(problem) => {
                all = false;
                println!("{kind}: {problem}");
            }
        }
    }
    Ok(if all { Exit::Done } else { Exit::Failed })
}

/// This program, asked for a run that the API's server keeps an eye on.
fn command(run: &ChildRun<'_>) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--log", "error", "run", "--supervised"])
        .arg(run.manifest)
        .arg("--report")
        .arg(&run.report)
        .arg("--rejects")
        .arg(&run.rejects)
        .args(["--request", run.request])
        .env("NO_COLOR", "1");
    let mut option = |name: &str, value: Option<&OsStr>| {
        if let Some(value) = value {
            command.arg(name).arg(value);
        }
    };
    option("--input", run.input.as_deref().map(Path::as_os_str));
    option(
        "--rejects-of",
        run.rejects_of.as_deref().map(Path::as_os_str),
    );
    option("--of-run", run.of_run.map(OsStr::new));
    option("--audit-head", run.audit_head.as_deref().map(OsStr::new));
    let flags = [
        ("--resume", run.resume),
        ("--take-over", run.take_over),
        ("--again", run.again),
        ("--only-new", run.only_new),
        ("--input-key", run.input_key),
    ];
    command.args(flags.iter().filter(|(_, on)| *on).map(|(name, _)| name));
    Ok(command)
}

/// This program, asked for an explanation that a request waits for.
fn explanation(asked: &api::CellAsked<'_>) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--log", "error", "explain", "--supervised"])
        .arg(asked.manifest)
        .arg(format!("--row={}", asked.row))
        .arg(format!("--column={}", asked.column))
        .arg(format!("--run={}", asked.run))
        .env("NO_COLOR", "1");
    if asked.journal_only {
        command.arg("--journal-only");
    }
    Ok(command)
}
