//! Spans on their way to a collector: OTLP over HTTP with protobuf.

use std::fmt;
use std::future::{Ready, ready};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use prost::Message;
use tokio::runtime::Runtime;

use super::Collector;
use crate::https::{Address, Client, Limits};

/// What a collector may take to answer, and to say.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(10),
    size: 64 << 10,
};
/// Spans that wait for a collector that is away; the oldest are lost first.
const MAX_WAITING: usize = 2048;
/// A collector that is away is logged so often.
const TOLD_EVERY: Duration = Duration::from_secs(600);

/// Sends spans.
pub(super) struct Exporter {
    client: Client,
    address: Address,
    headers: HeaderMap,
    /// The sending thread's own, so that no request of the server's shares a thread with it.
    runtime: Option<Runtime>,
    resource: ResourceAttributesWithSchema,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: Vec<SpanData>,
    lost: u64,
    /// When it was last logged that the collector is away.
    told: Option<Instant>,
}

/// How a batch fared.
enum Fate {
    /// Taken, but for so many.
    Taken(i64),
    /// It may be taken later.
    Later(String),
    /// It never will.
    Refused(u16),
}

impl Exporter {
    pub(super) fn new(collector: Collector) -> std::io::Result<Self> {
        let mut headers = collector.headers;
        let protobuf = HeaderValue::from_static("application/x-protobuf");
        headers.insert(CONTENT_TYPE, protobuf);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Exporter {
            client: collector.client,
            address: collector.address,
            headers,
            runtime: Some(runtime),
            resource: ResourceAttributesWithSchema::default(),
            state: Mutex::default(),
        })
    }

    /// Sends a batch, and before it what could not be sent earlier.
    fn send(&self, batch: Vec<SpanData>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut spans = std::mem::take(&mut state.waiting);
        spans.extend(batch);
        if spans.is_empty() {
            return;
        }
        match self.deliver(&spans) {
            Fate::Taken(refused) => {
                if state.told.take().is_some() {
                    let lost = std::mem::take(&mut state.lost);
                    tracing::info!(lost, "the collector accepts spans again");
                }
                if refused > 0 {
                    tracing::warn!(refused, "the collector refused some spans");
                }
            }
            Fate::Later(problem) => {
                let beyond = spans.len().saturating_sub(MAX_WAITING);
                spans.drain(..beyond);
                state.lost += beyond as u64;
                state.waiting = spans;
                self.tell(&mut state, &problem);
            }
            Fate::Refused(status) => {
                state.lost += spans.len() as u64;
                self.tell(&mut state, &format!("it answered {status}"));
            }
        }
    }

    fn deliver(&self, spans: &[SpanData]) -> Fate {
        let request = ExportTraceServiceRequest {
            resource_spans: group_spans_by_resource_and_scope(spans.to_vec(), &self.resource),
        };
        let body = request.encode_to_vec().into();
        let answer = self.client.send(
            Method::POST,
            &self.address,
            self.headers.clone(),
            body,
            LIMITS,
        );
        let Some(runtime) = &self.runtime else {
            return Fate::Later("the program ends".into());
        };
        match runtime.block_on(answer) {
            Err(failure) => Fate::Later(failure.to_string()),
            Ok(reply) if reply.status.is_success() => {
                let told = ExportTraceServiceResponse::decode(reply.body).unwrap_or_default();
                Fate::Taken(told.partial_success.map_or(0, |p| p.rejected_spans))
            }
            // Those that the protocol says are worth another try.
            Ok(reply)
                if matches!(
                    reply.status,
                    StatusCode::TOO_MANY_REQUESTS
                        | StatusCode::BAD_GATEWAY
                        | StatusCode::SERVICE_UNAVAILABLE
                        | StatusCode::GATEWAY_TIMEOUT
                ) =>
            {
                Fate::Later(format!("it answered {}", reply.status.as_u16()))
            }
            Ok(reply) => Fate::Refused(reply.status.as_u16()),
        }
    }

    fn tell(&self, state: &mut State, problem: &str) {
        if state.told.is_some_and(|at| at.elapsed() < TOLD_EVERY) {
            return;
        }
        state.told = Some(Instant::now());
        let (waiting, lost) = (state.waiting.len(), state.lost);
        let address = &self.address;
        tracing::warn!(
            waiting,
            lost,
            "spans cannot be delivered to {address}: {problem}"
        );
    }
}

impl SpanExporter for Exporter {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        self.send(batch);
        let done: Ready<OTelSdkResult> = ready(Ok(()));
        done
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        self.send(Vec::new());
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.into();
    }
}

/// Does not wait for the lookup of a name that nobody answers.
impl Drop for Exporter {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Without headers, which may be secrets.
impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exporter({})", self.address)
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::InstrumentationScope;
    use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status};
    use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};

    use super::*;
    use crate::https::Plain;

    fn span() -> SpanData {
        SpanData {
            span_context: SpanContext::empty_context(),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: "x".into(),
            start_time: std::time::SystemTime::UNIX_EPOCH,
            end_time: std::time::SystemTime::UNIX_EPOCH,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        }
    }

    #[test]
    fn what_waits_for_a_collector_is_bounded() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let exporter = Exporter::new(Collector {
            address: Address::parse(&address, Plain::Loopback).unwrap(),
            headers: HeaderMap::new(),
            client: Client::new(None).unwrap(),
            sample: None,
        });
        let exporter = exporter.unwrap();
        for _ in 0..5 {
            exporter.send(vec![span(); 512]);
        }
        let state = exporter.state.lock().unwrap();
        assert_eq!((state.waiting.len(), state.lost), (MAX_WAITING, 512));
    }
}
