//! `preview`: the first rows of a pipeline after all its steps; nothing is written.

use std::sync::atomic::AtomicU64;

use arrow_array::RecordBatch;
use glovebox_core::{Reject, Source};

use crate::armed::ArmedStep;
use crate::error::RunError;
use crate::plan::Plan;
use crate::stage::{Stage, Tally, through};

/// What the first rows come to.
#[derive(Debug, Default)]
pub struct Preview {
    /// Rows that would be stored, in the sink's columns.
    pub stored: Vec<RecordBatch>,
    /// Rows that were rejected on the way.
    pub rejects: Vec<Reject>,
    /// Rows that were filtered on the way.
    pub filtered: u64,
    /// Rows that were read.
    pub read: u64,
}

/// Reads until `rows` rows would be stored, or the source ends.
///
/// # Errors
/// As a run's.
pub fn preview(
    plan: &Plan,
    steps: &[ArmedStep<'_>],
    source: &dyn Source,
    rows: usize,
) -> Result<Preview, RunError> {
    let lost: Vec<AtomicU64> = steps.iter().map(|_| AtomicU64::new(0)).collect();
    let mut stages: Vec<Stage<'_>> = steps
        .iter()
        .zip(&lost)
        .map(|(step, lost)| Stage::new(step, lost))
        .collect();
    let mut chunks = source.chunks()?;
    let mut decoder = source.decoder()?;
    let mut preview = Preview::default();
    let mut stored = 0;
    while stored < rows {
        let Some(chunk) = chunks.next_chunk()? else {
            break;
        };
        let decoded = decoder.decode(chunk)?;
        let mut end = 0;
        'chunk: for batch in &decoded.batches {
            // No more rows than are wanted: each may cost a slow keyed mask.
            for start in (0..batch.rows()).step_by(rows) {
                let piece = batch.slice(start, rows.min(batch.rows() - start));
                end = piece.origin.row(piece.rows() - 1) + 1;
                preview.read += piece.rows() as u64;
                let mut tallies: Vec<Tally> = steps.iter().map(|_| Tally::default()).collect();
                let batches = through(&mut stages, &mut tallies, piece)?;
                for mut tally in tallies {
                    preview.filtered += tally.filtered;
                    preview.rejects.append(&mut tally.rejects);
                }
                for batch in batches {
                    let wanted = batch.rows().min(rows - stored);
                    stored += wanted;
                    let columns = batch.columns.project(&plan.sink_columns)?;
                    preview.stored.push(columns.slice(0, wanted));
                }
                if stored >= rows {
                    break 'chunk;
                }
            }
        }
        let seen = decoded
            .rejects
            .into_iter()
            .filter(|r| stored < rows || r.row < end);
        let before = preview.rejects.len();
        preview.rejects.extend(seen);
        preview.read += (preview.rejects.len() - before) as u64;
    }
    preview.rejects.sort_by_key(|r| r.row);
    Ok(preview)
}
