//! `glovebox explain`: how one cell came about, by the run's proof or else by the manifest, and what became of
//! its row, as the journal of its run knows it or else as the pipeline decides it now. Shows a cell only where
//! that is asked for.

mod fate;
mod show;
mod stated;
mod trail;

use std::path::PathBuf;

use arrow_array::RecordBatch;
use glovebox_core::supervised::{NotExplained, Unexplained};
use glovebox_core::{Earlier, Field, Sink, Source};
use glovebox_engine::{ArmedStep, Plan, Traced, arm, trace};
use glovebox_manifest::{Diagnostic, Manifest};
use glovebox_proof::{Column, Step};
use serde::Serialize;

use self::fate::Fate;
use self::stated::Stated;
use self::trail::TrailBy;
use super::cell::cell;
use super::manifest::Text;
use super::{Exit, say, supervised};
use crate::compose::Composed;
use crate::lineage::in_source;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pipeline's manifest.
    manifest: PathBuf,
    /// The row's number in the source, counted from 0, as rejects have it.
    #[arg(long, value_name = "N")]
    row: u64,
    /// The column, by its name after the last step.
    #[arg(long, value_name = "NAME")]
    column: String,
    /// The run, by its name in reports; by default that of `--proof`, or the last one of this pipeline that
    /// finished.
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// The run's proof: it says which steps, plugins and keys the run had, whatever the manifest has now.
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
    /// The public key that signed the proof, as PEM; without it, anybody may have written the proof.
    #[arg(long, value_name = "FILE", requires = "proof")]
    public_key: Option<PathBuf>,
    /// Do not read the source where the journal does not know what became of the row.
    #[arg(long, conflicts_with = "show_cells")]
    journal_only: bool,
    /// Also read the row from the source, and show the cell there and what the pipeline makes of it.
    #[arg(long)]
    show_cells: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Refuse plugin files without a pin; `glovebox plugin pin` writes pins.
    #[arg(long)]
    locked: bool,
    /// For programs: the proof, or nothing, is a line on standard input, whose end stops this; the answer is
    /// JSON, also if there is none.
    #[arg(long, hide = true, conflicts_with_all = ["proof", "show_cells"])]
    supervised: bool,
}

/// All that is known of a cell.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Explained {
    row: u64,
    column: Column,
    /// The steps that could see or change it.
    steps: Vec<Step>,
    /// Whether a release gate behind the steps generalises it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    generalised: bool,
    /// By what the column and its steps are known.
    lineage: TrailBy,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    fate: Fate,
    #[serde(skip_serializing_if = "Option::is_none")]
    cells: Option<Cells>,
}

/// The cell before and after; null where the cell is null or the row did not get there.
#[derive(Debug, Serialize)]
struct Cells {
    source: Option<String>,
    result: Option<String>,
}

/// A pipeline with the keys of its steps.
struct Armed<'p> {
    steps: Vec<ArmedStep<'p>>,
    source: Box<dyn Source>,
}

pub(super) fn explain(args: &Args) -> anyhow::Result<Exit> {
    let stated = match args.supervised {
        true => Stated::told()?,
        false => Stated::read(args.proof.as_deref(), args.public_key.as_deref())?,
    };
    let composed = Composed::new()?;
    match explained(args, stated, &composed)? {
        Ok(explained) if args.supervised => println!("{}", serde_json::to_string(&explained)?),
        Ok(explained) if args.json => println!("{}", serde_json::to_string_pretty(&explained)?),
        Ok(explained) => show::print(&explained),
        Err(unexplained) => {
            match args.supervised {
                true => println!("{}", serde_json::to_string(&unexplained)?),
                false if unexplained.detail.is_empty() => {}
                false => say::error(&unexplained.detail),
            }
            return Ok(Exit::Usage);
        }
    }
    Ok(Exit::Done)
}

type Asked<T> = anyhow::Result<Result<T, Unexplained>>;

/// Why there is no answer; without a detail, since its problems were shown, of a manifest that is not in order.
fn refused(why: NotExplained, detail: impl Into<String>) -> Unexplained {
    Unexplained {
        why,
        detail: detail.into(),
    }
}

