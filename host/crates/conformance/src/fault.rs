//! Narrows a fault down to the row that causes it, and describes it with everything that helps an
//! author.

use glovebox_core::{Batch, Fault, Grants, PluginError};
use glovebox_sandbox::{Channel, Frame, GuestOutput, Watched};

use super::effect::shape;

/// The most lines of a guest's words that are shown at once, of the log and of each stream.
const SHOWN: usize = 200;

/// The number of the row that alone makes a fault of the same kind; none if only several together
/// do.
pub fn culprit(
    plugin: &Watched,
    config: &str,
    grants: &Grants,
    batch: &Batch,
    fault: &Fault,
) -> Option<u64> {
    let silence = GuestOutput::default();
    let faulty = |part: &Batch| {
        let opened = plugin.open(config, grants, &silence);
        let outcome = opened.map_or_else(Err, |mut sitting| {
            sitting.apply(part).map(|_| ()).map_err(PluginError::Fault)
        });
        let _ = silence.take();
        matches!(outcome, Err(PluginError::Fault(f)) if f.kind == fault.kind)
    };
    let mut part = batch.clone();
    while part.rows() > 1 {
        let half = part.rows() / 2;
        let halves = [part.slice(0, half), part.slice(half, part.rows() - half)];
        part = halves.into_iter().find(|half| faulty(half))?;
    }
    (part.rows() == 1).then(|| part.origin.row(0))
}

/// The fault in lines: what, the input's shape, the row, the backtrace.
pub fn told(
    fault: &Fault,
    frames: &[Frame],
    fields: &[glovebox_core::Field],
    rows: usize,
    row: Option<u64>,
) -> Vec<String> {
    let mut lines = vec![fault.in_full(), format!("given {}", shape(fields, rows))];
    match row {
        Some(row) if rows > 1 => lines.push(format!("row {row} alone causes it")),
        _ => {}
    }
    lines.extend(backtrace(frames));
    lines
}

/// The frames, innermost first.
pub fn backtrace(frames: &[Frame]) -> Vec<String> {
    let mut lines = Vec::new();
    if !frames.is_empty() {
        lines.push("backtrace, innermost first:".into());
        lines.extend(frames.iter().map(|f| format!("  {f}")));
        if frames.iter().all(|f| f.file.is_none()) {
            lines.push(
                "  (files and lines need debug information: build with `debug = \"line-tables-only\"` and `strip = false` in the profile)".into(),
            );
        }
    }
    lines
}

/// What a guest wrote, a line each with where it wrote it.
pub fn words(words: &GuestOutput) -> Vec<String> {
    let (lines, cut) = words.take();
    let (mut log, mut out, mut error, mut more) = (0, 0, 0, 0);
    let mut told = Vec::new();
    for line in lines {
        let (count, name) = match line.voice {
            Channel::Log(level) => (&mut log, format!("log {level}")),
            Channel::Out => (&mut out, "stdout".to_owned()),
            Channel::Error => (&mut error, "stderr".to_owned()),
        };
        *count += 1;
        if *count > SHOWN {
            more += 1;
        } else {
            told.push(format!("{name:9} | {}", line.text));
        }
    }
    if more > 0 {
        told.push(format!("… and {more} more lines"));
    }
    if cut {
        told.push("… and the rest beyond 64 KiB of each".into());
    }
    told
}
