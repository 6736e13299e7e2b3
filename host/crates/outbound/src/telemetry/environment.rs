//! The collector configured by OpenTelemetry's standard environment variables. An unsupported
//! protocol, or plain http to another machine, only causes a line in the log: monitoring must not
//! stop the work.

use std::borrow::Cow;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use super::Collector;
use crate::https::{Address, Client, Plain};

/// A file of certificates larger than this is not read.
const MAX_SIZE: u64 = 1 << 20;

/// Begins to export if `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is
/// set.
pub fn start() {
    let variable = |name: &str| std::env::var(name).ok();
    let started = collector(&variable).and_then(|collector| match collector {
        Some(collector) => super::start(collector).map_err(|error| error.to_string()),
        None => Ok(()),
    });
    if let Err(problem) = started {
        tracing::warn!("traces are not exported: {problem}");
    }
}

/// The collector, if the variables name one.
///
/// # Errors
/// A sentence that names the variable and not its value.
fn collector(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Collector>, String> {
    let set = |name: &str| variable(name).filter(|v| !v.trim().is_empty());
    let is = |name: &str, word: &str| set(name).is_some_and(|v| v.eq_ignore_ascii_case(word));
    if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
        return Ok(None);
    }
    // Of each, the variable for traces goes before the one for everything.
    let of_traces = |what: &str| {
        let names = [
            format!("OTEL_EXPORTER_OTLP_TRACES_{what}"),
            format!("OTEL_EXPORTER_OTLP_{what}"),
        ];
        names.into_iter().find_map(|name| Some((set(&name)?, name)))
    };
    let Some((url, name)) = of_traces("ENDPOINT") else {
        return Ok(None);
    };
    let address = Address::parse(url.trim(), Plain::Loopback)
        .map_err(|problem| format!("{name}: {problem}"))?;
    let address = match name.contains("TRACES") {
        true => address,
        false => address.below("v1/traces"),
    };
    if let Some((protocol, name)) = of_traces("PROTOCOL")
        && protocol != "http/protobuf"
    {
        return Err(format!(
            "{name}: only http/protobuf is supported, usually on port 4318"
        ));
    }
    let headers = match of_traces("HEADERS") {
        Some((list, name)) => headers(&list).ok_or(format!(
            "{name}: it is not a list of headers: name=value,name=value"
        ))?,
        None => HeaderMap::new(),
    };
    let authorities = match of_traces("CERTIFICATE") {
        None => None,
        Some((file, name)) => {
            let small = std::fs::metadata(&file).is_ok_and(|m| m.len() <= MAX_SIZE);
            let read = std::fs::read(&file).ok().filter(|_| small);
            Some(read.ok_or(format!("{name}: the file cannot be read"))?)
        }
    };
    let client = Client::new(authorities.as_deref());
    Ok(Some(Collector {
        address,
        headers,
        client: client.map_err(|error| format!("OTEL_EXPORTER_OTLP_CERTIFICATE: {error}"))?,
        sample: None,
    }))
}

/// `name=value,name=value`, values with percent escapes.
fn headers(list: &str) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for pair in list.split(',').filter(|pair| !pair.trim().is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let name = HeaderName::try_from(name.trim()).ok()?;
        let mut value =
            HeaderValue::from_bytes(&Cow::from(percent_decode_str(value.trim()))).ok()?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Option<Collector>, String> {
        collector(&|name| {
            let found = variables.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_standard_variables_name_a_collector() {
        assert!(of(&[]).unwrap().is_none());
        assert!(
            of(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")])
                .unwrap()
                .is_none()
        );
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318/");
        let address = |variables: &[(&str, &str)]| {
            let collector = of(variables).unwrap().unwrap();
            collector.address.to_string()
        };
        assert_eq!(address(&[base]), "http://localhost:4318/v1/traces");
        let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://c.example/in");
        assert_eq!(address(&[base, traces]), "https://c.example/in");
        let off = [base, ("OTEL_SDK_DISABLED", "TRUE")];
        assert!(of(&off).unwrap().is_none());
        assert!(
            of(&[base, ("OTEL_TRACES_EXPORTER", "none")])
                .unwrap()
                .is_none()
        );
        let headers = (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "authorization=Bearer%20canary, x-tenant=a=b",
        );
        let collector = of(&[base, headers]).unwrap().unwrap();
        assert_eq!(collector.headers["authorization"], "Bearer canary");
        assert_eq!(collector.headers["x-tenant"], "a=b");
        assert!(!format!("{:?}", collector.headers).contains("canary"));
    }

    #[test]
    fn what_cannot_be_done_is_said_by_the_variables_name_without_its_value() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c.example");
        for (variables, name) in [
            (
                &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://canary.example")][..],
                "OTEL_EXPORTER_OTLP_ENDPOINT",
            ),
            (
                &[base, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc-canary")],
                "OTEL_EXPORTER_OTLP_PROTOCOL",
            ),
            (
                &[base, ("OTEL_EXPORTER_OTLP_HEADERS", "canary")],
                "OTEL_EXPORTER_OTLP_HEADERS",
            ),
            (
                &[base, ("OTEL_EXPORTER_OTLP_HEADERS", "a=%0Acanary")],
                "OTEL_EXPORTER_OTLP_HEADERS",
            ),
            (
                &[base, ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/canary")],
                "OTEL_EXPORTER_OTLP_CERTIFICATE",
            ),
        ] {
            let problem = of(variables).err().unwrap();
            assert!(
                problem.contains(name) && !problem.contains("canary"),
                "{problem}"
            );
        }
    }
}
