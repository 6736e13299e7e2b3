//! The leak guard: by itself over masked columns, and what a whole CSV job loses to it.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use arrow_array::{ArrayRef, StringArray};
use glovebox_core::Kept;
use glovebox_engine::guard::{Mask, leaks};

use crate::{csv, generate, glovebox, median};

const ROWS: usize = 8192;
const CALLS: usize = 5_001;
const JOB_ROWS: u64 = 2_000_000;
const JOBS: usize = 15;

pub(crate) fn measure() -> anyhow::Result<Vec<String>> {
    let mut rows = Vec::new();
    // As random as those of the job's file: in rows that count up, masks hold cells' digits too often.
    let number = |i: usize| {
        let r = (i as u64).wrapping_mul(6_364_136_223_846_793_005) >> 33;
        format!(
            "{:03}-{:02}-{:04}",
            r % 900 + 1,
            r / 7 % 99 + 1,
            r / 11 % 9_999 + 1
        )
    };
    let name = |i: usize| format!("Zoë Müller-{}", i % 9999);
    let cases: [(&str, Kept, Vec<String>, Vec<String>); 4] = [
        (
            "`123-45-6789` as `123-45-XXXX`",
            Kept::Nothing,
            (0..ROWS).map(number).collect(),
            (0..ROWS).map(|i| format!("{:.7}XXXX", number(i))).collect(),
        ),
        (
            "`123-45-6789` as `[redacted]`",
            Kept::Constant("[redacted]".into()),
            (0..ROWS).map(number).collect(),
            vec!["[redacted]".into(); ROWS],
        ),
        (
            "`Zoë Müller-17` as `Zoë XXXXXXXXX`",
            Kept::Nothing,
            (0..ROWS).map(name).collect(),
            vec!["Zoë XXXXXXXXX".into(); ROWS],
        ),
        (
            "`80331` kept whole by a prefix of 5",
            Kept::Characters(5),
            (0..ROWS).map(|i| format!("{:05}", i * 7)).collect(),
            (0..ROWS).map(|i| format!("{:05}", i * 7)).collect(),
        ),
    ];
    for (what, kept, raw, mask) in cases {
        let raw: ArrayRef = Arc::new(StringArray::from_iter_values(raw));
        let mask: ArrayRef = Arc::new(StringArray::from_iter_values(mask));
        let found = leaks(&kept, &raw, Mask::Values(&mask))?;
        anyhow::ensure!(found.is_empty(), "a leak in {what}");
        let times = (0..CALLS).map(|_| per_row(&kept, &raw, &mask)).collect();
        rows.push(format!(
            "| guard, {what} | {:.1} ns a row | |",
            median(times)
        ));
    }
    rows.push(job()?);
    Ok(rows)
}

/// One call: short enough that a busy machine seldom breaks it off.
fn per_row(kept: &Kept, raw: &ArrayRef, mask: &ArrayRef) -> f64 {
    let started = Instant::now();
    black_box(leaks(kept, black_box(raw), Mask::Values(black_box(mask))).is_ok());
    started.elapsed().as_nanos() as f64 / ROWS as f64
}

/// The CSV job with the guard and without, turn by turn, so that both meet the same machine.
fn job() -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    generate::people(&folder.path().join("people.csv"), JOB_ROWS)
        .context("cannot write the input")?;
    let (on, off) = (
        folder.path().join("on.yaml"),
        folder.path().join("off.yaml"),
    );
    std::fs::write(&on, csv::MANIFEST)?;
    std::fs::write(&off, format!("{}leak-guard: off\n", csv::MANIFEST))?;
    let mut seconds = (Vec::new(), Vec::new());
    for _ in 0..JOBS {
        seconds.0.push(glovebox::run(&on)?.wall.as_secs_f64());
        seconds.1.push(glovebox::run(&off)?.wall.as_secs_f64());
    }
    let (on, off) = (median(seconds.0), median(seconds.1));
    Ok(format!(
        "| guard in the job of `csv` | {on:.3} s with, {off:.3} s without: {:+.1} % | |",
        (on / off - 1.0) * 100.0
    ))
}
