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
const CALLS: usize = 500;
const REPEATS: usize = 9;
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
        let times = (0..REPEATS).map(|_| per_row(&kept, &raw, &mask)).collect();
        rows.push(format!(
            "| guard, {what} | {:.1} ns a row | |",
            median(times)
        ));
    }
    rows.push(job()?);
    Ok(rows)
}

fn per_row(kept: &Kept, raw: &ArrayRef, mask: &ArrayRef) -> f64 {
    let started = Instant::now();
    for _ in 0..CALLS {
        black_box(leaks(kept, black_box(raw), Mask::Values(black_box(mask))).is_ok());
    }
    started.elapsed().as_nanos() as f64 / (CALLS * ROWS) as f64
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
    let mut in_step = (Vec::new(), Vec::new());
    for _ in 0..JOBS {
        for (manifest, seconds, in_step) in [
            (&on, &mut seconds.0, &mut in_step.0),
            (&off, &mut seconds.1, &mut in_step.1),
        ] {
            let ran = glovebox::run(manifest)?;
            seconds.push(ran.wall.as_secs_f64());
            in_step.push(ran.number("/steps/1/seconds").unwrap_or(f64::NAN));
        }
    }
    let (on, off) = (median(seconds.0), median(seconds.1));
    let step = (median(in_step.0) - median(in_step.1)) / JOB_ROWS as f64 * 1e9;
    Ok(format!(
        "| guard in the job of `csv` | {on:.3} s with, {off:.3} s without: {:+.1} %; {step:.1} ns a row in its step | |",
        (on / off - 1.0) * 100.0
    ))
}
