//! `glovebox query`: SQL over what a pipeline makes of its source, as a table, CSV, JSON lines or a chart. Nothing is stored.

mod chart;
mod print;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use arrow_array::RecordBatch;
use clap::ValueEnum;
use glovebox_core::{DataType, QueryFault, QueryProblem, Schema, Source, Unfinished};
use glovebox_engine::{ArmedStep, Fed, Plan, arm, feed};
use glovebox_manifest::size;
use glovebox_sql::{Because, Hidden, Query, Room};

use self::chart::Chart;
use self::print::{Print, Shape};
use super::Exit;
use super::manifest::Text;
use super::run::{progress_bar, stop_when_asked};
use crate::compose::Composed;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pipeline's manifest; its sink is not opened.
    manifest: PathBuf,
    /// A query over the table `rows`: what the last step leaves, and so masked.
    #[arg(value_name = "SELECT")]
    sql: String,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t = Shape::Table)]
    format: Shape,
    /// Draw the result instead: its last column, by the first.
    #[arg(long, value_enum, conflicts_with = "format")]
    chart: Option<Drawing>,
    /// The most rows of a table that are printed; CSV and JSON lines have all.
    #[arg(short = 'n', long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rows: u32,
    /// Memory for sorting, grouping and joining.
    #[arg(long, default_value = "256MiB", value_parser = bytes)]
    memory: u64,
    /// Room on the disk, encrypted, for what does not fit in memory.
    #[arg(long, default_value = "16GiB", value_parser = bytes)]
    spill: u64,
    /// Query personal columns too that no step has masked: for whoever may see the source.
    #[arg(long)]
    show_cells: bool,
    /// Refuse plugin files without a pin; `glovebox plugin pin` writes pins.
    #[arg(long)]
    locked: bool,
}

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Drawing {
    /// A bar for each row.
    Bar,
    /// A line through all rows.
    Line,
    /// How often values fall into which range.
    Histogram,
}

fn bytes(text: &str) -> Result<u64, String> {
    size(text).ok_or_else(|| "write a whole number with KiB, MiB or GiB, like 256MiB".to_owned())
}

pub(super) fn query(args: &Args) -> anyhow::Result<Exit> {
    let composed = Composed::new()?;
    let Some(text) = Text::read(&args.manifest) else {
        return Ok(Exit::Usage);
    };
    let Some((manifest, plan)) = text.plan_locked(&composed, args.locked) else {
        return Ok(Exit::Usage);
    };
    let gate = manifest.gate.as_ref();
    let generalised = |name: &str| gate.is_some_and(|gate| gate.generalises(name));
    let seen = Seen::of(&plan, &generalised, args.show_cells);
    let room = Room {
        memory: usize::try_from(args.memory)?,
        disk: args.spill,
        folder: std::env::temp_dir(),
    };
    let query = match Query::new(&args.sql, &seen.columns, &seen.hidden, &room) {
        Ok(query) => query,
        Err(problem) => {
            show(&args.sql, &problem);
            return Ok(Exit::Usage);
        }
    };
    let armed = arm(&manifest, &plan, &composed).and_then(|steps| {
        let source = glovebox_engine::arm::source(&manifest, plan.source.clone(), &composed)?;
        Ok((steps, source))
    });
    let (steps, source) = match armed {
        Ok(armed) => armed,
        Err(problems) => {
            text.show(&problems);
            return Ok(Exit::Usage);
        }
    };
    let output = query.output().clone();
    match args.chart {
        Some(drawing) => {
            let mut chart = match Chart::new(drawing, &output) {
                Ok(chart) => chart,
                Err(problem) => {
                    eprintln!("error: {problem}");
                    return Ok(Exit::Usage);
                }
            };
            let exit = run(
                query,
                (&plan, &steps),
                source.as_ref(),
                &seen,
                &mut |batch| chart.add(batch),
            )?;
            if exit == Exit::Done {
                print!("{chart}");
            }
            Ok(exit)
        }
        None => {
            let mut print = Print::new(args.format, &output, args.rows as usize);
            let exit = run(
                query,
                (&plan, &steps),
                source.as_ref(),
                &seen,
                &mut |batch| print.add(batch),
            )?;
            if exit == Exit::Done {
                print.end()?;
            }
            Ok(exit)
        }
    }
}

