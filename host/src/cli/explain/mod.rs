//! `glovebox explain`: how one cell came about, and what became of its row, as the journal of its run knows it or
//! else as the pipeline decides it now. Shows a cell only where that is asked for.

use std::path::PathBuf;

use glovebox_core::shown::printable;
use glovebox_core::{Earlier, Field, PlanRows, Sink};
use glovebox_engine::{Plan, RowFate, Traced, plan_digest, trace};
use glovebox_proof::{Column, Step, Touch};
use serde::Serialize;
use serde_json::Value;

use super::cell::cell;
use super::manifest::Text;
use super::proof::show::{guard, key, method};
use super::run::armed;
use super::{Exit, say};
use crate::compose::Composed;
use crate::lineage;

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
    /// The run, by its name in reports; by default the last one of this pipeline that finished.
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Also read the row from the source, and show the cell there and what the pipeline makes of it.
    #[arg(long)]
    show_cells: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Refuse plugin files without a pin; `glovebox plugin pin` writes pins.
    #[arg(long)]
    locked: bool,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    fate: Fate,
    #[serde(skip_serializing_if = "Option::is_none")]
    cells: Option<Cells>,
}

/// What became of the row.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Fate {
    /// `stored`, `filtered`, `rejected`, `absent` from the run or the source, or `at-gate`: a release gate let it
    /// out, unless its class was too small.
    is: &'static str,
    /// `journal`, or `pipeline` where it was decided anew.
    known_by: &'static str,
    /// The step that filtered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    /// The rules that it breaks, as rejects have them.
    #[serde(skip_serializing_if = "Option::is_none")]
    violations: Option<Value>,
}

/// The cell before and after; null where the cell is null or the row did not get there.
#[derive(Debug, Serialize)]
struct Cells {
    source: Option<String>,
    result: Option<String>,
}

pub(super) fn explain(args: &Args) -> anyhow::Result<Exit> {
    let composed = Composed::new()?;
    let Some(text) = Text::read(&args.manifest) else {
        return Ok(Exit::Usage);
    };
    let Some((manifest, plan)) = text.plan_locked(&composed, args.locked) else {
        return Ok(Exit::Usage);
    };
    let (steps, source, mut sink, _) = match armed(&manifest, &plan, None, &composed) {
        Ok(armed) => armed,
        Err(problems) => {
            text.show(&problems);
            return Ok(Exit::Usage);
        }
    };
    let Some((place, column)) = lineage::column(&manifest, &plan, &steps, &args.column) else {
        say::error("no step leaves a column of that name, and the source has none");
        return Ok(Exit::Usage);
    };
    let run = match run_of(args, &manifest.name, sink.as_mut())? {
        Ok(run) => run,
        Err(problem) => {
            say::error(&problem);
            return Ok(Exit::Usage);
        }
    };
    if let Some(run) = &run
        && run.plan.digest != plan_digest(&plan, &steps, source.as_ref())
    {
        say::note(&format!(
            "the columns, steps, plugins or keys of run {} were others; what is shown of them is as the manifest has it now",
            printable(&run.run)
        ));
    }
    let mut fate = match &run {
        // The chunks of a run over some rows do not say which those were.
        Some(run) if run.plan.rows == PlanRows::All => journal(sink.as_mut(), &run.run, args.row)?,
        _ => None,
    };
    let traced = match fate.is_none() || args.show_cells {
        true => Some(trace(&steps, source.as_ref(), args.row)?),
        false => None,
    };
    let cells = match traced.as_ref().filter(|_| args.show_cells) {
        Some(traced) => Some(cells(traced.as_ref(), &plan, place)?),
        None => None,
    };
    let fate = match fate.take() {
        Some(fate) => fate,
        None => replayed(traced.flatten(), plan.gate.is_some()),
    };
    let gate = manifest.gate.as_ref();
    let seen = lineage::steps(&plan).into_iter();
    let seen = seen.filter(|step| {
        let by_name = column
            .source
            .as_ref()
            .is_some_and(|name| step.reads.contains(name));
        by_name
            || step.reads.contains(&column.name)
            || column.steps.iter().any(|touch| touch.step == step.name)
    });
    let explained = Explained {
        row: args.row,
        steps: seen.collect(),
        generalised: gate.is_some_and(|gate| gate.generalises(&column.name)),
        column,
        run: run.map(|run| run.run),
        fate,
        cells,
    };
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&explained)?),
        false => print(&explained),
    }
    Ok(Exit::Done)
}

/// The run that is asked about; none where the sink keeps no journal, or has no finished run of the pipeline.
fn run_of(
    args: &Args,
    pipeline: &str,
    sink: &mut dyn Sink,
) -> anyhow::Result<Result<Option<Earlier>, String>> {
    let past = sink.past(pipeline)?;
    let Some(run) = &args.run else {
        return Ok(Ok(past.unwrap_or_default().into_iter().next()));
    };
    let Some(past) = past else {
        return Ok(Err(
            "the sink keeps no journal of runs; leave out `--run`".into()
        ));
    };
    let found = past.into_iter().find(|earlier| earlier.run == *run);
    Ok(match found {
        Some(found) => Ok(Some(found)),
        None => Err(format!(
            "`--run` names no finished run of this pipeline; {} has them: glovebox runs {}",
            sink.describe(),
            args.manifest.display()
        )),
    })
}

