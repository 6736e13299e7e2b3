//! `glovebox reveal`: encrypted values back to their cells, for whoever has the keys and says why.
//!
//! Owns that the audit record is on the disk before a cell is shown; refuses values as arguments,
//! which stand in the shell's history and in every process list.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow, ensure};
use glovebox_api::{Answer, Request, Reveals};
use glovebox_audit::{Action, Event, Log, Options, Outcome};
use glovebox_core::{InvalidSecretName, SecretName};
use glovebox_engine::{RevealError, Revealer, arm};
use glovebox_manifest::Manifest;

use super::manifest::Text;
use super::{Exit, say, user};
use crate::compose::Composed;

/// The most that is read of values, in bytes.
const LARGEST: u64 = 64 << 20;

/// The longest reason, in bytes.
const LONGEST_REASON: usize = 200;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The manifest of the pipeline that has encrypted the values.
    manifest: PathBuf,
    /// The column that they are from.
    column: String,
    /// Why they are to be seen; recorded with who asked, and how many.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The audit log's folder; begun if there is none.
    #[arg(long, value_name = "FOLDER")]
    audit: PathBuf,
    /// The values, one a line; standard input if left out.
    #[arg(long, value_name = "FILE")]
    values: Option<PathBuf>,
    /// The step that has encrypted them, where several encrypt the column.
    #[arg(long, value_name = "NAME")]
    step: Option<String>,
    /// Use this version of the key only: an ff1 value does not say which one has made it.
    #[arg(long, value_name = "VERSION")]
    key_version: Option<u32>,
    /// The secret that holds the recipient's private key, for values that were sealed.
    #[arg(long, value_name = "SECRET", value_parser = secret_name)]
    private_key: Option<SecretName>,
    /// Refuse plugins that are files without a pin; `glovebox plugin pin` writes pins.
    #[arg(long)]
    locked: bool,
}

/// Refuses without repeating what was typed, which may be the key itself.
fn secret_name(name: &str) -> Result<SecretName, InvalidSecretName> {
    SecretName::parse(name)
}

pub(super) fn reveal(args: &Args) -> anyhow::Result<Exit> {
    ensure!(
        !args.reason.trim().is_empty() && args.reason.len() <= LONGEST_REASON,
        "`--reason` takes 1 to {LONGEST_REASON} bytes"
    );
    let composed = Composed::new()?;
    let Some(text) = Text::read(&args.manifest) else {
        return Ok(Exit::Usage);
    };
    let Some((mut manifest, plan)) = text.plan_locked(&composed, args.locked) else {
        return Ok(Exit::Usage);
    };
    if let Some(version) = args.key_version
        && !only_version(&mut manifest, version)
    {
        say::error(&format!(
            "no key in the manifest has version {version}; list it in the step's `keys:`"
        ));
        return Ok(Exit::Usage);
    }
    if let Some(private) = &args.private_key {
        opens_with(&mut manifest, args, private);
    }
    let steps = match arm(&manifest, &plan, &composed) {
        Ok(steps) => steps,
        Err(problems) => {
            text.show(&problems);
            return Ok(Exit::Usage);
        }
    };
    let revealer = match Revealer::find(&steps, &args.column, args.step.as_deref()) {
        Ok(revealer) => revealer,
        Err(problem) => {
            say::error(&problem.to_string());
            return Ok(Exit::Usage);
        }
    };
    if revealer.is_sealed() && args.private_key.is_none() {
        say::error(
            "the values were sealed to a public key: name the secret that holds the private one with \
             --private-key",
        );
        return Ok(Exit::Usage);
    }
    let values = read(args)?;
    let values: Vec<&str> = values.lines().collect();
    let cells = revealer.reveal(&values)?;
    let opened = cells.iter().filter(|cell| cell.is_ok()).count();
    let key = secrets_of(&manifest, &revealer);
    record(args, &manifest.name, &key, opened)?;

    let mut out = std::io::stdout().lock();
    for cell in &cells {
        if let Ok(cell) = cell {
            out.write_all(cell.expose())?;
        }
        out.write_all(b"\n")?;
    }
    out.flush()?;
    for (line, refusal) in cells
        .iter()
        .enumerate()
        .filter_map(|(i, c)| Some((i, c.as_ref().err()?)))
    {
        say::error(&format!("line {}: the value {refusal}", line + 1));
    }
    Ok(match opened == cells.len() {
        true => Exit::Done,
        false => Exit::TooManyRejects,
    })
}

