//! CSV to CSV: one validator, one partial mask, all cores.

use anyhow::Context;

use crate::{generate, glovebox, median};

pub(crate) const MANIFEST: &str = "\
name: people
source: { csv: { path: people.csv } }
columns:
  id: { type: int64 }
  first: { type: text }
  last: { type: text }
  email: { type: text }
  ssn: { type: text, personal: true }
  amount: { type: float64 }
  joined: { type: date }
steps:
  - { name: complete, validate: required, reads: [id, email] }
  - { name: mask, mask: partial, masks: [ssn], with: { mask-last: 4 } }
sink: { csv: { path: out.csv } }
";

pub(crate) fn measure(rows: u64) -> anyhow::Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let input = folder.path().join("people.csv");
    let manifest = folder.path().join("people.yaml");
    generate::people(&input, rows).context("cannot write the input")?;
    std::fs::write(&manifest, MANIFEST)?;
    let bytes = std::fs::metadata(&input)?.len();

    let repeats = if rows > 5_000_000 { 1 } else { 5 };
    let mut seconds = Vec::new();
    let mut memory = Vec::new();
    for _ in 0..repeats {
        let ran = glovebox::run(&manifest)?;
        let stored = ran.number("/rows/stored");
        anyhow::ensure!(
            stored == Some(rows as f64),
            "stored {stored:?} of {rows} rows"
        );
        seconds.push(ran.wall.as_secs_f64());
        memory.push(ran.mebibytes());
    }
    let (seconds, memory) = (median(seconds), median(memory));
    let millions = rows / 1_000_000;
    Ok(vec![
        format!(
            "| {millions} M rows ({:.0} MB, {:.0} bytes a row), CSV → `required`, `partial` → CSV | {:.2} s, {:.2} M rows/s | ≥ 1 M rows/s |",
            bytes as f64 / 1e6,
            bytes as f64 / rows as f64,
            seconds,
            rows as f64 / seconds / 1e6,
        ),
        format!("| its peak memory | {memory:.0} MiB | ≤ 150 MiB, the same at 20 M rows |"),
    ])
}