fn explained(args: &Args, stated: Option<Stated>, composed: &Composed) -> Asked<Explained> {
    let not_in_order = || Ok(Err(refused(NotExplained::Manifest, "")));
    let Some(text) = Text::read(&args.manifest) else {
        return not_in_order();
    };
    let Some((manifest, plan)) = text.plan_locked(composed, args.locked) else {
        return not_in_order();
    };
    let fetched = || {
        if args.supervised {
            supervised::tell_secrets(&composed.fetched());
        }
    };
    let mut sink = match arm::sink(&manifest, composed) {
        Ok(sink) => sink,
        Err(problems) => {
            text.show(&problems);
            return not_in_order();
        }
    };
    fetched();
    let run = match run_of(args, &manifest.name, stated.as_ref(), sink.as_mut())? {
        Ok(run) => run,
        Err(unexplained) => return Ok(Err(unexplained)),
    };
    let name = match (&run, &stated, &args.run) {
        (Some(run), _, _) => Some(run.run.clone()),
        (None, Some(stated), _) => Some(stated.run().name.clone()),
        (None, None, run) => run.clone(),
    };

    let mut fate = match &run {
        Some(run) => {
            let gather = plan.steps.iter().find(|step| step.gather.is_some());
            let gather = gather.map(|step| &*step.name);
            fate::journal(sink.as_mut(), run, args.row, gather)?
        }
        None => None,
    };
    if args.journal_only || args.supervised && manifest.source.reads_stdin() {
        fate = fate.or_else(|| Some(Fate::undecided(run.is_some())));
    }
    let found = stated.as_ref().and_then(|stated| stated.find(&args.column));
    // The keys are fetched only where something has to be computed.
    let armed = match found.is_none() || fate.is_none() || args.show_cells {
        false => None,
        true => match armed(&manifest, &plan, composed) {
            Ok(armed) => Some(armed),
            Err(problems) => {
                text.show(&problems);
                return not_in_order();
            }
        },
    };
    fetched();
    let had = run.as_ref().map(|run| run.plan.digest.as_str());
    let had = had.or_else(|| Some(stated.as_ref()?.run().plan.as_str()));
    let found = match (found, &armed) {
        (None, Some(armed)) => trail::of(&manifest, &plan, armed, (&args.column, had)),
        (found, _) => found,
    };
    let Some(found) = found else {
        let names = trail::names(&plan).chain(stated.iter().flat_map(Stated::names));
        let detail = trail::no_such_column(&args.column, names);
        return Ok(Err(refused(NotExplained::Column, detail)));
    };
    if let (TrailBy::Manifest, Some(_), Some(run)) = (found.by, had, &name) {
        say::note(&format!(
            "the columns, steps, plugins or keys of run {} were others; what is shown of them is as the manifest has it now",
            glovebox_core::shown::printable(run)
        ));
    }
    let traced = match &armed {
        Some(armed) if fate.is_none() || args.show_cells => {
            trace(&armed.steps, armed.source.as_ref(), args.row)?
        }
        _ => None,
    };
    let cells = match args.show_cells {
        true => Some(cells(traced.as_ref(), &plan, &args.column)?),
        false => None,
    };
    Ok(Ok(Explained {
        row: args.row,
        column: found.column,
        steps: found.steps,
        generalised: found.generalised,
        lineage: found.by,
        run: name,
        fate: fate.unwrap_or_else(|| fate::replayed(traced, plan.gate.is_some())),
        cells,
    }))
}

fn armed<'p>(
    manifest: &Manifest,
    plan: &'p Plan,
    composed: &Composed,
) -> Result<Armed<'p>, Vec<Diagnostic>> {
    Ok(Armed {
        steps: arm(manifest, plan, composed)?,
        source: arm::source(manifest, plan.source.clone(), composed)?,
    })
}

/// The run that is asked about, as the journal has it; none where the sink keeps none, or has no finished run of
/// the pipeline.
fn run_of(
    args: &Args,
    pipeline: &str,
    stated: Option<&Stated>,
    sink: &mut dyn Sink,
) -> Asked<Option<Earlier>> {
    let unknown = |detail: String| Ok(Err(refused(NotExplained::Run, detail)));
    if let Some(run) = stated.map(Stated::run) {
        if run.pipeline != pipeline {
            return unknown("the proof is of another pipeline".into());
        }
        if args.run.as_ref().is_some_and(|asked| *asked != run.name) {
            return unknown("the proof is of another run than `--run` names".into());
        }
    }
    let asked = args.run.as_deref();
    let Some(asked) = asked.or(stated.map(|stated| stated.run().name.as_str())) else {
        let past = sink.past(pipeline)?;
        return Ok(Ok(past.unwrap_or_default().into_iter().next()));
    };
    let found = sink.finished(pipeline, asked)?;
    if found.is_some() {
        return Ok(Ok(found));
    }
    match sink.past(pipeline)? {
        // Whoever has the run's proof, or its name from its own book, knows that it was.
        None if args.supervised || stated.is_some() => Ok(Ok(None)),
        None => unknown("the sink keeps no journal of runs; leave out `--run`".into()),
        Some(_) => unknown(format!(
            "there is no such finished run of this pipeline; {} has them: glovebox runs {}",
            sink.describe(),
            args.manifest.display()
        )),
    }
}

fn cells(traced: Option<&Traced>, plan: &Plan, column: &str) -> anyhow::Result<Cells> {
    let last = plan.steps.last().map_or(&plan.source, |step| &step.output);
    let place = last.position(column);
    let of = |place: Option<usize>, batch: Option<&RecordBatch>, fields: &[Field]| {
        let found = place.and_then(|place| batch?.columns().get(place).zip(fields.get(place)));
        match found {
            Some((column, field)) => cell(column, field, 0),
            None => Ok(None),
        }
    };
    let traced = traced.map(|traced| (traced.source.as_ref(), traced.result.as_ref()));
    let (source, result) = traced.unwrap_or_default();
    Ok(Cells {
        source: of(
            place.and_then(|place| in_source(plan, place)),
            source,
            &plan.source.fields,
        )?,
        result: of(place, result, &last.fields)?,
    })
}
