//! What a command says beside its results: errors, notes, and in JSON how a run ended.

use std::io::IsTerminal;
use std::sync::OnceLock;

use clap::ValueEnum;
use glovebox_core::{RunOutcome, RunReport};
use serde_json::{Value, json};

use super::syslog::{self, Severity};
use super::{LogFormat, ecs};

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

/// What the form is called in a call.
pub(super) fn format() -> String {
    let format = FORMAT.get().copied().unwrap_or(LogFormat::Text);
    let value = format.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

/// Whether it is JSON.
pub(super) fn is_json() -> bool {
    matches!(FORMAT.get(), Some(LogFormat::Json))
}

/// Problems of a file, which are rendered with colours or without.
pub(super) fn problems(rendered: impl Fn(bool) -> String) {
    match FORMAT.get() {
        None | Some(LogFormat::Text) => {
            eprint!("{}", rendered(is_coloured()));
            syslog::add(Severity::Error, &rendered(false));
        }
        Some(LogFormat::Json | LogFormat::Journal) => error(rendered(false).trim_end()),
    }
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
    match FORMAT.get() {
        Some(LogFormat::Json) => line("error", json!({ "message": text })),
        Some(LogFormat::Journal) => eprintln!("{}", journal(3, text)),
        _ => eprintln!("error: {text}"),
    }
    send(Severity::Error, text);
}

/// Something that a person may want to know.
pub(super) fn note(text: &str) {
    match FORMAT.get() {
        Some(LogFormat::Json) => line("info", json!({ "message": text })),
        Some(LogFormat::Journal) => eprintln!("{}", journal(6, text)),
        _ => eprintln!("note: {text}"),
    }
    send(Severity::Info, text);
}

/// How a run ended; people have its report.
pub(super) fn ended(report: &RunReport) {
    if !is_json() {
        return;
    }
    let level = match report.outcome {
        RunOutcome::Done => "info",
        RunOutcome::TooManyRejects | RunOutcome::NoRows | RunOutcome::NotReleased => "error",
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
    let fields = match fields {
        Value::Object(fields) => fields,
        other => serde_json::Map::from_iter([("message".to_owned(), other)]),
    };
    let line = ecs::line(level, "glovebox", fields).to_string();
    eprintln!("{line}");
    let severity = match level {
        "error" => Severity::Error,
        _ => Severity::Info,
    };
    syslog::add(severity, &line);
}

/// To syslog, which has lines of JSON already.
fn send(severity: Severity, text: &str) {
    if !is_json() {
        syslog::add(severity, text);
    }
}

/// Each line with its level, as sd-daemon(3) has it: the journal keeps lines.
fn journal(level: u8, text: &str) -> String {
    let lines: Vec<_> = text
        .lines()
        .map(|line| format!("<{level}>{line}"))
        .collect();
    lines.join("\n")
}
