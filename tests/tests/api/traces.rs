//! Spans of requests and runs, as a collector receives them.

use std::net::TcpListener;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use glovebox_tests::outside::{Answer, Asked, Outside, free_port};
use glovebox_tests::server::{PASSWORD, Server};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::runs::SALES;

const SECRET: &str = "canary-collector-token";
const PIPELINES: &str = "\
pipelines:
  sales: { manifest: sales.yaml }
";
const ROWS: &str = "id,name\n1,canary-ann\n2,\n3,canary-bob\n";
const SALT: &str = "canary salt of 32 bytes, or there about";

/// What a collector has received.
fn spans(asked: &[Asked]) -> Vec<Span> {
    let requests = asked
        .iter()
        .map(|a| ExportTraceServiceRequest::decode(a.body.as_slice()).unwrap());
    requests
        .flat_map(|r| r.resource_spans)
        .flat_map(|r| r.scope_spans)
        .flat_map(|s| s.spans)
        .collect()
}

/// An attribute as text.
fn attribute(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|a| a.key == name)?;
    Some(match found.value.clone()?.value? {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    })
}

#[track_caller]
fn until(what: &str, mut there: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !there() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn requests_and_runs_are_traced_without_a_value() {
    let collector = Outside::start(|_| Answer::ok(""));
    let folder = Server::folder(&format!(
        "{PIPELINES}proxies: [127.0.0.1]\ntelemetry:\n  otlp:\n    url: https://{}\n    headers: \
         {{ authorization: {{ secret: otlp }} }}\n    tls: {{ ca: ca.pem }}\n",
        collector.address
    ))
    .env("OTEL_BSP_SCHEDULE_DELAY", "100")
    .file("ca.pem", &collector.ca)
    .file("secrets/otlp", format!("Bearer {SECRET}\n"))
    .file("secrets/salt", SALT)
    .file("sales.yaml", SALES)
    .file("in.csv", ROWS);
    let server = Server::start_in(folder);
    server.user("canary-ada", &["admin"]);
    let (token, refresh) = server.log_in("canary-ada");
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("X-Forwarded-For", "203.0.113.77"),
        ("User-Agent", "canary-agent"),
        ("tracestate", "canary=state"),
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
    ];
    let me = server.call("GET", "/me?q=canary-query", &headers, b"");
    let request = me.header("x-request-id").unwrap().to_owned();
    let _ = server.get("/canary-path", &token).is(404);
    let _ = server.get("/me", "canary.bad.token").is(401);
    let run = server.send(
        "POST",
        "/pipelines/sales/runs",
        &token,
        &serde_json::json!({}),
    );
    let run = run.is(202).json()["id"].as_str().unwrap().to_owned();
    until("the run's spans", || {
        spans(&collector.asked())
            .iter()
            .any(|s| s.name == "run sales")
    });
    let ended = server.stop("TERM").ends_with(0);
    let asked = collector.asked();
    let spans = spans(&asked);
    let named = |name: &str| {
        let found = spans.iter().filter(|s| s.name == name).collect::<Vec<_>>();
        assert!(!found.is_empty(), "no span {name} in {spans:#?}");
        found
    };
    // A request: by the conventions' names, part of its proxy's trace.
    let me = named("GET /me");
    let me = me
        .iter()
        .find(|s| attribute(s, "glovebox.request.id").as_ref() == Some(&request))
        .unwrap();
    assert_eq!(me.kind, 2, "a server's");
    assert_eq!(
        me.trace_id,
        0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes()
    );
    assert_eq!(me.parent_span_id, 0xb7ad_6b71_6920_3331_u64.to_be_bytes());
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/me"),
        ("http.response.status_code", "200"),
        ("url.scheme", "http"),
    ] {
        assert_eq!(attribute(me, name).as_deref(), Some(value), "{name}");
    }
    assert!(me.end_time_unix_nano >= me.start_time_unix_nano);
    assert!(named("GET").iter().any(|s| {
        attribute(s, "http.response.status_code").as_deref() == Some("404")
            && attribute(s, "error.type").as_deref() == Some("not-found")
    }));
    // A run and its steps: what the report counts.
    let ran = named("run sales")[0];
    for (name, value) in [
        ("glovebox.run.id", run.as_str()),
        ("glovebox.run.outcome", "done"),
        ("glovebox.rows.read", "3"),
        ("glovebox.rows.stored", "2"),
        ("glovebox.rows.rejected", "1"),
    ] {
        assert_eq!(attribute(ran, name).as_deref(), Some(value), "{name}");
    }
    let steps: Vec<_> = spans
        .iter()
        .filter(|s| s.parent_span_id == ran.span_id)
        .collect();
    assert_eq!(steps.len(), 2, "{spans:#?}");
    // The collector knows who speaks, and that is where the secret goes.
    for asked in &asked {
        assert_eq!(
            (asked.method.as_str(), asked.target.as_str()),
            ("POST", "/v1/traces")
        );
        assert_eq!(asked.header("content-type"), Some("application/x-protobuf"));
        assert_eq!(
            asked.header("authorization"),
            Some(format!("Bearer {SECRET}").as_str())
        );
    }
    let whole: Vec<u8> = asked.iter().flat_map(|a| a.body.clone()).collect();
    let holds = |needle: &str| memchr::memmem::find(&whole, needle.as_bytes()).is_some();
    assert!(holds("glovebox.request.id") && holds("service.name"));
    for canary in [
        "canary",
        PASSWORD,
        &token,
        &refresh,
        "203.0.113.77",
        "127.0.0.1",
        "q=",
    ] {
        assert!(!holds(canary), "{canary} in the spans");
    }
    assert!(!ended.stderr.contains(SECRET), "{}", ended.stderr);
}

