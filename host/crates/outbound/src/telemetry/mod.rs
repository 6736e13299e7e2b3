//! Traces by OpenTelemetry: a span for each request and each run, sent to a collector by OTLP.

mod environment;
mod exporter;
mod spans;

use std::sync::OnceLock;
use std::time::Duration;

use hyper::header::HeaderMap;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider,
};

use crate::https::{Address, Client};
pub use environment::start as start_by_environment;
use exporter::Exporter;
pub use spans::{Incoming, Ran, Served};

/// What waits is sent at the end for so long.
const LAST: Duration = Duration::from_secs(5);
/// The name under which a collector knows us, unless `OTEL_SERVICE_NAME` says otherwise.
const SERVICE: &str = "glovebox";

/// Where spans go. A process has one such place or none, as it has one log.
static EXPORT: OnceLock<Export> = OnceLock::new();

struct Export {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// A collector and what it is told.
pub struct Collector {
    /// Where spans are sent.
    pub address: Address,
    /// Headers of each request, which may be secrets.
    pub headers: HeaderMap,
    /// How it is reached.
    pub client: Client,
    /// Of so many in a hundred traces, if `OTEL_TRACES_SAMPLER` is not to decide.
    pub sample: Option<u32>,
}

/// Begins to export.
///
/// # Errors
/// When the operating system provides no thread for it.
pub fn start(collector: Collector) -> std::io::Result<()> {
    let sample = collector.sample;
    let named = std::env::var_os("OTEL_SERVICE_NAME").is_some_and(|n| !n.is_empty());
    let mut resource = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if !named {
        resource = resource.with_service_name(SERVICE);
    }
    let processor = BatchSpanProcessor::builder(Exporter::new(collector)?)
        .with_batch_config(BatchConfigBuilder::default().build())
        .build();
    let mut provider = SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_resource(resource.build());
    if let Some(percent) = sample {
        let ratio = Sampler::TraceIdRatioBased(f64::from(percent) / 100.0);
        provider = provider.with_sampler(Sampler::ParentBased(Box::new(ratio)));
    }
    let provider = provider.build();
    let scope = InstrumentationScope::builder("glovebox")
        .with_version(env!("CARGO_PKG_VERSION"))
        .build();
    let tracer = provider.tracer_with_scope(scope);
    // A second call changes nothing; there is none.
    let _ = EXPORT.set(Export { provider, tracer });
    Ok(())
}

/// Whether anything is exported at all.
pub fn on() -> bool {
    EXPORT.get().is_some()
}

/// Sends what waits, for a while; blocks.
pub fn stop() {
    if let Some(export) = EXPORT.get()
        && export.provider.shutdown_with_timeout(LAST).is_err()
    {
        tracing::warn!("not all spans were delivered before the end");
    }
}
