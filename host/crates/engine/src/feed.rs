//! The rows behind the last step for somebody who asks, such as a query; nothing is stored.

use std::sync::atomic::AtomicU64;

use arrow_array::RecordBatch;
use glovebox_core::Source;

use crate::armed::ArmedStep;
use crate::error::RunError;
use crate::stage::{Stage, Tally, through};

/// What became of the rows that are not passed on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fed {
    /// Rows that were read.
    pub read: u64,
    /// Rows that were filtered on the way.
    pub filtered: u64,
    /// Rows that were rejected, by the source or on the way.
    pub rejected: u64,
}

/// Reads the source from the first row, takes the rows through the steps and passes on these columns of what is left,
/// in the source's order, until `pass` says `false`. `seen` is told the position in the source after each chunk.
///
/// # Errors
/// As a run's.
pub fn feed(
    steps: &[ArmedStep<'_>],
    source: &dyn Source,
    columns: &[usize],
    seen: &dyn Fn(u64),
    pass: &mut dyn FnMut(RecordBatch) -> bool,
) -> Result<Fed, RunError> {
    let lost: Vec<AtomicU64> = steps.iter().map(|_| AtomicU64::new(0)).collect();
    let stages = steps.iter().zip(&lost);
    let mut stages: Vec<_> = stages.map(|(step, lost)| Stage::new(step, lost)).collect();
    let mut chunks = source.chunks()?;
    let mut decoder = source.decoder()?;
    let mut fed = Fed::default();
    while let Some(chunk) = chunks.next_chunk()? {
        let position = chunk.position;
        let decoded = decoder.decode(chunk)?;
        fed.read += decoded.rejects.len() as u64;
        fed.rejected += decoded.rejects.len() as u64;
        for batch in decoded.batches {
            fed.read += batch.rows() as u64;
            let mut tallies: Vec<Tally> = steps.iter().map(|_| Tally::default()).collect();
            let batches = through(&mut stages, &mut tallies, batch)?;
            for tally in tallies {
                fed.filtered += tally.filtered;
                fed.rejected += tally.rejects.len() as u64;
            }
            for batch in batches {
                if !pass(batch.columns.project(columns)?) {
                    return Ok(fed);
                }
            }
        }
        seen(position);
    }
    Ok(fed)
}
