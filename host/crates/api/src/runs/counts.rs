//! Metrics of runs for Prometheus. Rows cannot choose labels: names of pipelines, steps, plugins
//! and rules are ours or the manifest's.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use glovebox_catalog::Waiting;
use serde_json::Value;

use super::super::metrics::{HIDDEN, added, escape};

/// Sums over the runs that ended on this server.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<Sums>);

#[derive(Debug, Default)]
struct Sums {
    runs: BTreeMap<(String, &'static str), u64>,
    rows: BTreeMap<(String, &'static str), u64>,
    rejects: BTreeMap<(String, String, String), u64>,
    seconds: BTreeMap<(String, String), f64>,
}

impl Counts {
    /// A run ended, perhaps with a report.
    pub(super) fn ended(&self, pipeline: &str, state: &'static str, report: Option<&str>) {
        let report = report.and_then(|r| serde_json::from_str::<Value>(r).ok());
        let report = report.unwrap_or_default();
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = || pipeline.to_owned();
        *sums.runs.entry((name(), state)).or_default() += 1;
        for fate in ["read", "stored", "filtered", "rejected"] {
            let rows = report.get("rows").and_then(|rows| rows.get(fate));
            if let Some(rows) = rows.and_then(Value::as_u64) {
                *sums.rows.entry((name(), fate)).or_default() += rows;
            }
        }
        if let Some(rows) = report.get("withheld-rows").and_then(Value::as_u64) {
            *sums.rows.entry((name(), "withheld")).or_default() += rows;
        }
        for reject in list(&report, "rejects") {
            let rows = reject.get("rows").and_then(Value::as_u64).unwrap_or(0);
            let key = (name(), text(reject, "step"), text(reject, "rule"));
            *sums.rejects.entry(key).or_default() += rows;
        }
        for step in list(&report, "steps") {
            let seconds = step.get("seconds").and_then(Value::as_f64).unwrap_or(0.0);
            *sums
                .seconds
                .entry((name(), text(step, "name")))
                .or_default() += seconds;
        }
    }

    /// All of it, with the names of those pipelines that are shown; `active` runs work here now.
    pub(crate) fn text(&self, active: usize, shown: impl Fn(&str) -> bool) -> String {
        let sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = |pipeline: &str, of: &str| match shown(pipeline) {
            true => of.to_owned(),
            false => HIDDEN.to_owned(),
        };
        let sums = Sums {
            runs: added(&sums.runs, |(p, state)| (name(p, p), *state)),
            rows: added(&sums.rows, |(p, fate)| (name(p, p), *fate)),
            rejects: added(&sums.rejects, |(p, step, rule)| {
                (name(p, p), name(p, step), name(p, rule))
            }),
            seconds: added(&sums.seconds, |(p, step)| (name(p, p), name(p, step))),
        };
        let mut out = String::new();
        let head = |out: &mut String, name: &str, kind: &str, help: &str| {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        };
        let name = "glovebox_runs_active";
        head(&mut out, name, "gauge", "Runs in progress on this server.");
        let _ = writeln!(out, "{name} {active}");
        let name = "glovebox_runs_total";
        head(&mut out, name, "counter", "Finished runs, by outcome.");
        for ((pipeline, state), runs) in &sums.runs {
            let pipeline = escape(pipeline);
            let _ = writeln!(
                out,
                "{name}{{pipeline=\"{pipeline}\",state=\"{state}\"}} {runs}"
            );
        }
        let name = "glovebox_run_rows_total";
        head(&mut out, name, "counter", "Rows of runs, by outcome.");
        for ((pipeline, fate), rows) in &sums.rows {
            let pipeline = escape(pipeline);
            let _ = writeln!(
                out,
                "{name}{{pipeline=\"{pipeline}\",fate=\"{fate}\"}} {rows}"
            );
        }
        let name = "glovebox_run_rejects_total";
        head(
            &mut out,
            name,
            "counter",
            "Rejected rows, by step and rule.",
        );
        for ((pipeline, step, rule), rows) in &sums.rejects {
            let (pipeline, step, rule) = (escape(pipeline), escape(step), escape(rule));
            let _ = writeln!(
                out,
                "{name}{{pipeline=\"{pipeline}\",step=\"{step}\",rule=\"{rule}\"}} {rows}"
            );
        }
        let name = "glovebox_step_seconds_total";
        head(
            &mut out,
            name,
            "counter",
            "Time spent in the steps of runs, over all workers.",
        );
        for ((pipeline, step), seconds) in &sums.seconds {
            let (pipeline, step) = (escape(pipeline), escape(step));
            let _ = writeln!(
                out,
                "{name}{{pipeline=\"{pipeline}\",step=\"{step}\"}} {seconds}"
            );
        }
        out
    }
}

/// How many runs of these pipelines wait, and the first of them for how long, in all servers'
/// catalog.
pub(super) fn queue<'p>(
    pipelines: impl Iterator<Item = &'p str>,
    waiting: &[Waiting],
    now: i64,
    shown: impl Fn(&str) -> bool,
) -> String {
    let mut queues: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for pipeline in pipelines {
        let waits = waiting.iter().find(|w| w.pipeline == pipeline);
        let (runs, oldest) = waits.map_or((0, now), |w| (w.runs, w.oldest));
        let name = if shown(pipeline) { pipeline } else { HIDDEN };
        let (all, longest) = queues.entry(name).or_default();
        *all += runs;
        *longest = (*longest).max(now - oldest);
    }
    let mut out = String::new();
    let mut gauge = |name: &str, help: &str, value: fn(&(i64, i64)) -> i64| {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (pipeline, queue) in &queues {
            let pipeline = escape(pipeline);
            let _ = writeln!(out, "{name}{{pipeline=\"{pipeline}\"}} {}", value(queue));
        }
    };
    gauge(
        "glovebox_runs_queued",
        "Runs that wait, on whichever server; each server tells the same number.",
        |(runs, _)| *runs,
    );
    gauge(
        "glovebox_runs_queue_seconds",
        "How long the first run of the queue has waited.",
        |(_, seconds)| *seconds,
    );
    out
}

fn list<'r>(report: &'r Value, name: &str) -> impl Iterator<Item = &'r Value> {
    report
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn text(value: &Value, name: &str) -> String {
    value
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_add_up() {
        let counts = Counts::default();
        let report = r#"{"rows":{"read":5,"stored":3,"filtered":1,"rejected":1},
            "rejects":[{"step":"a","rule":"required","rows":1}],
            "steps":[{"name":"a","seconds":0.5}]}"#;
        counts.ended("sales", "done", Some(report));
        counts.ended("sales", "done", Some(report));
        counts.ended("sales", "failed", None);
        let text = counts.text(2, |_| true);
        for line in [
            "glovebox_runs_active 2",
            "glovebox_runs_total{pipeline=\"sales\",state=\"done\"} 2",
            "glovebox_runs_total{pipeline=\"sales\",state=\"failed\"} 1",
            "glovebox_run_rows_total{pipeline=\"sales\",fate=\"stored\"} 6",
            "glovebox_run_rejects_total{pipeline=\"sales\",step=\"a\",rule=\"required\"} 2",
            "glovebox_step_seconds_total{pipeline=\"sales\",step=\"a\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        let text = counts.text(2, |_| false);
        let line = "glovebox_run_rejects_total{pipeline=\"(hidden)\",step=\"(hidden)\",rule=\"(hidden)\"} 2";
        assert!(text.lines().any(|l| l == line), "{text}");
        assert!(!text.contains("sales"), "{text}");
    }
}
