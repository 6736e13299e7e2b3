//! `glovebox reveal`: encrypted values back to their cells, for whoever has the keys and says why.
//! The audit record is on the disk before a cell is shown. Values are never arguments, which stand in the
//! shell's history and in every process list.

mod tokens;

pub(super) use tokens::only_step;

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow, ensure};
use glovebox_api::{Answer, Request, Reveals};
use glovebox_audit::{Action, Event, Outcome};
use glovebox_core::{Secret, SecretName, shown};
use glovebox_engine::{RevealError, Revealer, Toolbox, arm};
use glovebox_manifest::Manifest;

use super::asked::Asked;
use super::caller::secret_name;
use super::manifest::Text;
use super::{Exit, say};
use crate::compose::Composed;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The manifest of the pipeline that has encrypted the values.
    manifest: PathBuf,
    /// The column that they are from.
    column: String,
    #[command(flatten)]
    asked: Asked,
    /// The step that has encrypted them, where several encrypt the column.
    #[arg(long, value_name = "NAME")]
    step: Option<String>,
    /// Use this version of the key only: an ff1 value does not say which one has made it.
    #[arg(long, value_name = "VERSION")]
    key_version: Option<u32>,
    /// The secret that holds the private key: the recipient's, for values that were sealed; an
    /// officer's, for tokens.
    #[arg(long, value_name = "SECRET", value_parser = secret_name)]
    private_key: Option<SecretName>,
    /// Of tokens, the first officer: write a share of them to this new file, for the other officer only,
    /// and show no cell.
    #[arg(long, value_name = "FILE", requires = "private_key")]
    make_share: Option<PathBuf>,
    /// Of tokens, the second officer: the file that the first one has made; it says which tokens.
    #[arg(long, value_name = "FILE", requires = "private_key", conflicts_with_all = ["make_share", "values"])]
    use_share: Option<PathBuf>,
    /// Print each cell as JSON, null for a value that does not open.
    #[arg(long)]
    json: bool,
    /// Refuse plugin files without a pin; `glovebox plugin pin` writes pins.
    #[arg(long)]
    locked: bool,
}

pub(super) fn reveal(args: &Args) -> anyhow::Result<Exit> {
    let composed = Composed::new()?;
    let Some(text) = Text::read(&args.manifest) else {
        return Ok(Exit::Usage);
    };
    let Some(manifest) = text.manifest(&composed) else {
        return Ok(Exit::Usage);
    };
    if let Some(step) = only_step(&manifest, &args.column, args.step.as_deref()) {
        return tokens::reveal(args, &composed, (&text, &manifest), step);
    }
    let Some((manifest, plan)) = text.plan_locked(&composed, args.locked) else {
        return Ok(Exit::Usage);
    };
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
    if revealer.is_token() {
        let mut made_by = manifest.steps.iter();
        let step = made_by.find(|step| step.name.value == revealer.step());
        let step = step.context("the step that made the tokens is missing")?;
        return tokens::reveal(args, &composed, (&text, &manifest), step);
    }
    ensure!(
        args.make_share.is_none() && args.use_share.is_none(),
        "the values are no tokens: leave --make-share and --use-share out"
    );
    let private = match (revealer.is_sealed(), &args.private_key) {
        (true, Some(name)) => {
            let stores: Vec<_> = manifest
                .credentials
                .iter()
                .map(|s| s.value.clone())
                .collect();
            Some(composed.secret(&stores, name)?)
        }
        (true, None) => {
            say::error(
                "the values were encrypted for a public key: name the secret that holds the \
                private key with --private-key",
            );
            return Ok(Exit::Usage);
        }
        (false, Some(_)) => {
            say::error("the values were not sealed: leave --private-key out");
            return Ok(Exit::Usage);
        }
        (false, None) => None,
    };
    let values = args.asked.lines()?;
    let values: Vec<&str> = values.lines().collect();
    let cells = revealer.reveal(&values, args.key_version, private.as_ref())?;
    let key = secrets_of(&manifest, &revealer);
    given(args, &manifest, &key, &cells)
}

/// Shows the cells, once the record of them is on the disk.
fn given<W: Display>(
    args: &Args,
    manifest: &Manifest,
    key: &str,
    cells: &[Result<Secret, W>],
) -> anyhow::Result<Exit> {
    let opened = cells.iter().filter(|cell| cell.is_ok()).count();
    let outcome = match opened {
        0 => Outcome::Failure,
        _ => Outcome::Success,
    };
    let event = Event::new(Action::Revealed, outcome)
        .pipeline(&manifest.name)
        .columns([args.column.as_str()])
        .key(key)
        .rows(opened as u64)
        .count(cells.len() as u64);
    args.asked.record(event)?;

    let mut out = std::io::stdout().lock();
    for cell in cells {
        let cell = cell.as_ref().ok();
        match args.json {
            true => serde_json::to_writer(&mut out, &cell.and_then(|cell| cell.expose_str()))?,
            false => out.write_all(&line(cell, out.is_terminal()))?,
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

/// A cell on a line of its own: a line break within would move all that follow, and a terminal obeys other
/// control characters.
fn line(cell: Option<&Secret>, terminal: bool) -> Vec<u8> {
    let cell = cell.map(Secret::expose).unwrap_or_default();
    let breaks = cell.iter().any(|byte| matches!(byte, b'\n' | b'\r'));
    match breaks || terminal {
        true => shown::printable(&String::from_utf8_lossy(cell)).into_bytes(),
        false => cell.to_vec(),
    }
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

/// Undoes masks for the server, which keeps the record.
pub(super) fn for_server(composed: Arc<Composed>) -> Reveals {
    Arc::new(move |request| {
        given_back(request, &composed).map_err(|problem| format!("{problem:#}"))
    })
}

fn given_back(request: &Request, composed: &Composed) -> anyhow::Result<Answer> {
    let planned = super::manifest::planned(&request.manifest, composed);
    let (manifest, plan) =
        planned.context("the pipeline's manifest is not in order; `glovebox check` says why")?;
    let steps = arm(&manifest, &plan, composed).map_err(|_| {
        anyhow!("a key of the pipeline cannot be had or used; `glovebox check` says why")
    })?;
    let revealer = Revealer::find(&steps, &request.column, request.step.as_deref())
        .map_err(|problem| anyhow!("{}", unquoted(&problem)))?;
    ensure!(
        !revealer.is_token(),
        "these are tokens, which two officers open together, with `glovebox reveal`"
    );
    ensure!(
        !revealer.is_sealed(),
        "the values were sealed to a recipient's key, which the server does not have"
    );
    let values: Vec<&str> = request.values.iter().map(String::as_str).collect();
    let cells = revealer
        .reveal(&values, request.key_version, None)?
        .into_iter()
        .map(|cell| {
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
