//! What the sandbox costs whole runs: of each standard plugin, its code sandboxed and the same code native on
//! rows of the benchmark's file, and the processor time of a run with it as its one step. The difference of the
//! first two, times the rows, is the sandbox's share of the third.

mod case;
mod cases;
mod native;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use arrow_array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use glovebox_core::{Batch, DataType, Field, Grants, Limits, Origin, Schema};
use glovebox_sandbox::Sandbox;

use self::case::Case;
use self::cases::CASES;
use crate::{generate, glovebox, median};

const ROWS: u64 = 2_000_000;
/// Rows of a call, as in a run.
const BATCH: usize = 8192;
const CALLS: usize = 50;
/// So much of a processor's time at least is measured at once.
const LEAST: Duration = Duration::from_millis(50);
const REPEATS: usize = 9;
const RUNS: usize = 5;
const PLUGINS: &str = env!("GLOVEBOX_PLUGIN_FOLDER");

/// Nanoseconds a row.
struct Cost {
    native: f64,
    sandboxed: f64,
    /// Processor time of the run with the step.
    run: f64,
}

impl Cost {
    fn share(&self) -> f64 {
        (self.sandboxed - self.native) / self.run * 100.0
    }
}

pub(crate) fn measure() -> anyhow::Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let input = folder.path().join("people.csv");
    generate::people(&input, ROWS).context("cannot write the input")?;
    let rows = rows(&std::fs::read_to_string(&input)?)?;
    let mut lines = Vec::new();
    let mut all = Vec::new();
    for case in CASES {
        let cost = cost(case, folder.path(), &rows).with_context(|| case.name.to_owned())?;
        lines.push(format!(
            "| `{}`: native, sandboxed; the run with it | {:.1}, {:.1} ns a row: {:.1} ×; {:.0} ns of processor time: {:.1} % of it | ≤ 3 % |",
            case.name,
            cost.native,
            cost.sandboxed,
            cost.sandboxed / cost.native,
            cost.run,
            cost.share(),
        ));
        all.push(cost);
    }
    let steps: Vec<&str> = CASES.iter().map(|case| case.step).collect();
    let run = processor_time(folder.path(), &steps)?;
    let more: f64 = all.iter().map(|cost| cost.sandboxed - cost.native).sum();
    lines.push(format!(
        "| all {} in one run | {run:.0} ns of processor time a row, of them {more:.1} the sandbox's: {:.1} % | ≤ 3 % |",
        CASES.len(),
        more / run * 100.0
    ));
    Ok(lines)
}

fn cost(case: &Case, folder: &std::path::Path, rows: &RecordBatch) -> anyhow::Result<Cost> {
    let mut native = (case.native)(case, rows)?;
    let mut sandboxed = sandboxed(case, rows)?;
    // By turns, so that both meet the same machine.
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..REPEATS {
        times.0.push(per_row(&mut native)?);
        times.1.push(per_row(&mut sandboxed)?);
    }
    Ok(Cost {
        native: median(times.0),
        sandboxed: median(times.1),
        run: processor_time(folder, &[case.step])?,
    })
}

/// By processor time, which other work on the machine hardly touches.
fn per_row(work: &mut dyn FnMut()) -> anyhow::Result<f64> {
    let started = glovebox::thread_time()?;
    let mut calls = 0;
    loop {
        for _ in 0..CALLS {
            work();
        }
        calls += CALLS;
        let took = glovebox::thread_time()?.saturating_sub(started);
        if took >= LEAST {
            return Ok(took.as_nanos() as f64 / (calls * BATCH) as f64);
        }
    }
}

fn sandboxed(case: &Case, rows: &RecordBatch) -> anyhow::Result<Box<dyn FnMut()>> {
    let component = std::path::Path::new(PLUGINS).join(format!("{}.wasm", case.name));
    let component = std::fs::read(component).context("run `cargo xtask plugins` first")?;
    let plugin = Sandbox::new(None)?.load(case.name, &component, &Limits::default())?;
    let batch = Batch::new(case.reads(rows)?, Origin::contiguous(0));
    let fields = case.reads.iter().map(|name| field(name));
    let fields = fields.collect::<anyhow::Result<Vec<_>>>()?;
    let adds = case
        .adds
        .iter()
        .map(|name| Field::new(*name, DataType::Int64));
    let grants = Grants {
        masks: if case.masks {
            (0..fields.len()).collect()
        } else {
            Vec::new()
        },
        fields,
        adds: adds.collect(),
    };
    let mut instance = plugin.open(case.with, &grants)?;
    // The first call says whether it works at all.
    instance.apply(&batch)?;
    Ok(Box::new(move || {
        black_box(instance.apply(black_box(&batch)).is_ok());
        // The plugin's engine must outlive its instances.
        black_box(&plugin);
    }))
}

/// Of a run with these steps, a row.
fn processor_time(folder: &std::path::Path, steps: &[&str]) -> anyhow::Result<f64> {
    let manifest = folder.join("people.yaml");
    std::fs::write(&manifest, cases::manifest(steps))?;
    let secrets = [("GLOVEBOX_SECRET_KEY", cases::KEY)];
    // Compiles what is not cached.
    glovebox::run_with(&manifest, &[], &secrets)?;
    let before = glovebox::processor_time()?;
    for _ in 0..RUNS {
        let ran = glovebox::run_with(&manifest, &[], &secrets)?;
        let read = ran.number("/rows/read");
        ensure!(read == Some(ROWS as f64), "read {read:?} of {ROWS} rows");
    }
    let took = glovebox::processor_time()? - before;
    Ok(took.as_nanos() as f64 / (RUNS as u64 * ROWS) as f64)
}

fn field(name: &str) -> anyhow::Result<Field> {
    let data_type = cases::COLUMNS.iter().find(|(n, _)| *n == name);
    let (name, data_type) = data_type.context("a column that the file does not have")?;
    Ok(Field::new(*name, *data_type))
}

/// The file's first rows. No cell of it is quoted.
fn rows(file: &str) -> anyhow::Result<RecordBatch> {
    let lines: Vec<Vec<&str>> = file
        .lines()
        .skip(1)
        .take(BATCH)
        .map(|line| line.split(',').collect())
        .collect();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (place, (name, data_type)) in cases::COLUMNS.iter().enumerate() {
        let cells = lines.iter().map(|line| line.get(place).copied());
        let cells: Option<Vec<&str>> = cells.collect();
        let cells = cells.context("a short line")?.into_iter();
        columns.push(match data_type {
            DataType::Int64 => {
                let cells: Result<Vec<i64>, _> = cells.map(str::parse).collect();
                Arc::new(Int64Array::from(cells?))
            }

            DataType::Float64 => {
                let cells: Result<Vec<f64>, _> = cells.map(str::parse).collect();
                Arc::new(Float64Array::from(cells?))
            }
            DataType::Date => Arc::new(Date32Array::from_iter_values(
                // Whole days of some year: which is of no matter to the plugins.
                cells.enumerate().map(|(row, _)| (row * 7 % 9_000) as i32),
            )),
            DataType::Text => Arc::new(StringArray::from_iter_values(cells)),
            other => anyhow::bail!("{name} is {other}"),
        });
    }
    let fields = cases::COLUMNS.iter().map(|(n, t)| Field::new(*n, *t));
    Ok(RecordBatch::try_new(
        Schema::new(fields.collect::<Vec<_>>()).to_arrow(),
        columns,
    )?)
}
