//! Metrics for Prometheus, in its text format. Clients cannot choose labels: routes are patterns,
//! never paths. What a reader may not see is counted together under one name.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use poem::http::Method;

use super::rules::NO_DATASET;

/// Upper bounds of the histogram of times, in seconds.
const BOUNDS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// What stands for every name that a reader may not see.
pub(super) const HIDDEN: &str = "(hidden)";

/// A route and how it went.
type Served = (String, &'static str, u16);

/// What is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    since: Instant,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    served: BTreeMap<Served, u64>,
    times: BTreeMap<&'static str, Times>,
    rows: BTreeMap<String, u64>,
    logins: BTreeMap<&'static str, u64>,
    in_flight: u64,
}

#[derive(Debug, Default, Clone)]
struct Times {
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Metrics {
            since: Instant::now(),
            inner: Mutex::default(),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A request begins; the guard's end is its end.
    pub(crate) fn begin(&self) -> InFlight<'_> {
        self.change(|inner| inner.in_flight += 1);
        InFlight(self)
    }

    /// A request was answered.
    pub(crate) fn served(&self, pattern: &str, method: &'static str, status: u16, took: Duration) {
        self.change(|inner| {
            *inner
                .served
                .entry((pattern.to_owned(), method, status))
                .or_default() += 1;
            let times = inner.times.entry(method).or_default();
            let seconds = took.as_secs_f64();
            for (bucket, bound) in times.buckets.iter_mut().zip(BOUNDS) {
                *bucket += u64::from(seconds <= bound);
            }
            times.count += 1;
            times.sum += seconds;
        });
    }

    /// Rows of a dataset left.
    pub(crate) fn rows(&self, dataset: &str, rows: u64) {
        self.change(|inner| *inner.rows.entry(dataset.to_owned()).or_default() += rows);
    }

    /// Somebody tried to log in.
    pub(crate) fn login(&self, outcome: &'static str) {
        self.change(|inner| *inner.logins.entry(outcome).or_default() += 1);
    }

    /// All of it, with the names of those datasets that are shown.
    pub(crate) fn text(&self, shown: impl Fn(&str) -> bool) -> String {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let datasets = &inner.rows;
        let served = added(&inner.served, |(route, method, status)| {
            let hidden = route
                .strip_prefix('/')
                .is_some_and(|n| datasets.contains_key(n) && !shown(n));
            let route = if hidden { NO_DATASET } else { route };
            (route.to_owned(), *method, *status)
        });
        let rows = added(datasets, |name| match shown(name) {
            true => name.clone(),
            false => HIDDEN.to_owned(),
        });
        let mut out = String::with_capacity(4096);
        head(
            &mut out,
            "glovebox_http_requests_total",
            "counter",
            "Requests answered, by route, method and status.",
        );
        for ((route, method, status), count) in &served {
            let _ = writeln!(
                out,
                "glovebox_http_requests_total{{route=\"{}\",method=\"{method}\",status=\"{status}\"}} {count}",
                escape(route)
            );
        }
        head(
            &mut out,
            "glovebox_http_request_seconds",
            "histogram",
            "Time from a request's headers to its response.",
        );
        for (method, times) in &inner.times {
            times.write(&mut out, method);
        }
        let gauge = |out: &mut String, name: &str, help: &str, value: u64| {
            head(out, name, "gauge", help);
            let _ = writeln!(out, "{name} {value}");
        };
        let in_flight = inner.in_flight;
        let help = "Requests being answered.";
        gauge(
            &mut out,
            "glovebox_http_requests_in_flight",
            help,
            in_flight,
        );
        head(
            &mut out,
            "glovebox_dataset_rows_total",
            "counter",
            "Rows sent, by dataset.",
        );
        for (dataset, rows) in &rows {
            let _ = writeln!(
                out,
                "glovebox_dataset_rows_total{{dataset=\"{}\"}} {rows}",
                escape(dataset)
            );
        }
        head(
            &mut out,
            "glovebox_logins_total",
            "counter",
            "Logins, by outcome.",
        );
        for (outcome, count) in &inner.logins {
            let _ = writeln!(
                out,
                "glovebox_logins_total{{outcome=\"{outcome}\"}} {count}"
            );
        }
        let up = self.since.elapsed().as_secs();
        let help = "Time since the server started.";
        gauge(&mut out, "glovebox_up_seconds", help, up);
        out
    }
}

impl Times {
    fn write(&self, out: &mut String, method: &str) {
        for (bound, count) in BOUNDS.iter().zip(self.buckets) {
            let _ = writeln!(
                out,
                "glovebox_http_request_seconds_bucket{{method=\"{method}\",le=\"{bound}\"}} {count}"
            );
        }
        let Times { count, sum, .. } = self;
        let _ = writeln!(
            out,
            "glovebox_http_request_seconds_bucket{{method=\"{method}\",le=\"+Inf\"}} {count}\n\
             glovebox_http_request_seconds_sum{{method=\"{method}\"}} {sum}\n\
             glovebox_http_request_seconds_count{{method=\"{method}\"}} {count}"
        );
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// A method as a label: there are as many as there are words.
pub(super) fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// Counts under other names, those that have one in common added.
pub(super) fn added<K, L: Ord, N: Copy + Default + std::ops::AddAssign>(
    counts: &BTreeMap<K, N>,
    name: impl Fn(&K) -> L,
) -> BTreeMap<L, N> {
    let mut sums = BTreeMap::new();
    for (key, count) in counts {
        *sums.entry(name(key)).or_insert_with(N::default) += *count;
    }
    sums
}

/// A request that is being answered.
pub(crate) struct InFlight<'m>(&'m Metrics);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.change(|inner| inner.in_flight -= 1);
    }
}

pub(super) fn escape(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let metrics = Metrics::new();
        let guard = metrics.begin();
        metrics.served("/sales", "GET", 200, Duration::from_millis(3));
        metrics.served("/sales", "GET", 200, Duration::from_secs(9));
        metrics.rows("sales", 3);
        metrics.login("success");
        let text = metrics.text(|_| true);
        for line in [
            "glovebox_http_requests_total{route=\"/sales\",method=\"GET\",status=\"200\"} 2",
            "glovebox_http_request_seconds_bucket{method=\"GET\",le=\"0.005\"} 1",
            "glovebox_http_request_seconds_bucket{method=\"GET\",le=\"+Inf\"} 2",
            "glovebox_http_requests_in_flight 1",
            "glovebox_dataset_rows_total{dataset=\"sales\"} 3",
            "glovebox_logins_total{outcome=\"success\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        drop(guard);
        assert!(metrics.text(|_| true).contains("in_flight 0"));
        metrics.rows("inner", 4);
        metrics.served("/inner", "GET", 200, Duration::from_millis(3));
        let text = metrics.text(|name| name == "sales");
        for line in [
            "glovebox_http_requests_total{route=\"/{dataset}\",method=\"GET\",status=\"200\"} 1",
            "glovebox_dataset_rows_total{dataset=\"(hidden)\"} 4",
            "glovebox_dataset_rows_total{dataset=\"sales\"} 3",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        assert!(!text.contains("inner"), "{text}");
    }
}
