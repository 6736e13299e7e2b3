//! Turns the configuration into a collector of traces.

use anyhow::{Context, anyhow};
use glovebox_outbound::telemetry::{self, Collector};
use poem::http::header::{HeaderMap, HeaderValue};

use super::config::Otlp;
use super::issuers;
use super::places::Secrets;

/// Begins to export to the configured collector, or to the one that the environment names.
///
/// # Errors
/// When a secret or a file of the configuration cannot be had or used. A collector that is away is
/// none.
pub(super) fn start(config: Option<&Otlp>, secrets: Secrets<'_>) -> anyhow::Result<()> {
    let Some(config) = config else {
        telemetry::start_by_environment();
        return Ok(());
    };
    let mut headers = HeaderMap::new();
    for (name, secret) in &config.headers {
        let value = secrets(secret)?;
        let value = HeaderValue::from_bytes(value.expose().trim_ascii());
        let mut value = value.map_err(|_| {
            anyhow!("`telemetry`: the secret `{secret}` cannot be a header's value")
        })?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    let collector = Collector {
        address: config.address.clone(),
        headers,
        client: issuers::client(config.ca.as_deref()).context("`tls` of `telemetry`")?,
        sample: Some(config.sample),
    };
    telemetry::start(collector).context("traces cannot be exported")
}
