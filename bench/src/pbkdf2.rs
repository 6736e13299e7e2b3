//! PBKDF2 of distinct values, 100,000 iterations: the `pbkdf2` crate's stream against the lanes.

use std::hint::black_box;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use anyhow::Context;
use arrow_array::{ArrayRef, StringArray};
use glovebox_core::{KeyRing, Masking, Method, Secret, StepKey, StepKeys, Target};
use glovebox_masking::{Path, Ring};

use crate::median;

const ITERATIONS: u32 = 100_000;
const ROUNDS: usize = 11;
/// Values a core of one call to the key ring: four full groups of the widest lanes.
const A_CORE: usize = 64;
const SALT: &[u8] = b"salt";

pub(crate) fn measure() -> anyhow::Result<Vec<String>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let cells: Vec<String> = (0..A_CORE * cores).map(|i| format!("cust{i}")).collect();
    let values: Vec<&[u8]> = cells.iter().map(String::as_bytes).collect();
    let column: ArrayRef = Arc::new(StringArray::from_iter_values(&cells));
    let paths = Path::all();
    let stream = paths.first().context("no path at all")?;

    // One after the other in each round, so that all meet the same machine.
    let mut alone = vec![Vec::new(); paths.len()];
    let mut streams = Vec::new();
    let mut ring = Vec::new();
    for _ in 0..ROUNDS {
        for (path, rates) in paths.iter().zip(&mut alone) {
            // Several for the narrow ones, so that a pause of the machine does not count as much.
            let some = values.get(..path.width().max(4)).unwrap_or_default();
            rates.push(rate(some.len(), || {
                black_box(path.derive(some, SALT, ITERATIONS));
            }));
        }
        streams.push(rate(4 * cores, || {
            thread::scope(|scope| {
                for some in values.chunks(4).take(cores) {
                    scope.spawn(|| black_box(stream.derive(some, SALT, ITERATIONS)));
                }
            });
        }));
        // A new ring each time: one that has seen the values would remember them.
        let keys = Ring::new(StepKeys {
            keys: vec![StepKey::new("key", Secret::new(SALT.into()))],
            domain: None,
            tokens: None,
        })?;
        let method = Method::Pbkdf2Sha256 {
            iterations: ITERATIONS,
        };
        let mut masked = Ok(Arc::clone(&column));
        ring.push(rate(values.len(), || {
            let masking = Masking {
                key: "key",
                method: &method,
                target: &Target::Cells,
                column: &column,
                name: "column",
                entity: None,
            };
            masked = keys.mask(&masking).map(|computed| computed.column);
        }));
        masked?;
    }

    let one = alone.first().cloned().unwrap_or_default();
    let mut rows = Vec::new();
    for (path, rates) in paths.iter().zip(&alone) {
        let name = format!("{path}, one core");
        rows.push(row(&name, rates, &one, ""));
    }
    let name = format!("{stream}, a stream on each of {cores} cores");
    rows.push(row(&name, &streams, &streams, ""));
    let name = format!("the key ring, a column, {cores} cores");
    rows.push(row(&name, &ring, &streams, "at least 1.8 times"));
    Ok(rows)
}

/// Values a second.
fn rate(values: usize, work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    values as f64 / started.elapsed().as_secs_f64()
}

/// Rates and, round by round, their ratio to others'.
fn row(name: &str, rates: &[f64], others: &[f64], goal: &str) -> String {
    let best = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
    let ratios = rates.iter().zip(others).map(|(a, b)| a / b).collect();
    format!(
        "| PBKDF2: {name} | {:.0} values/s (best {:.0}), {:.2} times (of the bests {:.2}) | {goal} |",
        median(rates.to_vec()),
        best(rates),
        median(ratios),
        best(rates) / best(others),
    )
}
