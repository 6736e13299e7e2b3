//! The spans of a run that nobody supervises, where OpenTelemetry's variables name a collector.

use std::time::SystemTime;

use glovebox_core::{RunOutcome, RunReport};
use glovebox_outbound::telemetry;
pub(super) use glovebox_outbound::telemetry::{start_by_environment as start, stop};

/// Exports the run's spans, if somebody wants them.
pub(super) fn tell(pipeline: &str, began: SystemTime, report: Option<&RunReport>) {
    if !telemetry::on() {
        return;
    }
    let outcome = match report.map(|r| r.outcome) {
        Some(RunOutcome::Done) => "done",
        Some(RunOutcome::TooManyRejects | RunOutcome::NoRows | RunOutcome::NotReleased) => {
            "rejected"
        }
        None => "failed",
    };
    let ran = telemetry::Ran {
        pipeline,
        run: None,
        outcome,
        began,
        report: report.and_then(|r| serde_json::to_value(r).ok()),
    };
    ran.tell(telemetry::Incoming::of_environment());
}
