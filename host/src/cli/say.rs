//! What a command says beside its results: errors, notes, and in JSON how a run ended.

use std::io::IsTerminal;
use std::sync::OnceLock;

use glovebox_core::{RunOutcome, RunReport};
use serde_json::{Value, json};

use super::LogFormat;

/// What stands behind a speed that says little.
pub(super) const DEBUG_BUILD: &str = if cfg!(debug_assertions) {
    " (a debug build, many times slower)"
} else {
    ""
};

static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Fixes the form for this process.
pub(super) fn start(format: LogFormat) {
    let _ = FORMAT.set(format);
}

/// Whether it is JSON.
pub(super) fn is_json() -> bool {
    matches!(FORMAT.get(), Some(LogFormat::Json))
}

/// Whether standard error is a terminal that can move its cursor and show colours.
pub(super) fn is_terminal() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether colours are wanted there.
pub(super) fn is_coloured() -> bool {
    is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// A failure.
pub(super) fn error(text: &str) {
    if is_json() {
        line("ERROR", json!({ "message": text }));
    } else {
        eprintln!("error: {text}");
    }
}

/// Something that a person may want to know.
pub(super) fn note(text: &str) {
    if is_json() {
        line("INFO", json!({ "message": text }));
    } else {
        eprintln!("note: {text}");
    }
}

/// How a run ended; people have its report.
pub(super) fn ended(report: &RunReport) {
    if !is_json() {
        return;
    }
    let level = match report.outcome {
        RunOutcome::Done => "INFO",
        RunOutcome::TooManyRejects | RunOutcome::NoRows => "ERROR",
    };
    line(
        level,
        json!({
            "message": "the run ended",
            "run": report.run,
            "pipeline": report.pipeline,
            "outcome": report.outcome,
            "rows": report.rows,
            "withheld-rows": report.withheld_rows,
            "seconds": report.seconds,
        }),
    );
}

/// As the log's own lines are.
fn line(level: &str, fields: Value) {
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let line = json!({
        "timestamp": now,
        "level": level,
        "fields": fields,
        "target": "glovebox",
    });
    eprintln!("{line}");
}
