//! `glovebox forget`: tokens erased with all that is kept of their cells, so that nobody gets these back. That it
//! was asked for is on the disk before anything is erased, and what became of it afterwards.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use glovebox_audit::{Action, Event, Outcome};
use glovebox_core::Token;
use glovebox_engine::{Revealer, arm};
use glovebox_manifest::Manifest;

use super::asked::Asked;
use super::manifest::Text;
use super::reveal::only_step;
use super::{Exit, say};
use crate::compose::Composed;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The manifest of the pipeline that has made the tokens.
    manifest: PathBuf,
    /// The column that they stand in.
    column: String,
    #[command(flatten)]
    asked: Asked,
    /// The values are cells and not their tokens, which are computed by the step's key.
    #[arg(long)]
    cells: bool,
    /// The step that has made the tokens, where several mask the column.
    #[arg(long, value_name = "NAME")]
    step: Option<String>,
    /// Erase them: nothing brings their cells back.
    #[arg(long)]
    yes: bool,
}

pub(super) fn forget(args: &Args) -> anyhow::Result<Exit> {
    let composed = Composed::new()?;
    let Some(text) = Text::read(&args.manifest) else {
        return Ok(Exit::Usage);
    };
    let Some(manifest) = text.manifest(&composed) else {
        return Ok(Exit::Usage);
    };
    let Some(step) = only_step(&manifest, &args.column, args.step.as_deref()) else {
        say::error(&format!(
            "no step alone makes tokens of a column `{}`; where several mask it, name one with --step",
            args.column
        ));
        return Ok(Exit::Usage);
    };
    let mut sink = match arm::sink(&manifest, &composed) {
        Ok(sink) => sink,
        Err(problems) => {
            text.show(&problems);
            return Ok(Exit::Usage);
        }
    };
    let mut store = sink.token_store().context("the sink cannot keep tokens")?;
    let values = args.asked.lines()?;
    let values: Vec<&str> = values.lines().filter(|value| !value.is_empty()).collect();
    let tokens = match args.cells {
        true => match tokens_of(args, &composed, &text, &values)? {
            Some(tokens) => tokens,
            None => return Ok(Exit::Usage),
        },
        false => {
            let tokens: Option<Vec<Token>> = values.iter().map(|v| Token::parse(v)).collect();
            tokens.context("a line is not a token; if the lines are cells, say so with --cells")?
        }
    };
    let tokens: Vec<Token> = tokens
        .into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    ensure!(
        args.yes,
        "nothing was erased: nobody gets the cells of these {} values back afterwards; say --yes if that is meant",
        values.len()
    );
    record(args, &manifest, Outcome::Unknown, (values.len(), None))?;
    let erased = store.forget(step.domain_of(&args.column), &tokens);
    let (outcome, count) = match &erased {
        Ok(erased) => (Outcome::Success, *erased),
        Err(_) => (Outcome::Failure, 0),
    };
    record(args, &manifest, outcome, (values.len(), Some(count)))?;
    println!("{} tokens erased", erased?);
    Ok(Exit::Done)
}

/// The tokens of cells; none once every problem of the manifest has been shown.
fn tokens_of(
    args: &Args,
    composed: &Composed,
    text: &Text,
    cells: &[&str],
) -> anyhow::Result<Option<Vec<Token>>> {
    let Some((manifest, plan)) = text.plan(composed) else {
        return Ok(None);
    };
    let steps = match arm(&manifest, &plan, composed) {
        Ok(steps) => steps,
        Err(problems) => {
            text.show(&problems);
            return Ok(None);
        }
    };
    let revealer = Revealer::find(&steps, &args.column, args.step.as_deref())?;
    Ok(Some(revealer.tokens(cells)?))
}

fn record(
    args: &Args,
    manifest: &Manifest,
    outcome: Outcome,
    (asked, erased): (usize, Option<u64>),
) -> anyhow::Result<()> {
    let event = Event::new(Action::TokensForgotten, outcome)
        .pipeline(&manifest.name)
        .columns([args.column.as_str()])
        .count(asked as u64)
        .rows(erased);
    args.asked.record(event)
}
