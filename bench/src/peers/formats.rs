//! The same rows from each format into CSV, and from CSV into each format, without a step: what reading
//! and writing costs.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use super::{Contender, ROWS, TURNS, contenders, script, table};
use crate::csv::MANIFEST;
use crate::timed::seconds;
use crate::{generate, glovebox};

const SCRIPT: &str = "formats.py";
const SOURCE: &str = "{ csv: { path: people.csv } }";
const SINK: &str = "{ csv: { path: out.csv } }";

/// A name for it, the source's file, the sink's file.
const JOBS: [(&str, &str, &str); 6] = [
    ("CSV → CSV", "people.csv", "out.csv"),
    ("CSV in gzip → CSV", "people.csv.gz", "out.csv"),
    ("JSON lines → CSV", "people.jsonl", "out.csv"),
    ("Parquet → CSV", "people.parquet", "out.csv"),
    ("CSV → JSON lines", "people.csv", "out.jsonl"),
    ("CSV → Parquet", "people.csv", "out.parquet"),
];

/// By turns, a job after the other.
pub(crate) fn measure() -> anyhow::Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    generate::people(&path("people.csv"), ROWS)?;
    let mut make = script(SCRIPT)?;
    seconds(make.arg("make").arg(path("people.csv")).arg(folder.path()))?;
    let mut lines = Vec::new();
    for (job, source, sink) in JOBS {
        std::fs::write(path("job.yaml"), manifest(source, sink)?)?;
        let [mut ours, others @ ..] = contenders(["glovebox", "polars", "DuckDB"]);
        let mut others = others;
        for _ in 0..TURNS {
            let ran = glovebox::run(&path("job.yaml"))?;
            ours.seconds.push(ran.wall.as_secs_f64());
            whole(&path(sink))?;
            for contender in &mut others {
                let mut command = peer(contender)?;
                command.args([path(source), path(sink)]);
                contender.seconds.push(seconds(&mut command)?);
                whole(&path(sink))?;
            }
        }
        let job = format!("{} M rows, {job}", ROWS / 1_000_000);
        lines.extend(table(&job, &ours, &others, "≤ 1.0 × polars"));
    }
    let mut starts = contenders(["polars", "DuckDB"]);
    for _ in 0..TURNS {
        for contender in &mut starts {
            contender.seconds.push(seconds(&mut peer(contender)?)?);
        }
    }
    for start in &starts {
        let seconds = crate::median(start.seconds.clone());
        let name = start.name;
        lines.push(format!(
            "| of each time of {name}: starting Python and importing it | {seconds:.2} s | |"
        ));
    }
    Ok(lines)
}

fn peer(contender: &Contender) -> anyhow::Result<Command> {
    let mut command = script(SCRIPT)?;
    command.arg(contender.name.to_lowercase());
    Ok(command)
}

/// The columns of the job of `csv`, no step.
fn manifest(source: &str, sink: &str) -> anyhow::Result<String> {
    let kind = |file: &str| match file.split('.').nth(1) {
        Some(kind) => Ok(format!("{{ {kind}: {{ path: {file} }} }}")),
        None => anyhow::bail!("{file} has no ending"),
    };
    let (head, steps) = MANIFEST.split_once("steps:").context("no steps")?;
    let (_, tail) = steps.split_once("sink:").context("no sink")?;
    // Without a mask nothing may be personal.
    let head = head.replace(", personal: true", "");
    Ok(format!(
        "{}sink:{}",
        head.replace(SOURCE, &kind(source)?),
        tail.replace(SINK, &kind(sink)?)
    ))
}

/// Whether a file has all rows.
fn whole(path: &Path) -> anyhow::Result<()> {
    let ending = path.extension().and_then(|e| e.to_str());
    let rows = match ending {
        Some("parquet") => {
            let counted = script(SCRIPT)?.arg("count").arg(path).output()?;
            String::from_utf8_lossy(&counted.stdout).trim().parse()?
        }
        _ => {
            let mut lines = BufReader::with_capacity(1 << 20, File::open(path)?);
            let mut rows = 0;
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line)? > 0 {
                rows += 1;
                line.clear();
            }
            rows - u64::from(ending == Some("csv"))
        }
    };
    ensure!(rows == ROWS, "{}: {rows} rows", path.display());
    // What is left of it would be there for the next one.
    std::fs::remove_file(path)?;
    Ok(())
}
