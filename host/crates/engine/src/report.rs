//! The journal of a run: every chunk's counts, added up to the report.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use glovebox_core::{
    ChunkRecord, Earlier, GatherReport, OnlyNew, Published, Reject, RejectCount, ReleaseReport,
    RowCounts, RunOutcome, RunReport, SealedRejects, Source,
};

use crate::error::RunError;
use crate::shards::work::Worked;
use crate::summary::{RuleCount, Summary, broken};
use glovebox_manifest::model::AtMost;

/// Rows so far, for a progress bar.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    /// Rows that have been through the steps.
    pub rows: u64,
    /// Bytes of the source that are behind us.
    pub bytes: u64,
    /// Rows that a `gather:` step made and that have been through the steps after it, once it is at work.
    pub made: Option<u64>,
    /// Rows that were released, once all have been through the steps and wait for it.
    pub released: Option<u64>,
}

/// Counts as chunks are written.
#[derive(Default)]
pub(crate) struct Ledger {
    report: RunReport,
    /// The rows of each leg: what it read, and what it left for the next, or in the sink.
    legs: Vec<RowCounts>,
    by_rule: BTreeMap<(String, String, Option<String>), u64>,
    position: u64,
    /// Whether the rows at work were made by a `gather:` step.
    is_made: bool,
    /// Declared columns that no record had.
    absent: Vec<Arc<str>>,
}

impl Ledger {
    /// Of a run of which the report says nothing yet but what it is.
    pub(crate) fn new(report: RunReport) -> Self {
        let gathers = report.steps.iter().filter(|step| step.made.is_some());
        Ledger {
            legs: vec![RowCounts::default(); gathers.count() + 1],
            report,
            by_rule: BTreeMap::new(),
            position: 0,
            is_made: false,
            absent: Vec::new(),
        }
    }

    /// A chunk that is stored, by this process or an earlier one.
    pub(crate) fn add(&mut self, rows: RowCounts, summary: &Summary) {
        let of_report = self.report.steps.iter_mut();
        let mut own = of_report.skip(summary.from);
        for (step, counts) in own.by_ref().zip(&summary.steps) {
            step.rows_in += counts.rows_in;
            step.filtered += counts.filtered;
            step.rejected += counts.rejected;
            step.seconds += Duration::from_nanos(counts.nanos).as_secs_f64();
            for (inside, rows) in step.inside.iter_mut().zip(&counts.inside) {
                inside.rows += rows;
            }
        }
        self.count_rows(rows, summary);
        for (fault, count) in &summary.faults {
            *self.report.faults.entry(fault.clone()).or_default() += count;
        }
        self.count(&summary.rules);
        if let Some(released) = &summary.released {
            self.report.release = Some(released.as_ref().clone());
        }
    }

    fn count_rows(&mut self, rows: RowCounts, summary: &Summary) {
        let mut leg = 0;
        for (at, step) in self.report.steps.iter_mut().enumerate() {
            let Some(made) = &mut step.made else {
                continue;
            };
            if at < summary.from {
                leg += 1;
                if at + 1 == summary.from {
                    *made += summary.made;
                }
            } else {
                step.rows_in += summary.taken;
                break;
            }
        }
        if let Some(leg) = self.legs.get_mut(leg) {
            leg.read += rows.read + summary.made;
            leg.stored += rows.stored + summary.taken;
            leg.filtered += rows.filtered;
            leg.rejected += rows.rejected;
        }
        self.total();
    }

    /// Of all legs together.
    fn total(&mut self) {
        let of = |what: fn(&RowCounts) -> u64| self.legs.iter().map(what).sum();
        self.report.rows = RowCounts {
            read: self.legs.first().map_or(0, |leg| leg.read),
            stored: self.legs.last().map_or(0, |leg| leg.stored),
            filtered: of(|leg| leg.filtered),
            rejected: of(|leg| leg.rejected),
        };
    }

    /// What has been stored, or was about to be, is another fate's.
    fn lost(&mut self, rows: u64, fate: fn(&mut RowCounts) -> &mut u64) {
        if let Some(last) = self.legs.last_mut() {
            last.stored = last.stored.saturating_sub(rows);
            *fate(last) += rows;
        }
        self.total();
    }

    fn count(&mut self, rules: &[RuleCount]) {
        for broken in rules {
            let key = (
                broken.step.clone(),
                broken.rule.clone(),
                broken.column.clone(),
            );
            *self.by_rule.entry(key).or_default() += broken.rows;
        }
    }

    /// Rows of chunks that were added, which the target has refused since.
    pub(crate) fn refuse(&mut self, refused: &[Reject]) {
        self.lost(refused.len() as u64, |rows| &mut rows.rejected);
        self.count(&broken(refused));
    }

    /// Chunks that an earlier process stored.
    pub(crate) fn resume(&mut self, chunks: &[ChunkRecord]) {
        for chunk in chunks {
            self.add(chunk.rows, &Summary::from_json(&chunk.summary));
        }
        self.report.resumed_rows = self.report.rows.read;
    }

    /// The rows before those that it is for.
    pub(crate) fn only_new(&mut self, behind: OnlyNew) {
        self.report.only_new = Some(behind);
    }

    /// Where the cells of rejected rows are kept.
    pub(crate) fn sealed(&mut self, sealed: SealedRejects) {
        self.report.sealed_rejects = Some(sealed);
    }

    pub(crate) fn has_rows(&self) -> bool {
        self.report.rows.read > 0
    }

