//! The rows behind the last step for somebody who asks, such as a query; nothing is stored.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow_array::RecordBatch;
use glovebox_core::{Batch, ChunkReader, Decoder, Source};

use crate::armed::ArmedStep;
use crate::error::RunError;
use crate::gather::{Made, Waiting};
use crate::leg::{Leg, legs};
use crate::plan::Plan;
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
    (plan, steps): (&Plan, &[ArmedStep<'_>]),
    source: &dyn Source,
    columns: &[usize],
    seen: &dyn Fn(u64),
    pass: &mut dyn FnMut(RecordBatch) -> bool,
) -> Result<Fed, RunError> {
    let mut fed = Fed::default();
    let mut makes = Vec::new();
    let mut chunks = source.chunks()?;
    let mut decoder = source.decoder()?;
    for (before, leg) in (0..).zip(&legs(plan, steps)) {
        let mut reading = Reading {
            chunks: chunks.as_mut(),
            decoder: decoder.as_mut(),
            seen,
        };
        let Some(step) = leg.gather else {
            reading.through(leg, columns, &mut fed, &mut |batch| Ok(pass(batch.columns)))?;
            break;
        };
        let waiting = Waiting::create()?;
        let mut wait = |batch: Batch| waiting.put(&batch).map(|()| true);
        reading.through(leg, leg.columns, &mut fed, &mut wait)?;
        let Some(made) = Made::new(step, Arc::clone(&waiting), 0, before) else {
            break;
        };
        chunks = made.chunks();
        decoder = made.decoder();
        // With it the query ends.
        makes.push(made);
    }
    Ok(fed)
}

/// Where a leg has its rows from.
struct Reading<'r> {
    chunks: &'r mut dyn ChunkReader,
    decoder: &'r mut dyn Decoder,
    seen: &'r dyn Fn(u64),
}

impl Reading<'_> {
    fn through(
        &mut self,
        leg: &Leg<'_>,
        columns: &[usize],
        fed: &mut Fed,
        pass: &mut dyn FnMut(Batch) -> Result<bool, RunError>,
    ) -> Result<(), RunError> {
        let lost: Vec<AtomicU64> = leg.steps.iter().map(|_| AtomicU64::new(0)).collect();
        let stages = leg.steps.iter().zip(&lost);
        let mut stages: Vec<_> = stages.map(|(step, lost)| Stage::new(step, lost)).collect();
        while let Some(chunk) = self.chunks.next_chunk()? {
            let position = chunk.position;
            let decoded = self.decoder.decode(chunk)?;
            fed.rejected += decoded.rejects.len() as u64;
            if !leg.is_made() {
                fed.read += decoded.rejects.len() as u64;
            }
            for batch in decoded.batches {
                if !leg.is_made() {
                    fed.read += batch.rows() as u64;
                }
                let mut tallies: Vec<Tally> = leg.steps.iter().map(|_| Tally::default()).collect();
                let batches = through(&mut stages, &mut tallies, batch)?;
                for tally in tallies {
                    fed.filtered += tally.filtered;
                    fed.rejected += tally.rejects.len() as u64;
                }
                for batch in batches {
                    let wanted = batch.columns.project(columns)?;
                    if !pass(Batch::new(wanted, batch.origin))? {
                        return Ok(());
                    }
                }
            }
            // What a step has made has no place in the source.
            if !leg.is_made() {
                (self.seen)(position);
            }
        }
        Ok(())
    }
}
