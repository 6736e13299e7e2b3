//! The spans of requests and runs, with OpenTelemetry's attribute names where they exist.

use std::time::{Duration, SystemTime};

use hyper::header::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{
    Link, Span, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, TraceState, Tracer,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use serde_json::Value as Json;

use super::EXPORT;

/// The header and, in capitals, the variable of W3C's Trace Context.
const PARENT: &str = "traceparent";

/// A trace that a caller says it is part of.
#[derive(Debug, Default)]
pub struct Incoming {
    context: Option<SpanContext>,
    /// Whether the caller is one of ours, and may continue its trace here.
    trusted: bool,
}

impl Incoming {
    /// Of a request. Of somebody whom we do not trust it is only a link: they could else write into
    /// others' traces, or have each request of theirs recorded.
    pub fn of(headers: &HeaderMap, trusted: bool) -> Self {
        let mut lines = headers.get_all(PARENT).iter();
        let context = match (lines.next(), lines.next()) {
            (Some(line), None) => line.to_str().ok().and_then(context),
            _ => None,
        };
        Incoming { context, trusted }
    }

    /// Of the program's environment, which is its caller's.
    pub fn of_environment() -> Self {
        let variable = std::env::var(PARENT.to_uppercase()).ok();
        Incoming {
            context: variable.as_deref().and_then(context),
            trusted: true,
        }
    }

    fn split(self) -> (Context, Vec<Link>) {
        match self.context {
            Some(parent) if self.trusted => {
                (Context::new().with_remote_span_context(parent), Vec::new())
            }
            Some(other) => (Context::new(), vec![Link::with_context(other)]),
            None => (Context::new(), Vec::new()),
        }
    }
}

/// Without `tracestate`, which holds any text.
fn context(line: &str) -> Option<SpanContext> {
    struct One<'l>(&'l str);

    impl Extractor for One<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            (key == PARENT).then_some(self.0)
        }

        fn keys(&self) -> Vec<&str> {
            vec![PARENT]
        }
    }

    let found = TraceContextPropagator::new().extract_with_context(&Context::new(), &One(line));
    let found = found.span().span_context().clone();
    found.is_valid().then(|| {
        SpanContext::new(
            found.trace_id(),
            found.span_id(),
            found.trace_flags(),
            true,
            TraceState::NONE,
        )
    })
}

/// A request that was answered.
pub struct Served<'r> {
    /// The route's pattern; none if there is no such route.
    pub route: Option<&'r str>,
    /// The method of HTTP.
    pub method: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// Whether it came by TLS.
    pub secure: bool,
    /// What the request is called in the log and in `X-Request-Id`.
    pub request: &'r str,
    /// The kind of problem that it was answered with, if one.
    pub problem: &'static str,
    /// From its first byte to the answer.
    pub took: Duration,
}

impl Served<'_> {
    /// Exports it.
    pub fn tell(self, incoming: Incoming) {
        let Some(export) = EXPORT.get() else { return };
        // The conventions' word for a method that is none of the known ones.
        let (method, called) = match self.method {
            "other" => ("_OTHER", "HTTP"),
            method => (method, method),
        };
        let name = match self.route {
            Some(route) => format!("{called} {route}"),
            None => called.to_owned(),
        };
        let mut attributes = vec![
            KeyValue::new("http.request.method", method),
            KeyValue::new("http.response.status_code", i64::from(self.status)),
            KeyValue::new("url.scheme", if self.secure { "https" } else { "http" }),
            KeyValue::new("glovebox.request.id", self.request.to_owned()),
        ];
        if let Some(route) = self.route {
            attributes.push(KeyValue::new("http.route", route.to_owned()));
        }
        let failed = self.status >= 500;
        if failed || !self.problem.is_empty() {
            let kind = match self.problem {
                "" => Value::from(self.status.to_string()),
                kind => Value::from(kind),
            };
            attributes.push(KeyValue::new("error.type", kind));
        }
        let (parent, links) = incoming.split();
        let end = SystemTime::now();
        let builder = SpanBuilder::from_name(name)
            .with_kind(SpanKind::Server)
            .with_start_time(end.checked_sub(self.took).unwrap_or(end))
            .with_attributes(attributes)
            .with_links(links);
        let mut span = export.tracer.build_with_context(builder, &parent);
        if failed {
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(end);
    }
}

/// A run that is over.
pub struct Ran<'r> {
    /// The pipeline's name.
    pub pipeline: &'r str,
    /// Its name, where it has one without a report.
    pub run: Option<&'r str>,
    /// `done`, `rejected`, `failed` or `cancelled`.
    pub outcome: &'static str,
    /// When the run began.
    pub began: SystemTime,
    /// Its report, if it came so far.
    pub report: Option<Json>,
}

