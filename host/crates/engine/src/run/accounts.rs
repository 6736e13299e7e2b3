//! What a run is, and what it says of itself before its first row.

use glovebox_core::{
    Earlier, History, InsideReport, Job, Keeps, PlanIdentity, PlanRows, Rerun, Revise, RunReport,
    StepReport,
};

use super::Run;
use crate::armed::ArmedStep;
use crate::error::RunError;
use crate::identity::{Key, new_run};
use crate::parts::{Parts, plan_digest};
use crate::report::Ledger;
use crate::start::pipeline_of;
use crate::summary::Summary;

impl Run<'_> {
    /// What the journal calls the pipeline.
    pub(super) fn pipeline(&self) -> String {
        pipeline_of(self.name, self.part)
    }

    /// What a new run is.
    pub(super) fn job(&self, parts: &Parts) -> Result<Job, RunError> {
        Ok(Job {
            run: new_run(self.request).map_err(RunError::Random)?,
            pipeline: self.pipeline(),
            plan: PlanIdentity {
                digest: plan_digest(self.plan, self.steps, self.source),
                rows: PlanRows::All,
            },
            parts: parts.to_json(),
            source: self.source.describe(),
            keeps: Keeps {
                sealed: self.sealed.is_some(),
                tokens: self.steps.iter().any(ArmedStep::makes_tokens),
            },
            proven: self.proof.is_some(),
            revise: Revise(Summary::revised),
            ..Job::default()
        })
    }

    pub(super) fn ledger(&self, run: &str, rerun: Option<Rerun>) -> Ledger {
        Ledger::new(RunReport {
            run: run.to_owned(),
            pipeline: self.pipeline(),
            source: self.source.describe(),
            sink: self.sink.describe(),
            rejects_path: Some(self.rejects.display().to_string()),
            steps: self.steps.iter().map(step_report).collect(),
            rerun,
            ..RunReport::default()
        })
    }

    /// Says so where the journal has runs that this one cannot be compared with.
    pub(super) fn note_unknown(&self, history: Option<&History>, key: &Key) {
        let unknown = history.map_or(0, |history| unknown(&history.held, key));
        if unknown > 0 {
            (self.note)(&format!(
                "{unknown} earlier runs into this target were recorded by an earlier version, or \
                under another `identity-key`: it is unknown whether they already added this input"
            ));
        }
    }
}

/// A step that has not seen a row.
fn step_report(step: &ArmedStep<'_>) -> StepReport {
    let planned = step.planned;
    let inside = planned.inside.iter().map(|inside| InsideReport {
        path: inside.path.to_string(),
        rows: 0,
    });
    StepReport {
        name: planned.name.to_string(),
        plugin: planned.title(),
        sha256: planned.plugin.sha256().to_owned(),
        signed_by: planned.signed_by.as_ref().map(|s| s.key.clone()),
        keys: step.secrets.clone(),
        unguarded: planned.unguarded.iter().map(|c| c.to_string()).collect(),
        inside: inside.collect(),
        made: planned.gather.as_ref().map(|_| 0),
        ..StepReport::default()
    }
}

/// How many runs have stored rows of inputs that cannot be compared under this key.
fn unknown(held: &[Earlier], key: &Key) -> usize {
    let other = |run: &&Earlier| run.key != Some(key.check()) && run.rows.stored > 0;
    held.iter().filter(other).count()
}