#[test]
fn a_strangers_trace_is_linked_and_not_continued() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let collector = Outside::plain(port, |_| Answer::ok(""));
    let folder = Server::folder("").env(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        format!("http://{}", collector.address),
    );
    let server = Server::start_in(folder);
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let _ = server
        .call("GET", "/healthz", &[("traceparent", parent)], b"")
        .is(200);
    let _ = server.stop("TERM").ends_with(0);
    // What waited was sent at the end.
    let spans = spans(&collector.asked());
    let span = spans.iter().find(|s| s.name == "GET /healthz").unwrap();
    assert!(span.parent_span_id.is_empty());
    assert_ne!(
        span.trace_id,
        0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes()
    );
    assert_eq!(
        span.links[0].span_id,
        0xb7ad_6b71_6920_3331_u64.to_be_bytes()
    );
}

#[test]
fn a_collector_that_is_away_costs_one_line_and_gets_what_waited() {
    let away = Arc::new(Mutex::new(true));
    let is_away = Arc::clone(&away);
    let collector =
        Outside::plain(
            TcpListener::bind("127.0.0.1:0").unwrap(),
            move |_| match *is_away.lock().unwrap() {
                true => Answer::Reply(503, Vec::new(), b"canary".to_vec()),
                false => Answer::ok(""),
            },
        );
    let folder = Server::folder(&format!(
        "telemetry: {{ otlp: {{ url: 'http://{}' }} }}\n",
        collector.address
    ))
    .env("OTEL_BSP_SCHEDULE_DELAY", "20");
    let server = Server::start_in(folder);
    for _ in 0..20 {
        let _ = server.call("GET", "/healthz", &[], b"").is(200);
    }
    until("a few attempts", || {
        let _ = server.call("GET", "/healthz", &[], b"").is(200);
        collector.asked().len() >= 3
    });
    let refused = collector.asked().len();
    *away.lock().unwrap() = false;
    let _ = server.call("GET", "/healthz", &[], b"").is(200);
    until("spans", || {
        let _ = server.call("GET", "/healthz", &[], b"").is(200);
        collector.asked().len() > refused + 1
    });
    let ended = server.stop("TERM").ends_with(0);
    // All of them in the end: what could not be sent has waited.
    let asked = collector.asked();
    let delivered = spans(asked.get(refused..).unwrap());
    assert!(delivered.len() >= 22, "{}", delivered.len());
    let lines = ended.stderr.matches("spans cannot be delivered").count();
    assert_eq!(lines, 1, "{}", ended.stderr);
    assert!(!ended.stderr.contains("canary"));
}

