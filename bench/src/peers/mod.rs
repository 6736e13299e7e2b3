//! The same job by us and by others, by turns in one run: polars, DuckDB, pandas, psql, psycopg2.

mod api;
mod csv;
mod executors;
mod formats;
mod modes;
mod postgres;
mod shards;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

pub(crate) use api::measure as api;
pub(crate) use csv::measure as csv;
pub(crate) use formats::measure as formats;
pub(crate) use modes::measure as modes;
pub(crate) use postgres::TABLE;
pub(crate) use postgres::measure as postgres;
pub(crate) use shards::measure as shards;

use crate::median;

const ROWS: u64 = 2_000_000;
const TURNS: usize = 5;

/// Python with the contenders' packages, by `cargo xtask bench`.
fn python() -> anyhow::Result<PathBuf> {
    let python = std::env::var_os("GLOVEBOX_PEERS").context(
        "the peers are not installed: they need python3 with venv, and `cargo xtask bench peers`",
    )?;
    Ok(python.into())
}

pub(super) fn script(name: &str) -> anyhow::Result<Command> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("peers")
        .join(name);
    let mut command = Command::new(python()?);
    command.arg(path);
    Ok(command)
}

/// One contender's seconds, a turn each.
#[derive(Clone)]
pub(super) struct Contender {
    pub(super) name: &'static str,
    pub(super) seconds: Vec<f64>,
}

pub(super) fn contenders<const N: usize>(names: [&'static str; N]) -> [Contender; N] {
    names.map(|name| Contender {
        name,
        seconds: Vec::new(),
    })
}

/// A line a contender: its median, its range, and how ours stands to it.
pub(super) fn table(job: &str, ours: &Contender, others: &[Contender], goal: &str) -> Vec<String> {
    let middle = |c: &Contender| median(c.seconds.clone());
    let range = |c: &Contender| {
        let least = c.seconds.iter().copied().fold(f64::INFINITY, f64::min);
        let most = c.seconds.iter().copied().fold(0.0, f64::max);
        format!("{:.2} s ({least:.2} to {most:.2})", middle(c))
    };
    let mut lines: Vec<String> = others
        .iter()
        .map(|c| format!("| {job}: {} | {} | |", c.name, range(c)))
        .collect();
    let ratios: Vec<String> = others
        .iter()
        .map(|c| format!("{:.2} × {}", middle(ours) / middle(c), c.name))
        .collect();
    lines.push(format!(
        "| {job}: {} | {}: {} | {goal} |",
        ours.name,
        range(ours),
        ratios.join(", ")
    ));
    lines
}
