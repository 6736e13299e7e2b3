//! The keys of a configuration, and what they are together.

use std::net::SocketAddr;
use std::path::PathBuf;

use glovebox_manifest::declare::{Block, Reader, section};
use glovebox_manifest::kinds::{File, ListOf, MapOf, Named, nested};
use glovebox_manifest::model::{Spanned, Store};
use glovebox_manifest::shared::STORES;
use ipnet::IpNet;

use super::alerts::{AlertKeys, alerts as alerts_of};
use super::databases::CatalogKeys;
use super::datasets::{DatasetKeys, dataset};
use super::limits::LimitKeys;
use super::outgoing::{TelemetryKeys, otlp as otlp_of};
use super::tokens::{TokenKeys, tokens};
use super::values::{ADDRESS, NETWORK, PERMISSION, URL, roles};
use super::work::{AuditKeys, PipelineKeys, RunsKeys, pipelines, runs};
use super::{Audit, Config, Database, Limits, Tls};
use crate::rules::Permission;

section! {
    /// What is served, to whom, from where.
    pub(super) struct Keys("Configuration"): "the configuration", "listen: 127.0.0.1:8000" {
        /// The address and port on which it listens.
        listen: SocketAddr => default "127.0.0.1:8000", ADDRESS;
        /// The URL by which clients reach it; also the issuer in its tokens.
        url: Option<String> => optional "where it listens", URL;
        /// Serves over TLS.
        tls: Option<Tls> => optional, nested::<TlsKeys>();
        /// Serves metrics to Prometheus without a token, on a separate port.
        metrics: Option<MetricsKeys> => optional, nested::<MetricsKeys>();
        /// Where users, sessions, keys and failed logins are kept: SQLite, or PostgreSQL for more than
        /// one server.
        catalog: Option<Database> => asked, nested::<CatalogKeys>();
        /// Where secrets are looked up, in this order, as in a manifest.
        credentials: Vec<Spanned<Store>> => empty, STORES, "credentials: [keyring, env]";
        /// How tokens are issued, and whose are accepted.
        tokens: Option<TokenKeys> => asked, nested::<TokenKeys>();
        /// The [audit log](audit.md).
        audit: Option<Audit> => asked, nested::<AuditKeys>();
        /// Addresses and networks whose `X-Forwarded-For` is trusted.
        proxies: Vec<Spanned<IpNet>> => empty, ListOf(NETWORK), "proxies: [10.0.0.0/8]";
        /// Limits on what clients may request.
        limits: Limits => default "{}", nested::<LimitKeys>();
        /// Roles in addition to the four built-in ones, with their permissions: `data`, `watch`,
        /// `run`, `users`, `audit`, `metrics`.
        roles: Named<Vec<Spanned<Permission>>>
            => empty, MapOf(ListOf(PERMISSION)), "roles: { partner: [data] }";
        /// The tables to serve, each under its name: `GET /NAME`.
        datasets: Named<DatasetKeys>
            => empty, MapOf(nested::<DatasetKeys>()), "datasets: { sales: { … } }";
        /// The [pipelines](#runs) that users may run.
        pipelines: Named<PipelineKeys>
            => empty, MapOf(nested::<PipelineKeys>()), "pipelines: { sales: { manifest: sales.yaml } }";
        /// How [pipelines are run](#runs).
        runs: RunsKeys => default "{}", nested::<RunsKeys>();
        /// Who is told when something in the audit log should be looked at.
        alerts: Option<AlertKeys> => optional, nested::<AlertKeys>();
        /// Where traces are sent.
        telemetry: Option<TelemetryKeys> => optional, nested::<TelemetryKeys>();
    }
    settle Config: settle;
}

section! {
    /// A certificate and its key, as PEM files; ones that are replaced are used within a second or two.
    struct TlsKeys("ServerTls"): "the server's TLS", "tls: { certificate: cert.pem, key: key.pem }" {
        /// The certificate, with any intermediate certificates.
        certificate: PathBuf => needed, File, "certificate: cert.pem";
        /// The certificate's private key.
        key: PathBuf => needed, File, "key: key.pem";
    }
    settle Tls: tls;
}

fn tls(keys: TlsKeys, _: &mut Reader<'_>, _: &Block<'_>) -> Option<Tls> {
    Some(Tls {
        certificate: keys.certificate,
        key: keys.key,
    })
}

section! {
    /// Where metrics are read without a token.
    pub(super) struct MetricsKeys("Metrics"): "the metrics", "metrics: { listen: 127.0.0.1:9100 }" {
        /// The address and port.
        listen: SocketAddr => needed, ADDRESS, "listen: 127.0.0.1:9100";
    }
}

fn settle(keys: Keys, reader: &mut Reader<'_>, _: &Block<'_>) -> Option<Config> {
    let roles = roles(reader, keys.roles);
    let datasets = keys.datasets.into_iter();
    let datasets = datasets
        .filter_map(|(name, keys)| dataset(reader, name, keys, &roles))
        .collect();
    let pipelines = pipelines(reader, keys.pipelines, &roles);
    let tokens = keys.tokens.map(|keys| tokens(reader, keys, &roles));
    let otlp = keys.telemetry.and_then(|keys| keys.otlp);
    let otlp = otlp.and_then(|keys| otlp_of(reader, keys));
    let alerts = match keys.alerts {
        // What is wrong with them has been said.
        Some(keys) => Some(alerts_of(reader, keys, &roles)?),
        None => None,
    };
    Some(Config {
        listen: keys.listen,
        url: keys.url,
        tls: keys.tls,
        metrics: keys.metrics.map(|metrics| metrics.listen),
        catalog: keys.catalog?,
        credentials: keys.credentials.into_iter().map(|s| s.value).collect(),
        tokens: tokens?,
        audit: keys.audit?,
        proxies: keys.proxies.into_iter().map(|p| p.value).collect(),
        runs: runs(keys.runs, keys.limits.shutdown),
        limits: keys.limits,
        roles,
        datasets,
        pipelines,
        otlp,
        alerts,
    })
}