#[test]
fn a_collector_that_is_nowhere_stops_neither_a_server_nor_a_run() {
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let folder = Server::folder("")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &nowhere)
        .file("manifest.yaml", SALES)
        .file("in.csv", ROWS)
        .file("secrets/salt", SALT);
    let _ = folder.run().ends_with(0).says("spans cannot be delivered");
    let server = Server::start_in(folder);
    let _ = server.call("GET", "/healthz", &[], b"").is(200);
    let _ = server.stop("TERM").ends_with(0);
    // One that may not be used is said, and no more.
    let folder = Server::folder("").env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
    let server = Server::start_in(folder);
    let said = "traces are not exported: OTEL_EXPORTER_OTLP_ENDPOINT: plain http";
    assert!(server.log().contains(said), "{}", server.log());
}

#[test]
fn a_collector_that_never_answers_holds_up_no_request() {
    let (_never, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let collector = Outside::plain(TcpListener::bind("127.0.0.1:0").unwrap(), move |_| {
        let _ = gate.lock().unwrap().recv();
        Answer::HangUp
    });
    let folder = Server::folder("limits: { requests-a-minute-by-address: 100000 }\n")
        .env(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            format!("http://{}", collector.address),
        )
        .env("OTEL_BSP_SCHEDULE_DELAY", "10")
        .env("OTEL_BSP_MAX_QUEUE_SIZE", "64")
        .env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "16");
    let server = Server::start_in(folder);
    // More than may wait.
    for _ in 0..200 {
        let _ = server.call("GET", "/healthz", &[], b"").is(200);
    }
    assert!(collector.asked().is_empty(), "nothing was answered");
    let _ = server.leave("KILL");
}

#[test]
fn a_run_from_the_command_line_is_traced_by_the_environment() {
    let collector = Outside::plain(TcpListener::bind("127.0.0.1:0").unwrap(), |_| {
        Answer::ok("")
    });
    let folder = Server::folder("")
        .env(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            format!("http://{}", collector.address),
        )
        .env("OTEL_SERVICE_NAME", "nightly")
        .env(
            "TRACEPARENT",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        .file("manifest.yaml", SALES)
        .file("in.csv", ROWS)
        .file("secrets/salt", SALT);
    let _ = folder.run().ends_with(0);
    let asked = collector.asked();
    let whole: Vec<u8> = asked.iter().flat_map(|a| a.body.clone()).collect();
    let holds = |needle: &str| memchr::memmem::find(&whole, needle.as_bytes()).is_some();
    assert!(holds("nightly") && !holds("canary"));
    let spans = spans(&asked);
    let run = spans.iter().find(|s| s.name == "run sales").unwrap();
    assert_eq!(run.parent_span_id, 0xb7ad_6b71_6920_3331_u64.to_be_bytes());
    assert_eq!(attribute(run, "glovebox.rows.read").as_deref(), Some("3"));
    // A run that fails says so, and not why.
    folder.write("in.csv", "id,canary\n1,x\n");
    let _ = folder.call(&["run", "manifest.yaml"]);
    let failed = self::spans(&collector.asked());
    let failed = failed
        .iter()
        .filter(|s| s.name == "run sales")
        .nth(1)
        .unwrap();
    assert_eq!(
        attribute(failed, "glovebox.run.outcome").as_deref(),
        Some("failed")
    );
    assert_eq!(failed.status.as_ref().unwrap().code, 2);
}