impl Ran<'_> {
    /// Exports it, and each of its steps.
    pub fn tell(self, incoming: Incoming) {
        let Some(export) = EXPORT.get() else { return };
        let end = SystemTime::now();
        let report = self.report.unwrap_or_default();
        let text = |from: &Json, name: &str| {
            let member = from.get(name).and_then(Json::as_str);
            member.unwrap_or_default().to_owned()
        };
        let count = |from: &Json, name: &str| {
            let member = from.get(name).and_then(Json::as_i64);
            member.unwrap_or_default()
        };
        let id = self.run.map_or_else(|| text(&report, "run"), Into::into);
        let mut attributes = vec![
            KeyValue::new("glovebox.pipeline.name", self.pipeline.to_owned()),
            KeyValue::new("glovebox.run.id", id),
            KeyValue::new("glovebox.run.outcome", self.outcome),
        ];
        if let Some(rows) = report.get("rows") {
            for (name, member) in [
                ("glovebox.rows.read", "read"),
                ("glovebox.rows.stored", "stored"),
                ("glovebox.rows.filtered", "filtered"),
                ("glovebox.rows.rejected", "rejected"),
            ] {
                attributes.push(KeyValue::new(name, count(rows, member)));
            }
        }
        // The report knows its time to the microsecond, the catalog to the second.
        let began = report
            .get("seconds")
            .and_then(Json::as_f64)
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .and_then(|took| end.checked_sub(took))
            .unwrap_or(self.began);
        let (parent, links) = incoming.split();
        let builder = SpanBuilder::from_name(format!("run {}", self.pipeline))
            .with_kind(SpanKind::Internal)
            .with_start_time(began)
            .with_attributes(attributes)
            .with_links(links);
        let mut run = export.tracer.build_with_context(builder, &parent);
        if self.outcome == "failed" {
            run.set_attribute(KeyValue::new("error.type", "failed"));
            run.set_status(Status::error(""));
        }
        let within = Context::new().with_remote_span_context(run.span_context().clone());
        let steps = report.get("steps").and_then(Json::as_array);
        for step in steps.into_iter().flatten() {
            // Steps work on different rows at the same time, from the run's beginning to its end.
            let name = text(step, "name");
            let busy = step.get("seconds").and_then(Json::as_f64);
            let builder = SpanBuilder::from_name(format!("step {name}"))
                .with_kind(SpanKind::Internal)
                .with_start_time(began)
                .with_attributes([
                    KeyValue::new("glovebox.step.name", name),
                    KeyValue::new("glovebox.plugin", text(step, "plugin")),
                    KeyValue::new("glovebox.step.rows_in", count(step, "rows-in")),
                    KeyValue::new("glovebox.step.filtered", count(step, "filtered")),
                    KeyValue::new("glovebox.step.rejected", count(step, "rejected")),
                    KeyValue::new("glovebox.step.busy_seconds", busy.unwrap_or_default()),
                ]);
            let mut span = export.tracer.build_with_context(builder, &within);
            span.end_with_timestamp(end);
        }
        run.end_with_timestamp(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(PARENT, line.parse().unwrap());
        }
        headers.append("tracestate", "canary=1".parse().unwrap());
        headers
    }

    #[test]
    fn a_trusted_callers_trace_goes_on_and_anothers_is_a_link() {
        let (parent, links) = Incoming::of(&headers(&[LINE]), true).split();
        let context = parent.span().span_context().clone();
        assert_eq!(
            context.trace_id().to_string(),
            "0af7651916cd43dd8448eb211c80319c"
        );
        assert!(links.is_empty());
        assert_eq!(context.trace_state(), &TraceState::NONE);
        let (parent, links) = Incoming::of(&headers(&[LINE]), false).split();
        assert!(!parent.span().span_context().is_valid());
        assert_eq!(links.len(), 1);
    }

    #[test]
    fn what_is_no_trace_is_none() {
        for lines in [
            &[][..],
            &[LINE, LINE],
            &[""],
            &["00-00000000000000000000000000000000-b7ad6b7169203331-01"],
            &["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"],
            &["zz-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
            &["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-canary"],
        ] {
            let (parent, links) = Incoming::of(&headers(lines), true).split();
            assert!(!parent.span().span_context().is_valid(), "{lines:?}");
            assert!(links.is_empty());
        }
    }
}
