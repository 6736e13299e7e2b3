//! How time and memory grow with each thing that there can be more of: rows, columns, files, steps, rejects, distinct
//! values, workers. A table for each, and one picture of them all.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::csv::MANIFEST;
use crate::plot::{self, Panel, Point};
use crate::{generate, glovebox};

/// Rows where something else grows.
const ROWS: u64 = 1_000_000;
/// Cells of files that differ in their columns.
const CELLS: u64 = 20_000_000;
/// Rows where each step costs time.
const ROWS_OF_STEPS: u64 = 20_000;

/// What grows.
struct Series {
    name: &'static str,
    /// What stays the same meanwhile.
    of: String,
    sizes: &'static [u64],
    case: fn(&Path, u64) -> anyhow::Result<Case>,
}

/// A pipeline to run.
struct Case {
    manifest: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(&'static str, &'static str)>,
}

impl Case {
    fn of(folder: &Path, manifest: &str) -> anyhow::Result<Case> {
        let path = folder.join("growth.yaml");
        fs::write(&path, manifest)?;
        Ok(Case {
            manifest: path,
            arguments: Vec::new(),
            variables: Vec::new(),
        })
    }
}

/// Measures all series; the picture is left beside the program.
pub(crate) fn measure() -> anyhow::Result<Vec<String>> {
    let mut told = Vec::new();
    let mut panels = Vec::new();
    for series in series() {
        let mut points = Vec::new();
        for &size in series.sizes {
            let folder = tempfile::tempdir()?;
            let case = (series.case)(folder.path(), size)
                .with_context(|| format!("{} {size}", series.name))?;
            let arguments: Vec<&str> = case.arguments.iter().map(String::as_str).collect();
            let ran = glovebox::run_with(&case.manifest, &arguments, &case.variables)?;
            let point = Point {
                size,
                seconds: ran.wall.as_secs_f64(),
                mebibytes: ran.mebibytes(),
            };
            told.push(format!(
                "| {} {size} ({}) | {:.2} s, {:.0} MiB | |",
                series.name, series.of, point.seconds, point.mebibytes
            ));
            points.push(point);
        }
        panels.push(Panel {
            name: series.name,
            of: series.of,
            points,
        });
    }
    let picture = glovebox::program()?.with_file_name("growth.svg");
    plot::draw(&picture, &panels)?;
    told.push(format!("| the picture | {} | |", picture.display()));
    Ok(told)
}

fn series() -> Vec<Series> {
    let rows = |rest: &str| format!("{ROWS} rows{rest}");
    vec![
        Series {
            name: "rows",
            of: "7 columns, `required`, `partial`".into(),
            sizes: &[10_000, 100_000, 1_000_000, 10_000_000, 100_000_000],
            case: of_rows,
        },
        Series {
            name: "columns",
            of: format!("{CELLS} cells"),
            sizes: &[2, 20, 200, 2_000],
            case: of_columns,
        },
        Series {
            name: "files",
            of: rows(" in all"),
            sizes: &[1, 10, 100, 1_000, 10_000],
            case: of_files,
        },
        Series {
            name: "steps",
            of: format!("{ROWS_OF_STEPS} rows"),
            sizes: &[1, 10, 100, 1_000, 5_000],
            case: of_steps,
        },
        Series {
            name: "rejects, in percent",
            of: rows(""),
            sizes: &[0, 1, 10, 50, 100],
            case: of_rejects,
        },
        Series {
            name: "distinct values",
            of: rows(", HMAC-SHA-256"),
            sizes: &[1, 1_000, 1_000_000],
            case: of_values,
        },
        Series {
            name: "workers",
            of: rows(""),
            sizes: &[1, 2, 4, 8],
            case: of_workers,
        },
    ]
}

fn of_rows(folder: &Path, rows: u64) -> anyhow::Result<Case> {
    generate::people(&folder.join("people.csv"), rows)?;
    Case::of(folder, MANIFEST)
}

fn of_workers(folder: &Path, workers: u64) -> anyhow::Result<Case> {
    let mut case = of_rows(folder, ROWS)?;
    case.arguments = vec!["--workers".into(), workers.to_string()];
    Ok(case)
}

/// The same rows, split.
fn of_files(folder: &Path, files: u64) -> anyhow::Result<Case> {
    let input = folder.join("in");
    fs::create_dir(&input)?;
    for file in 0..files {
        generate::people(&input.join(format!("{file}.csv")), ROWS / files)?;
    }
    Case::of(folder, &MANIFEST.replace("path: people.csv", "path: in"))
}

fn of_columns(folder: &Path, columns: u64) -> anyhow::Result<Case> {
    let names: Vec<String> = (0..columns).map(|column| format!("c{column}")).collect();
    let mut out = writer(folder)?;
    writeln!(out, "{}", names.join(","))?;
    let row = vec!["some text"; names.len()].join(",");
    for _ in 0..CELLS / columns {
        writeln!(out, "{row}")?;
    }
    out.flush()?;
    let mut manifest = String::from("name: wide\nsource: { csv: { path: in.csv } }\ncolumns:\n");
    for name in &names {
        writeln!(manifest, "  {name}: {{ type: text }}")?;
    }
    manifest.push_str(
        "steps:\n  - { name: there, validate: required, reads: [c0] }\nsink: { csv: { path: out.csv } }\n",
    );
    Case::of(folder, &manifest)
}

fn of_steps(folder: &Path, steps: u64) -> anyhow::Result<Case> {
    generate::people(&folder.join("people.csv"), ROWS_OF_STEPS)?;
    let all: String = (0..steps)
        .map(|step| format!("  - {{ name: s{step}, validate: required, reads: [id] }}\n"))
        .collect();
    let (head, rest) = MANIFEST
        .split_once("steps:\n")
        .context("the manifest has changed")?;
    Case::of(folder, &format!("{head}steps:\n{all}{rest}"))
}

/// Rows of which so many in a hundred have no address.
fn of_rejects(folder: &Path, percent: u64) -> anyhow::Result<Case> {
    let mut out = writer(folder)?;
    writeln!(out, "id,email")?;
    for id in 0..ROWS {
        match id % 100 < percent {
            true => writeln!(out, "{id},")?,
            false => writeln!(out, "{id},somebody@mail.net")?,
        }
    }
    out.flush()?;
    Case::of(
        folder,
        "name: rejected
source: { csv: { path: in.csv } }
columns: { id: { type: int64 }, email: { type: text } }
steps:
  - { name: there, validate: required, reads: [email] }
sink: { csv: { path: out.csv, replace-with-nothing: true } }
",
    )
}

fn of_values(folder: &Path, distinct: u64) -> anyhow::Result<Case> {
    let mut out = writer(folder)?;
    writeln!(out, "id,email")?;
    for id in 0..ROWS {
        writeln!(out, "{id},somebody{}@mail.net", id % distinct)?;
    }
    out.flush()?;
    let mut case = Case::of(
        folder,
        "name: distinct
source: { csv: { path: in.csv } }
columns: { id: { type: int64 }, email: { type: text, personal: true } }
credentials: [env]
steps:
  - { name: mask, mask: pseudonym, masks: [email], with: { method: hmac-sha256 }, keys: { pseudonym: salt } }
sink: { csv: { path: out.csv } }
",
    )?;
    case.variables = vec![("GLOVEBOX_SECRET_SALT", "a salt of enough bytes for a key")];
    Ok(case)
}

fn writer(folder: &Path) -> std::io::Result<BufWriter<File>> {
    let file = File::create(folder.join("in.csv"))?;
    Ok(BufWriter::with_capacity(1 << 20, file))
}
