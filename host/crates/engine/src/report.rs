//! The books of a run: every chunk's counts, added up to the report.
//!
//! Refuses a commit while a row that was read has no fate.

use std::collections::BTreeMap;
use std::time::Duration;

use glovebox_core::{RejectCount, RowCounts, RunOutcome, RunReport, StepReport};

use crate::error::RunError;
use crate::manifest::model::AtMost;
use crate::run::{Done, Progress, Run};

/// Counts as chunks are written.
pub(crate) struct Ledger {
    report: RunReport,
    by_rule: BTreeMap<(String, String, Option<String>), u64>,
    position: u64,
}

impl Ledger {
    pub(crate) fn new(run: &Run<'_>) -> Self {
        let steps = run
            .steps
            .iter()
            .map(|step| {
                let about = step.planned.plugin.about();
                StepReport {
                    name: step.planned.name.to_string(),
                    plugin: format!("{} {}", about.name, about.version),
                    sha256: step.planned.plugin.sha256().to_owned(),
                    ..StepReport::default()
                }
            })
            .collect();
        Ledger {
            report: RunReport {
                pipeline: run.name.to_owned(),
                source: run.source.describe(),
                sink: run.sink.describe(),
                rejects_path: Some(run.rejects.display().to_string()),
                steps,
                ..RunReport::default()
            },
            by_rule: BTreeMap::new(),
            position: 0,
        }
    }

    pub(crate) fn add(&mut self, done: &Done) {
        let rows = &mut self.report.rows;
        rows.read += done.read;
        rows.stored += done.encoded.rows;
        rows.rejected += done.rejects.len() as u64;
        for (step, tally) in self.report.steps.iter_mut().zip(&done.tallies) {
            rows.filtered += tally.filtered;
            step.rows_in += tally.rows_in;
            step.filtered += tally.filtered;
            step.rejected += tally.rejects.len() as u64;
            step.seconds += tally.time.as_secs_f64();
            for (fault, count) in &tally.faults {
                *self.report.faults.entry(fault.clone()).or_default() += count;
            }
            for (fault, place) in &tally.places {
                let places = &mut self.report.fault_places;
                places.entry(fault.clone()).or_insert_with(|| place.clone());
            }
        }
        for violation in done.rejects.iter().flat_map(|r| &r.violations) {
            let key = (
                violation.step.to_string(),
                violation.rule.to_string(),
                violation.column.as_deref().map(str::to_owned),
            );
            *self.by_rule.entry(key).or_default() += 1;
        }
        self.position = self.position.max(done.position);
    }

    pub(crate) fn progress(&self, rows: u64) -> Progress {
        Progress {
            rows,
            bytes: self.position,
        }
    }

    /// Whether every row that was read has one fate.
    pub(crate) fn balance(&self) -> Result<(), RunError> {
        let rows = self.report.rows;
        if rows.balanced() {
            Ok(())
        } else {
            Err(RunError::Unbalanced { rows })
        }
    }

    pub(crate) fn close(mut self, at_most: Option<AtMost>, time: Duration) -> RunReport {
        self.report.seconds = time.as_secs_f64();
        self.report.rejects = self
            .by_rule
            .into_iter()
            .map(|((step, rule, column), rows)| RejectCount {
                step,
                rule,
                column,
                rows,
            })
            .collect();
        self.report
            .rejects
            .sort_by_key(|r| std::cmp::Reverse(r.rows));
        let RowCounts { read, rejected, .. } = self.report.rows;
        if at_most.is_some_and(|limit| limit.exceeded_by(rejected, read)) {
            self.report.outcome = RunOutcome::TooManyRejects;
        }
        self.report
    }
}
