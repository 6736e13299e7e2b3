//! A plugin's speed: the median of several calls, for several batch sizes.
//! Not the average, which a single slow call on a busy machine would distort.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use glovebox_core::{Batch, Field};
use glovebox_sandbox::WatchedInstance;

use super::batches;

/// Rows a call: a run's own size is 8,192.
pub const SIZES: [usize; 6] = [1, 16, 256, 1_024, 8_192, 65_536];

/// How long one size is measured, and with how many calls at least and at most.
const TIME_PER_SIZE: Duration = Duration::from_millis(200);
const MIN_CALLS: usize = 3;
const MAX_CALLS: usize = 10_000;

/// One size.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Rows of the batch.
    pub rows: usize,
    /// The middle time of a call.
    pub call: Duration,
}

impl Timing {
    /// Nanoseconds a row.
    pub fn nanos_a_row(&self) -> f64 {
        nanos_a_row(self.call, self.rows)
    }
}

/// Every size, on one instance.
pub fn measure(sitting: &mut WatchedInstance, fields: &[Field]) -> anyhow::Result<Vec<Timing>> {
    SIZES
        .into_iter()
        .map(|rows| {
            let batch = batches::plain(fields, rows)?;
            let call = of(sitting, &batch)?;
            Ok(Timing { rows, call })
        })
        .collect()
}

/// The middle of several calls with this batch.
pub fn of(sitting: &mut WatchedInstance, batch: &Batch) -> anyhow::Result<Duration> {
    let mut times = Vec::new();
    let started = Instant::now();
    while times.len() < MIN_CALLS || (started.elapsed() < TIME_PER_SIZE && times.len() < MAX_CALLS)
    {
        let called = Instant::now();
        sitting.apply(batch).map_err(|fault| anyhow!("{fault}"))?;
        times.push(called.elapsed());
    }
    times.sort_unstable();
    let middle = times.get(times.len() / 2).copied();
    middle.ok_or_else(|| anyhow!("no call was measured"))
}

/// Nanoseconds a row of a batch that took so long.
pub fn nanos_a_row(call: Duration, rows: usize) -> f64 {
    // Rows of a batch are few enough to be exact.
    #[allow(clippy::cast_precision_loss)]
    let rows = rows.max(1) as f64;
    call.as_secs_f64() * 1e9 / rows
}

/// A bar of a share of the widest, 0 to 1: eighths of a character in a terminal, `#` elsewhere.
pub fn bar(share: f64, width: usize, plain: bool) -> String {
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    let eighths = (share.clamp(0.0, 1.0) * (width * 8) as f64).round() as usize;
    if plain {
        return "#".repeat(eighths.div_ceil(8));
    }
    let part = match eighths % 8 {
        0 => "",
        1 => "▏",
        2 => "▎",
        3 => "▍",
        4 => "▌",
        5 => "▋",
        6 => "▊",
        _ => "▉",
    };
    format!("{}{part}", "█".repeat(eighths / 8))
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn bars_are_as_long_as_their_share() {
        assert_eq!(bar(1.0, 4, false), "████");
        assert_eq!(bar(0.5, 4, true), "##");
        assert_eq!(bar(0.4, 4, false), "█▋");
        assert_eq!(bar(f64::NAN.max(0.0), 4, true), "");
        assert_eq!(bar(0.001, 4, true), "");
    }
}