/// Leaves each key the version that is asked for, if it is listed. Whether any is.
fn only_version(manifest: &mut Manifest, version: u32) -> bool {
    let mut any = false;
    for key in manifest.steps.iter_mut().flat_map(|step| &mut step.keys) {
        if key.secrets.iter().any(|s| s.value.version() == version) {
            key.secrets.retain(|s| s.value.version() == version);
            any = true;
        }
    }
    any
}

/// Puts the private key in the place of the public ones of the steps that mask the column.
fn opens_with(manifest: &mut Manifest, args: &Args, private: &SecretName) {
    let masking = manifest.steps.iter_mut().filter(|step| {
        let named = args
            .step
            .as_ref()
            .is_none_or(|name| step.name.value == *name);
        named && step.masks.iter().any(|masked| masked.value == args.column)
    });
    for key in masking.flat_map(|step| &mut step.keys) {
        key.secrets.truncate(1);
        for secret in &mut key.secrets {
            secret.value = private.clone();
        }
    }
}

fn read(args: &Args) -> anyhow::Result<String> {
    let mut values = String::new();
    let most = LARGEST + 1;
    let read = match &args.values {
        Some(path) => std::fs::File::open(path)
            .and_then(|file| file.take(most).read_to_string(&mut values))
            .with_context(|| format!("cannot read the values in {}", path.display())),
        None => std::io::stdin()
            .lock()
            .take(most)
            .read_to_string(&mut values)
            .context("cannot read the values from standard input"),
    }?;
    ensure!(
        read as u64 <= LARGEST,
        "there are more than {} MiB of values; reveal them in parts",
        LARGEST >> 20
    );
    Ok(values)
}

/// The names of the secrets that the step has for the key.
fn secrets_of(manifest: &Manifest, revealer: &Revealer<'_>) -> String {
    let step = manifest
        .steps
        .iter()
        .find(|s| s.name.value == revealer.step());
    let keys = step.iter().flat_map(|step| &step.keys);
    let secrets = keys
        .filter(|key| key.name.value == revealer.key())
        .flat_map(|key| &key.secrets);
    let names: Vec<_> = secrets.map(|secret| secret.value.to_string()).collect();
    names.join(", ")
}

/// On the disk, or nothing is shown.
fn record(args: &Args, pipeline: &str, key: &str, opened: usize) -> anyhow::Result<()> {
    let outcome = match opened {
        0 => Outcome::Failure,
        _ => Outcome::Success,
    };
    let event = Event::new(Action::Revealed, outcome)
        .user("command line")
        .user_id(&user::caller())
        .pipeline(pipeline)
        .columns([args.column.as_str()])
        .key(key)
        .rows(opened as u64)
        .because(&args.reason);
    let log = Log::open(Options::new(&args.audit))?;
    log.record_blocking(event)?;
    log.close()?;
    Ok(())
}

/// Undoes masks for the server, which keeps the record.
pub(super) fn for_server() -> Reveals {
    Arc::new(|request| given_back(request).map_err(|problem| format!("{problem:#}")))
}

fn given_back(request: &Request) -> anyhow::Result<Answer> {
    let composed = Composed::new()?;
    let planned = super::manifest::planned(&request.manifest, &composed);
    let (mut manifest, plan) =
        planned.context("the pipeline's manifest is not in order; `glovebox check` says why")?;
    if let Some(version) = request.key_version {
        ensure!(
            only_version(&mut manifest, version),
            "no key of the pipeline has version {version}"
        );
    }
    let steps = arm(&manifest, &plan, &composed).map_err(|_| {
        anyhow!("a key of the pipeline cannot be had or used; `glovebox check` says why")
    })?;
    let revealer = Revealer::find(&steps, &request.column, request.step.as_deref())
        .map_err(|problem| anyhow!("{}", unquoted(&problem)))?;
    ensure!(
        !revealer.is_sealed(),
        "the values were sealed to a recipient's key, which the server does not have"
    );
    let values: Vec<&str> = request.values.iter().map(String::as_str).collect();
    let cells = revealer.reveal(&values)?.into_iter().map(|cell| {
        let cell = cell.ok()?;
        cell.expose_str().map(ToOwned::to_owned)
    });
    Ok(Answer {
        column: request.column.clone(),
        key: secrets_of(&manifest, &revealer),
        cells: cells.collect(),
    })
}

/// What the caller typed as a column is not repeated.
fn unquoted(problem: &RevealError) -> String {
    match problem {
        RevealError::NotMasked(_) => {
            "no step of the pipeline masks such a column with a key".into()
        }
        known => known.to_string(),
    }
}