/// The columns that a query sees.
struct Seen {
    columns: Schema,
    /// Where they stand behind the last step.
    places: Vec<usize>,
    /// Those that it does not.
    hidden: Vec<Hidden>,
}

impl Seen {
    /// What the last step leaves, without what is personal still, what a release would generalise once all rows are
    /// known, and what nothing reads; `all` are the first two as well.
    fn of(plan: &Plan, generalised: &dyn Fn(&str) -> bool, all: bool) -> Self {
        let last = plan.steps.last().map_or(&plan.source, |step| &step.output);
        let mut seen = Seen {
            columns: Schema::default(),
            places: Vec::new(),
            hidden: Vec::new(),
        };
        for (place, field) in last.fields.iter().enumerate() {
            let because = match field {
                field if field.data_type == DataType::Opaque => Some(Because::Opaque),
                _ if all => None,
                field if field.personal => Some(Because::Personal),
                field if generalised(&field.name) => Some(Because::Generalised),
                _ => None,
            };
            match because {
                Some(because) => seen.hidden.push(Hidden {
                    name: field.name.to_string(),
                    because,
                }),
                None => {
                    seen.places.push(place);
                    seen.columns.fields.push(field.clone());
                }
            }
        }
        seen
    }
}

fn run(
    query: Query,
    (plan, steps): (&Plan, &[ArmedStep<'_>]),
    source: &dyn Source,
    seen: &Seen,
    each: &mut dyn FnMut(&RecordBatch) -> anyhow::Result<()>,
) -> anyhow::Result<Exit> {
    let stop = stop_when_asked()?;
    let bar = progress_bar(source);
    let counts: Mutex<Option<Fed>> = Mutex::new(None);
    let rows = |pass: &mut dyn FnMut(RecordBatch) -> bool| {
        let position = |position| bar.set_position(position);
        let fed = feed((plan, steps), source, &seen.places, &position, pass)?;
        // A query may read its rows several times, and once is as good as the other.
        *counts.lock().unwrap_or_else(PoisonError::into_inner) = Some(fed);
        Ok(())
    };
    let ended = query.run(&[&rows], &stop, &mut |batch| {
        bar.finish_and_clear();
        each(batch)
    });
    bar.finish_and_clear();
    let problem = match ended {
        Ok(()) => {
            let fed = counts.into_inner().unwrap_or_else(PoisonError::into_inner);
            if let Some(fed) = fed.filter(|fed| fed.filtered + fed.rejected > 0) {
                eprintln!(
                    "{} rows read, {} filtered and {} rejected before the query",
                    fed.read, fed.filtered, fed.rejected
                );
            }
            return Ok(Exit::Done);
        }
        Err(Unfinished::Other(error)) => return Err(error),
        Err(Unfinished::Failed(QueryFault::Other)) => "the query fails on a row".to_owned(),
        Err(Unfinished::Failed(fault)) => fault.sentence().to_owned(),
        Err(Unfinished::Memory) => {
            "the query needs more memory: raise it with --memory, or ask for less".to_owned()
        }
        Err(Unfinished::Disk) => format!(
            "the query needs more room than --spill gives, or than there is in {}",
            std::env::temp_dir().display()
        ),
        Err(Unfinished::Stopped) => "stopped".to_owned(),
    };
    eprintln!("error: {problem}");
    Ok(Exit::Failed)
}

/// A problem under the query's line.
fn show(sql: &str, problem: &QueryProblem) {
    eprintln!("error: {}", problem.message);
    if let Some(at) = &problem.at {
        let start = sql.get(..at.start).and_then(|before| before.rfind('\n'));
        let start = start.map_or(0, |end| end + 1);
        let line = sql.get(start..).and_then(|rest| rest.lines().next());
        let before = sql.get(start..at.start).unwrap_or_default();
        let marked = sql.get(at.clone()).unwrap_or_default();
        let marked = marked.lines().next().unwrap_or_default();
        let width = |text: &str| unicode_width::UnicodeWidthStr::width(text);
        eprintln!("  | {}", line.unwrap_or_default());
        eprintln!(
            "  | {}{}",
            " ".repeat(width(before)),
            "^".repeat(width(marked).max(1))
        );
    }
    if let Some(help) = &problem.help {
        eprintln!("  = help: {help}");
    }
}
