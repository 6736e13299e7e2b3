//! Outgoing connections: a collector of traces.

use std::path::PathBuf;

use glovebox_core::SecretName;
use glovebox_manifest::declare::{Reader, section};
use glovebox_manifest::kinds::{MapOf, Named, Secret, Text, Whole, nested};
use glovebox_manifest::model::Spanned;
use glovebox_manifest::shared::Tls;
use glovebox_outbound::https::{Address, Plain};
use poem::http::header::{self, HeaderName};

use super::Otlp;
use super::values::wrong;

/// Where a collector takes traces, below its address.
const TRACES: &str = "v1/traces";

/// What a request says of itself.
const OURS: [HeaderName; 6] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::TRANSFER_ENCODING,
    header::USER_AGENT,
];

section! {
    /// Where traces are sent.
    pub(super) struct TelemetryKeys("Telemetry"): "the telemetry", "telemetry: { otlp: { … } }" {
        /// A collector that accepts OTLP over HTTP.
        otlp: Option<OtlpKeys> => optional, nested::<OtlpKeys>();
    }
}

section! {
    /// A collector of traces.
    pub(super) struct OtlpKeys("Otlp"): "the collector", "otlp: { url: https://collector.example.org:4318 }" {
        /// Its URL; `http://` only on this machine, such as http://127.0.0.1:4318.
        url: Spanned<String> => needed, Text, "url: https://collector.example.org:4318";
        /// Headers for each request, with the secrets that hold their values.
        headers: Named<HeaderKeys>
            => empty, MapOf(nested::<HeaderKeys>()), "headers: { authorization: { secret: api/otlp } }";
        /// Certificates to trust for it, instead of the built-in ones.
        ca = "tls": Option<Spanned<PathBuf>> => empty, nested::<Tls>();
        /// The percentage of requests that are traced, unless the caller has already decided.
        sample_percent: u32 => default "100", Whole(1..=100u32);
    }
}

section! {
    /// A header's value.
    pub(super) struct HeaderKeys("Header"): "a header", "authorization: { secret: api/otlp }" {
        /// The secret that holds it.
        secret: SecretName => needed, Secret, "secret: api/otlp";
    }
}

/// The collector, if traces may be sent there.
pub(super) fn otlp(reader: &mut Reader<'_>, keys: OtlpKeys) -> Option<Otlp> {
    let mut headers = Vec::with_capacity(keys.headers.len());
    for (name, value) in keys.headers {
        let parsed = HeaderName::try_from(name.as_str()).ok();
        match parsed.filter(|name| !OURS.contains(name)) {
            Some(parsed) => headers.push((parsed, value.value.secret)),
            None => {
                let help = "write the header that your collector requires, like `authorization`";
                wrong(reader, &name.span, "this header cannot be added", help);
            }
        }
    }
    match Address::parse(&keys.url, Plain::Loopback) {
        Ok(address) => Some(Otlp {
            address: address.below(TRACES),
            headers,
            ca: keys.ca.map(|ca| ca.value),
            sample: keys.sample_percent,
        }),
        Err(problem) => {
            let help = "write https://HOST:4318, or http://127.0.0.1:4318 of this machine";
            let problem = format!("traces cannot be sent there: {problem}");
            wrong(reader, &keys.url.span, problem, help);
            None
        }
    }
}
