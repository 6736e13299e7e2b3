//! What stands for traces in a program that was built without them.

use std::time::SystemTime;

use glovebox_core::RunReport;

use super::say;
use crate::without;

/// Says so to whoever has set OpenTelemetry's variables.
pub(super) fn start() {
    let wanted = [
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    ];
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if wanted.into_iter().any(set) {
        say::note(&without::TRACES.refusal());
    }
}

pub(super) fn tell(_: &str, _: SystemTime, _: Option<&RunReport>) {}

pub(super) fn stop() {}
