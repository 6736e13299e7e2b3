//! The server's life cycle: opening everything before it listens, serving, and finishing on
//! shutdown.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use glovebox_audit::{Action, Event, Outcome};
use glovebox_catalog::{Hasher, Hashing, Lockout};
use glovebox_datasets::Reader;
use poem::{Route, Server, get};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::alerts::Alerts;
use super::audit::{self, Audit, Writer};
use super::config::Config;
use super::connections::{Connections, Watched};
use super::datasets::Dataset;
use super::described::Descriptions;
use super::explain::Explains;
use super::gate::Gate;
use super::limits::Limits;
use super::listener::{self, Listener};
use super::metrics::Metrics;
use super::places::{self, Secrets};
use super::reveal::Reveals;
use super::runs::{Launch, Runs, UploadKey, UploadSeals};
use super::state::Api;
use super::tokens::{Key, Tokens};
use super::{catalog, issuers, now, openapi, routes, traces};

/// How often what is over is forgotten.
const HOUSEKEEPING: Duration = Duration::from_secs(60);
/// Failed logins are remembered for so long, in seconds.
const ATTEMPTS: i64 = 24 * 60 * 60;
/// Cells that may be explained at once: each by a process, which may read a whole source.
const EXPLANATIONS: usize = 2;
/// Connections of those who read metrics.
const READERS: usize = 16;

/// Serves until `stop` is done; `launch` begins a run, `seals` makes what encrypts uploads, `explains` begins an
/// explanation, `reveals` undoes masks, and `ready` hears the address once requests are taken.
///
/// # Errors
/// When a part cannot be opened, or the address is taken.
pub async fn serve(
    config: Config,
    secrets: Secrets<'_>,
    (launch, seals, explains): (Launch, UploadSeals, Explains),
    reveals: Reveals,
    ready: impl FnOnce(&str),
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let address = config.listen;
    let shutdown = config.limits.shutdown;
    let tcp = bind(address)?;
    let scheme = config.tls.as_ref().map_or("http", |_| "https");
    let url = match &config.url {
        Some(url) => url.clone(),
        None => format!("{scheme}://{}", tcp.local_addr()?),
    };
    let mut stop = std::pin::pin!(stop);
    let opened = open(
        config,
        url.clone(),
        secrets,
        (launch, seals, explains, reveals),
    );
    let (api, refreshes) = tokio::select! {
        opened = opened => opened?,
        // Whoever ends a server that waits for its database need not wait with it.
        () = &mut stop => return Ok(()),
    };
    let api = Arc::new(api);
    let limits = &api.config.limits;
    let connections = Connections::new(
        limits.connections,
        limits.connections_by_address,
        api.config.proxies.clone(),
    );
    let listener = Listener::new(
        tcp,
        Arc::clone(&connections),
        limits.patience,
        api.config.tls.clone(),
        refused(Arc::clone(&api)),
    )
    .context("`tls`")?;
    let metrics = match api.config.metrics {
        None => None,
        Some(address) => Some(serve_metrics(&api, address).await?),
    };
    let name = glovebox_catalog::digest(&format!("{}-{}", now(), std::process::id()));
    let name = name.get(..6).unwrap_or("server").to_owned();
    let gate = Gate::new(routes::all(&api), Arc::clone(&api), name);
    let watched = Watched::new(gate, connections);
    api.audit
        .record(Event::new(Action::Started, Outcome::Success))
        .await?;
    let keeper = tokio::spawn(keep_house(Arc::clone(&api)));
    let refreshes = refreshes.into_iter().map(|e| e.keep(api.audit.clone()));
    let refreshes: Vec<_> = refreshes.collect();
    let worker = tokio::spawn(Arc::clone(&api.runs).work());
    ready(&url);
    Server::new_with_acceptor(listener)
        .run_with_graceful_shutdown(watched, stop, Some(shutdown))
        .await
        .context("the server stopped")?;
    keeper.abort();
    refreshes.iter().for_each(JoinHandle::abort);
    if let Some(metrics) = metrics {
        metrics.abort();
    }
    // What cannot finish within this stops where it can go on later.
    api.runs.stop(shutdown).await;
    worker.abort();
    api.record_counts(true).await;
    api.audit
        .record(Event::new(Action::Stopped, Outcome::Success))
        .await?;
    if let Some(alerts) = &api.alerts {
        alerts.close().await;
    }
    api.audit.close().await?;
    api.catalog.close().await;
    Ok(())
}

fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    listener::bind(address)
        .with_context(|| format!("cannot listen on {address}; another program may be using it"))
}

/// Records that an address had its share of connections.
fn refused(api: Arc<Api>) -> listener::Refused {
    Box::new(move |address| {
        let event = Event::new(Action::Denied, Outcome::Failure)
            .reason("connections")
            .source(address);
        if let Some(event) = api.tally.count(event, std::time::Instant::now()) {
            let audit = api.audit.clone();
            // Who takes connections does not wait for the disk.
            tokio::spawn(async move { audit.record(event).await });
        }
    })
}