/// What the journal knows of a row; none where it does not decide between stored and filtered.
fn journal(sink: &mut dyn Sink, run: &str, row: u64) -> anyhow::Result<Option<Fate>> {
    let known = |is, step, violations| Fate {
        is,
        known_by: "journal",
        step,
        violations,
    };
    let mut violations = None;
    sink.rejects(run, &mut |kept| {
        if kept.row == row {
            violations = Some(kept.violations);
        }
    })?;
    if let Some(violations) = violations {
        let violations = serde_json::from_str(&violations).ok();
        return Ok(Some(known("rejected", None, violations)));
    }
    let chunks = sink.chunks(run)?;
    let behind = chunks.partition_point(|chunk| chunk.first_row <= row);
    let chunk = behind.checked_sub(1).and_then(|place| chunks.get(place));
    let Some(chunk) = chunk else {
        return Ok(Some(known("absent", None, None)));
    };
    let is_last = behind == chunks.len();
    let rows = chunk.rows;
    if is_last && row >= chunk.first_row + rows.read {
        return Ok(Some(known("absent", None, None)));
    }
    Ok(match rows.filtered {
        0 => Some(known("stored", None, None)),
        // Which step it was, the journal knows by its counts only.
        _ => None,
    })
}

/// What the pipeline makes of the row now.
fn replayed(traced: Option<Traced>, gated: bool) -> Fate {
    let (is, step, violations) = match traced.map(|traced| traced.fate) {
        None => ("absent", None, None),
        Some(RowFate::Passed) if gated => ("at-gate", None, None),
        Some(RowFate::Passed) => ("stored", None, None),
        Some(RowFate::Filtered { step }) => ("filtered", Some(step), None),
        Some(RowFate::Rejected(reject)) => {
            let violations = serde_json::to_value(&reject.violations).ok();
            ("rejected", None, violations)
        }
    };
    Fate {
        is,
        known_by: "pipeline",
        step,
        violations,
    }
}

fn cells(traced: Option<&Traced>, plan: &Plan, place: usize) -> anyhow::Result<Cells> {
    let last = plan.steps.last().map_or(&plan.source, |step| &step.output);
    let of = |batch: Option<&arrow_array::RecordBatch>, fields: &[Field]| {
        let found = batch.and_then(|batch| batch.columns().get(place));
        match found.zip(fields.get(place)) {
            Some((column, field)) => cell(column, field, 0),
            None => Ok(None),
        }
    };
    let traced = traced.map(|traced| (traced.source.as_ref(), traced.result.as_ref()));
    let (source, result) = traced.unwrap_or_default();
    Ok(Cells {
        source: of(source, &plan.source.fields)?,
        result: of(result, &last.fields)?,
    })
}

fn print(explained: &Explained) {
    let shown = |text: &str| printable(text);
    let column = &explained.column;
    println!("row       {}", explained.row);
    if let Some(run) = &explained.run {
        println!("run       {}", shown(run));
    }
    println!("fate      {}", fate(&explained.fate));
    let from = match &column.source {
        Some(source) => format!("`{}` of the source", shown(source)),
        None => "made by a step".into(),
    };
    let personal = if column.personal { ", personal" } else { "" };
    println!("column    {}: {from}{personal}", shown(&column.name));
    for step in &explained.steps {
        let touch = column.steps.iter().find(|touch| touch.step == step.name);
        print_step(step, touch);
    }
    if explained.generalised {
        println!("release   then generalised; the run's report and proof have the level");
    }
    if let Some(cells) = &explained.cells {
        let cell = |cell: &Option<String>| cell.as_deref().map_or_else(|| "null".into(), printable);
        println!("in source {}", cell(&cells.source));
        println!("result    {}", cell(&cells.result));
    }
}

fn print_step(step: &Step, touch: Option<&Touch>) {
    let signed = step.signed_by.as_ref();
    let signed = signed.map_or_else(String::new, |signer| format!(", signed by {signer}"));
    println!(
        "step      {}: {} ({}), sha256 {}{signed}",
        printable(&step.name),
        printable(&step.plugin),
        step.does,
        step.sha256
    );
    let Some(touch) = touch else {
        println!("          reads it");
        return;
    };
    println!("          {}", printable(&method(touch)));
    if let Some(used) = &touch.key {
        println!("          key {}", printable(&key(used)));
    }
    if step.does == "mask" {
        println!("          leak guard: {}", guard(Some(touch)));
    }
    if let Some(undone_by) = &touch.undone_by {
        println!("          undone by {undone_by}");
    }
}

fn fate(fate: &Fate) -> String {
    let mut text = fate.is.to_owned();
    if let Some(step) = &fate.step {
        text += &format!(" by {}", printable(step));
    }
    let violations = fate.violations.iter().filter_map(Value::as_array).flatten();
    for violation in violations {
        let of = |name: &str| violation.get(name).and_then(Value::as_str).map(printable);
        let (step, rule) = (of("step"), of("rule"));
        let (step, rule) = (step.unwrap_or_default(), rule.unwrap_or_default());
        let column = of("column").unwrap_or_else(|| "the row".into());
        text += &format!("; by {step}: {rule} {column}");
    }
    match fate.known_by {
        "journal" => text + " (by the journal)",
        _ => text + " (as the pipeline decides it now)",
    }
}
