//! Runs one step in one worker: the granted columns go in, the changed batch comes out. After a
//! fault the instance is discarded and the batch is halved on fresh ones until the rows that cause
//! it are isolated; these are rejected.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use glovebox_core::{
    Batch, Fault, FaultKind, Instance, PluginError, Reject, TokenBatch, Violation,
};

use crate::armed::ArmedStep;
use crate::error::{RunError, StepError};
use crate::inside;
use crate::resolve::{Resolved, resolve};

/// A step in one worker.
pub(crate) struct Stage<'p> {
    step: &'p ArmedStep<'p>,
    /// Nanoseconds that calls which ended in a fault have cost this step, over all workers.
    lost: &'p AtomicU64,
    instance: Option<Box<dyn Instance>>,
}

/// What a step did to the batches of a chunk.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) rows_in: u64,
    pub(crate) filtered: u64,
    pub(crate) rejects: Vec<Reject>,
    pub(crate) tokens: Vec<TokenBatch>,
    pub(crate) faults: BTreeMap<String, u64>,
    pub(crate) time: Duration,
    /// For each path into documents, the rows in which it led to a value.
    pub(crate) inside: Vec<u64>,
}

impl<'p> Stage<'p> {
    pub(crate) fn new(step: &'p ArmedStep<'p>, lost: &'p AtomicU64) -> Self {
        Stage {
            step,
            lost,
            instance: None,
        }
    }

    /// The batch after this step, in pieces where a fault has cut it.
    pub(crate) fn apply(
        &mut self,
        batch: Batch,
        tally: &mut Tally,
    ) -> Result<Vec<Batch>, RunError> {
        let started = Instant::now();
        tally.rows_in += batch.rows() as u64;
        tally.inside.resize(self.step.planned.inside.len(), 0);
        let mut done = Vec::with_capacity(1);
        // A stack of pieces, the first on top: halves keep the order of rows.
        let mut pieces = vec![batch];
        while let Some(piece) = pieces.pop() {
            let rows = piece.rows();
            if rows == 0 {
                continue;
            }
            let called = Instant::now();
            match self.try_apply(&piece) {
                Ok(resolved) => {
                    tally.filtered += resolved.filtered;
                    tally.rejects.extend(resolved.rejects);
                    tally.tokens.extend(resolved.tokens);
                    for (rows, more) in tally.inside.iter_mut().zip(resolved.inside) {
                        *rows += more;
                    }
                    if resolved.batch.rows() > 0 {
                        done.push(resolved.batch);
                    }
                }
                Err(StepError::Run(error)) => return Err(error),
                Err(StepError::Fault(fault)) => {
                    self.record(&fault, called.elapsed(), tally)?;
                    if rows == 1 {
                        tally.rejects.push(self.poison(&piece, &fault));
                    } else {
                        let half = rows / 2;
                        pieces.push(piece.slice(half, rows - half));
                        pieces.push(piece.slice(0, half));
                    }
                }
            }
        }
        tally.time += started.elapsed();
        Ok(done)
    }

    fn try_apply(&mut self, batch: &Batch) -> Result<Resolved, StepError> {
        // Taken out for the call and put back after a good one: a fault loses it.
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.fresh()?,
        };
        let step = self.step;
        let mut apply = |batch: &Batch| {
            let granted = project(batch, &step.planned.inputs)?;
            let answer = instance.apply(&granted)?;
            resolve(step, answer, batch)
        };
        let mut resolved = None;
        for inside in &step.planned.inside {
            let before = resolved.unwrap_or_else(|| Resolved::unchanged(batch.clone()));
            let mut after = inside::mask(&step.planned.name, inside, before.batch, &mut apply)?;
            after.filtered += before.filtered;
            after.rejects.extend(before.rejects);
            after.tokens.extend(before.tokens);
            after.inside.splice(0..0, before.inside);
            resolved = Some(after);
        }
        let resolved = match resolved {
            Some(resolved) => resolved,
            None => apply(batch)?,
        };
        self.instance = Some(instance);
        Ok(resolved)
    }

    /// A fresh instance that announces what the plan was made with.
    fn fresh(&self) -> Result<Box<dyn Instance>, StepError> {
        let planned = self.step.planned;
        match planned.plugin.open(&planned.config, &planned.grants) {
            Ok(instance) if *instance.announced() == planned.announced => Ok(instance),
            Err(PluginError::Fault(fault)) => Err(fault.into()),
            Ok(_) | Err(_) => Err(StepError::Run(RunError::Nondeterministic {
                step: planned.name.to_string(),
            })),
        }
    }

    fn record(&self, fault: &Fault, cost: Duration, tally: &mut Tally) -> Result<(), RunError> {
        // A query is the operator's own, and fails at once: its rows are rejected, however many.
        if matches!(fault.kind, FaultKind::Query(_)) {
            return Ok(());
        }
        *tally.faults.entry(fault.to_string()).or_default() += 1;
        let nanos = u64::try_from(cost.as_nanos()).unwrap_or(u64::MAX);
        let before = self.lost.fetch_add(nanos, Ordering::Relaxed);
        let limit = self.step.planned.lost_time;
        if Duration::from_nanos(before.saturating_add(nanos)) > limit {
            return Err(RunError::TooManyFaults {
                step: self.step.planned.name.to_string(),
                limit,
                last: Box::new(fault.clone()),
            });
        }
        Ok(())
    }

    fn poison(&self, row: &Batch, fault: &Fault) -> Reject {
        Reject {
            row: row.origin.row(0),
            file: row.origin.file().cloned(),
            line: row.origin.line(0),
            violations: vec![Violation {
                step: self.step.planned.name.clone(),
                column: None,
                rule: fault.kind.rule().into(),
                message: fault.to_string().into(),
            }],
        }
    }
}

/// A batch through all steps, in pieces where a fault has cut it.
pub(crate) fn through(
    stages: &mut [Stage<'_>],
    tallies: &mut [Tally],
    batch: Batch,
) -> Result<Vec<Batch>, RunError> {
    let mut batches = vec![batch];
    for (stage, tally) in stages.iter_mut().zip(tallies) {
        let mut after = Vec::with_capacity(batches.len());
        for batch in batches {
            after.extend(stage.apply(batch, tally)?);
        }
        batches = after;
    }
    Ok(batches)
}

/// The granted columns, and no others.
fn project(batch: &Batch, inputs: &[usize]) -> Result<Batch, RunError> {
    let columns: RecordBatch = batch.columns.project(inputs)?;
    Ok(Batch::new(columns, batch.origin.clone()))
}

#[cfg(test)]
#[path = "stage_tests.rs"]
mod tests;