/// Metrics without a token, for a port that only Prometheus reaches.
async fn serve_metrics(api: &Arc<Api>, address: SocketAddr) -> anyhow::Result<JoinHandle<()>> {
    let patience = api.config.limits.patience;
    let connections = Connections::new(READERS, READERS, Vec::new());
    let shared = Arc::clone(&connections);
    // Their port is not a client's.
    let listener = Listener::new(bind(address)?, shared, patience, None, Box::new(|_| {}))?;
    let all = routes::plain::Metrics {
        api: Arc::clone(api),
        all: true,
    };
    let route = Watched::new(Route::new().at("/metrics", get(all)), connections);
    let server = Server::new_with_acceptor(listener);
    Ok(tokio::spawn(async move {
        if let Err(error) = server.run(route).await {
            tracing::error!(%error, "metrics are no longer served");
        }
    }))
}

async fn open(
    config: Config,
    url: String,
    secrets: Secrets<'_>,
    (launch, seals, explains, reveals): (Launch, UploadSeals, Explains, Reveals),
) -> anyhow::Result<(Api, Vec<issuers::KeyRefresh>)> {
    let catalog = catalog::open(&places::database_place(&config.catalog, secrets)?).await?;
    let options = audit::options(&config.audit, secrets, Writer::Server)?;
    let audit = Audit::open(options, &catalog).await?;
    if let Some((_, key, _)) = &config.audit.checkpoints {
        let event = Event::new(Action::SecretUsed, Outcome::Success).key(key.as_str());
        audit.record(event).await?;
    }
    let mut keys = Vec::new();
    for name in &config.tokens.keys {
        let key = Key::new(&secrets(name)?).with_context(|| format!("the token key `{name}`"))?;
        if keys.iter().any(|k: &Key| k.kid == key.kid) {
            bail!("the token key `{name}` is listed twice, perhaps under two names");
        }
        keys.push(key);
        let event = Event::new(Action::SecretUsed, Outcome::Success).key(name.as_str());
        audit.record(event).await?;
    }
    traces::start(config.otlp.as_ref(), secrets)?;
    for (_, secret) in config.otlp.iter().flat_map(|o| &o.headers) {
        let event = Event::new(Action::SecretUsed, Outcome::Success).key(secret.as_str());
        audit.record(event).await?;
    }
    let (externals, refreshes) = issuers::open(&config.tokens.issuers)?;
    let mut datasets = Vec::new();
    for dataset in &config.datasets {
        let place = places::database_place(&dataset.database, secrets)
            .with_context(|| format!("the dataset `{}`", dataset.name))?;
        datasets.push(Dataset::new(dataset.clone(), Reader::new(&place)));
    }
    let upload_key = match &config.runs.uploads_key {
        None => None,
        Some(name) => {
            let key = UploadKey::new(name, secrets(name)?, seals);
            let event = Event::new(Action::SecretUsed, Outcome::Success).key(name.as_str());
            audit.record(event).await?;
            Some(
                key.map_err(anyhow::Error::msg)
                    .context("`uploads-key` of `runs`")?,
            )
        }
    };
    let name = glovebox_catalog::token("server_")?.expose().to_owned();
    let runs = Runs::new(
        catalog.clone(),
        audit.clone(),
        config.runs.clone(),
        config.pipelines.clone(),
        (launch, upload_key),
        name,
    )
    .with_context(|| format!("the folder of runs {}", config.runs.folder.display()))?;
    let described = openapi::routes(&routes::described().spec());
    let public = openapi::public(&described, &url);
    let described = Descriptions::new(url.clone(), described, public);
    for name in config.passwords().into_iter().chain(config.logins()) {
        let event = Event::new(Action::SecretUsed, Outcome::Success).key(name.as_str());
        audit.record(event).await?;
    }
    let alerts = match &config.alerts {
        None => None,
        Some(alerts) => {
            let (log, checkpoints) = (&config.audit.folder, &config.audit.checkpoints);
            let checkpoints = checkpoints.as_ref().map(|(folder, ..)| folder.clone());
            Some(Alerts::start(alerts, log, checkpoints, secrets, &audit).await?)
        }
    };
    let api = Api {
        alerts,
        runs,
        reveals,
        explains,
        explanations: Arc::new(Semaphore::new(EXPLANATIONS)),
        catalog,
        hasher: Hasher::new(Hashing::default())?,
        lockout: Lockout::default(),
        tokens: Tokens::new(&config.tokens, &url, keys, externals),
        audit,
        tally: Default::default(),
        limits: Limits::new(&config.limits),
        metrics: Metrics::new(),
        standings: Default::default(),
        paths: datasets.iter().map(|d| d.path.clone()).collect(),
        described,
        datasets,
        config,
    };
    Ok((api, refreshes))
}

/// Forgets what is over.
async fn keep_house(api: Arc<Api>) {
    loop {
        tokio::time::sleep(HOUSEKEEPING).await;
        api.limits.forget();
        api.record_counts(false).await;
        let now = now();
        let forgotten = async {
            api.catalog.forget_sessions(now).await?;
            api.catalog.forget_attempts(now - ATTEMPTS).await
        };
        if let Err(error) = forgotten.await {
            tracing::warn!(%error, "old runs and sessions could not be deleted");
        }
    }
}
