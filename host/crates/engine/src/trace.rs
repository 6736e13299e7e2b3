//! One row of the source on its way through the steps, with nothing stored: where it ends, and what it was
//! before and is after.

use std::sync::atomic::AtomicU64;

use arrow_array::RecordBatch;
use glovebox_core::{Batch, Reject, Source};

use crate::armed::ArmedStep;
use crate::error::RunError;
use crate::stage::{Stage, Tally, through};

/// Where a row ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowFate {
    /// Behind the last step; the sink may still refuse it.
    Passed,
    /// In a step over all rows: what it made of this one with others, no row tells.
    Gathered {
        /// The step.
        step: String,
    },
    /// A transformer dropped it.
    Filtered {
        /// The step.
        step: String,
    },
    /// It breaks rules.
    Rejected(Reject),
}

/// A row, before and after.
#[derive(Debug, Clone)]
pub struct Traced {
    /// Where it ends.
    pub fate: RowFate,
    /// The row in the source's columns; none of one that could not be read.
    pub source: Option<RecordBatch>,
    /// The row in the columns behind the last step; none of one that did not get there.
    pub result: Option<RecordBatch>,
}

/// Reads up to a row, which is counted from 0, and takes it through the steps; none if the source ends before.
///
/// # Errors
/// As a run's.
pub fn trace(
    steps: &[ArmedStep<'_>],
    source: &dyn Source,
    row: u64,
) -> Result<Option<Traced>, RunError> {
    let mut chunks = source.chunks()?;
    let mut decoder = source.decoder()?;
    while let Some(chunk) = chunks.next_chunk()? {
        let end = chunk.first_row + chunk.rows + chunk.rejects.len() as u64;
        if row >= end {
            continue;
        }
        let decoded = decoder.decode(chunk)?;
        if let Some(reject) = decoded.rejects.into_iter().find(|r| r.row == row) {
            return Ok(Some(Traced {
                fate: RowFate::Rejected(reject),
                source: None,
                result: None,
            }));
        }
        for batch in &decoded.batches {
            let place = (0..batch.rows()).find(|&i| batch.origin.row(i) == row);
            if let Some(place) = place {
                return trace_one(steps, batch.slice(place, 1)).map(Some);
            }
        }
        return Ok(None);
    }
    Ok(None)
}

fn trace_one(steps: &[ArmedStep<'_>], batch: Batch) -> Result<Traced, RunError> {
    let mut by_itself = steps.split(|step| step.planned.gather.is_some());
    let alone = by_itself.next().unwrap_or_default();
    let gather = steps.get(alone.len());
    let steps = alone;
    let lost: Vec<AtomicU64> = steps.iter().map(|_| AtomicU64::new(0)).collect();
    let stages = steps.iter().zip(&lost);
    let mut stages: Vec<_> = stages.map(|(step, lost)| Stage::new(step, lost)).collect();
    let mut tallies: Vec<Tally> = steps.iter().map(|_| Tally::default()).collect();
    let source = batch.columns.clone();
    let passed = through(&mut stages, &mut tallies, batch)?;
    let mut fate = match gather {
        Some(gather) => RowFate::Gathered {
            step: gather.planned.name.to_string(),
        },
        None => RowFate::Passed,
    };
    for (step, tally) in steps.iter().zip(tallies) {
        if tally.filtered > 0 {
            fate = RowFate::Filtered {
                step: step.planned.name.to_string(),
            };
        }
        if let Some(reject) = tally.rejects.into_iter().next() {
            fate = RowFate::Rejected(reject);
        }
    }
    Ok(Traced {
        fate,
        source: Some(source),
        result: match gather {
            Some(_) => None,
            None => passed.into_iter().next().map(|batch| batch.columns),
        },
    })
}