    pub(crate) fn reached(&mut self, position: u64) {
        self.position = self.position.max(position);
    }

    /// From here on the rows are those that a `gather:` step makes.
    pub(crate) fn of_made(&mut self) {
        self.is_made = true;
    }

    /// Declared columns that no record had.
    pub(crate) fn absent(&mut self, columns: Vec<Arc<str>>) {
        self.absent = columns;
    }

    /// How long a step took that is over all rows.
    pub(crate) fn took(&mut self, step: usize, time: Duration) {
        if let Some(step) = self.report.steps.get_mut(step) {
            step.seconds += time.as_secs_f64();
        }
    }

    pub(crate) fn progress(&self, rows: u64) -> Progress {
        let (rows, made) = match self.is_made {
            true => (self.report.rows.read, Some(rows)),
            false => (self.report.resumed_rows + rows, None),
        };
        Progress {
            rows,
            bytes: self.position,
            made,
            released: None,
        }
    }

    /// Where other processes work on the rows.
    pub(crate) fn progress_of_others(&self, worked: Worked) -> Progress {
        Progress {
            rows: self.report.resumed_rows + worked.rows,
            bytes: worked.bytes,
            made: None,
            released: None,
        }
    }

    pub(crate) fn releasing(&self, rows: u64) -> Progress {
        Progress {
            rows: self.report.rows.read,
            released: Some(rows),
            ..self.progress(0)
        }
    }

    /// Rows have passed the gate, but for those that were suppressed.
    pub(crate) fn released(&mut self, release: ReleaseReport) {
        self.lost(release.suppressed_rows, |rows| &mut rows.filtered);
        self.report.release = Some(release);
    }

    /// No row has passed the gate.
    pub(crate) fn not_released(&mut self, release: ReleaseReport) {
        self.report.outcome = RunOutcome::NotReleased;
        self.report.release = Some(release);
    }

    /// Whether the rows may become public, as far as a gate is concerned.
    pub(crate) fn may_leave(&self) -> bool {
        self.report.outcome != RunOutcome::NotReleased
    }

    /// The counts, once every row that was read has one fate.
    pub(crate) fn balance(&self) -> Result<RowCounts, RunError> {
        match self.legs.iter().find(|leg| !leg.balanced()) {
            None => Ok(self.report.rows),
            Some(leg) => Err(RunError::Unbalanced { rows: *leg }),
        }
    }

    /// The report of a run that had finished before.
    pub(crate) fn finished(mut self, earlier: &Earlier) -> RunReport {
        self.report.run = earlier.run.clone();
        self.report.rows = earlier.rows;
        self.report.resumed_rows = earlier.rows.read;
        self.gathers();
        self.rejects();
        self.report
    }

    /// What stands between the sums of the rows: what each `gather:` step took and made.
    fn gathers(&mut self) {
        let steps = self.report.steps.iter();
        let gathers = steps.filter_map(|step| Some((step, step.made?)));
        let gathers = gathers
            .zip(&self.legs)
            .map(|((step, made), before)| GatherReport {
                step: step.name.clone(),
                read: before.read,
                filtered: before.filtered,
                rejected: before.rejected,
                taken: before.stored,
                made,
            });
        self.report.gathers = gathers.collect();
    }

    /// Lists the rules that rows broke, the most frequent first.
    fn rejects(&mut self) {
        let by_rule = std::mem::take(&mut self.by_rule).into_iter();
        let rejects = by_rule.map(|((step, rule, column), rows)| RejectCount {
            step,
            rule,
            column,
            rows,
        });
        self.report.rejects = rejects.collect();
        self.report
            .rejects
            .sort_by_key(|r| std::cmp::Reverse(r.rows));
    }

    pub(crate) fn close(
        mut self,
        source: &dyn Source,
        at_most: Option<AtMost>,
        published: Published,
        time: Duration,
    ) -> RunReport {
        self.report.seconds = time.as_secs_f64();
        self.gathers();
        self.rejects();
        let read = self.report.rows.read;
        for reject in &self.report.rejects {
            let most = reject.step == "source" && reject.rule == "type" && reject.rows > read / 2;
            if let Some(column) = reject.column.as_deref().filter(|_| most) {
                self.report.notes.extend(source.advice(column));
            }
        }
        for step in self.report.steps.iter().filter(|step| step.rows_in > 0) {
            for inside in step.inside.iter().filter(|inside| inside.rows == 0) {
                let note = format!(
                    "step {}: the path {} led to no value in any row, so it masked nothing; \
                     compare it with the documents",
                    step.name, inside.path
                );
                self.report.notes.push(note);
            }
        }
        // What an earlier process read is not known.
        if self.report.resumed_rows == 0 {
            for column in &self.absent {
                let note = format!(
                    "column {column}: no object has its key, so all its cells are \
                                   null"
                );
                self.report.notes.push(note);
            }
        }
        if exceeded(at_most, self.report.rows) {
            self.report.outcome = RunOutcome::TooManyRejects;
        } else if published.kept && self.report.outcome != RunOutcome::NotReleased {
            self.report.outcome = RunOutcome::NoRows;
        }
        if published.kept {
            self.report.withheld_rows = std::mem::take(&mut self.report.rows.stored);
        }
        self.report.superseded_rows = published.superseded;
        self.report
    }
}

/// Whether more rows were rejected than there may be.
pub(crate) fn exceeded(at_most: Option<AtMost>, rows: RowCounts) -> bool {
    at_most.is_some_and(|limit| limit.exceeded_by(rows.rejected, rows.read))
}
