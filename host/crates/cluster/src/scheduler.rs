//! The scheduler: Ballista's, without its planner, its web pages and its calls to executors, behind [`Gate`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::serde::protobuf::scheduler_grpc_server::SchedulerGrpcServer;
use ballista_core::serde::{BallistaCodec, BallistaLogicalExtensionCodec};
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::metrics::default_metrics_collector;
use ballista_scheduler::scheduler_server::JobIdGenerator;
use datafusion::execution::SessionStateBuilder;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::error::ClusterError;
use crate::gate::{Gate, Scheduling};
use crate::metrics;
use crate::outcome::DEATHS;
use crate::plan::Codec;
use crate::task::MOST;
use crate::tls::Certificates;

/// How long the state of a range is kept once it is over, for whoever began it to hear of.
const KEPT: Duration = Duration::from_secs(120);
/// How long ranges wait where all executors have died.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// A scheduler to be.
#[derive(Debug)]
pub struct Scheduler {
    /// Where executors and clients connect to.
    pub listen: SocketAddr,
    /// Where counts are served, without TLS, to whoever watches or scales the cluster: `/metrics` and `/healthz`.
    pub metrics: Option<SocketAddr>,
    /// The scheduler's certificate.
    pub certificates: Certificates,
    /// An executor that says nothing for so long is dead, and its ranges are given to others.
    pub dead_after: Duration,
}

impl Scheduler {
    /// Serves until `stop` comes to an end. `ready` is told where it and its counts are, once it listens.
    ///
    /// # Errors
    /// When it cannot begin, or its server ends.
    pub async fn serve(
        self,
        ready: impl FnOnce(SocketAddr, Option<SocketAddr>),
        stop: impl Future<Output = ()>,
    ) -> Result<(), ClusterError> {
        let inner = scheduling(self.listen, self.dead_after).await?;
        let gate = Gate::new(inner, self.dead_after);
        let service = SchedulerGrpcServer::new(gate.clone()).max_decoding_message_size(4 * MOST);
        let cannot_listen = |address| move |problem| ClusterError::Listen { address, problem };
        let incoming = TcpIncoming::bind(self.listen).map_err(cannot_listen(self.listen))?;
        let listens = incoming.local_addr().map_err(cannot_listen(self.listen))?;
        let tls = self.certificates.server();
        let server = Server::builder()
            .tls_config(tls)
            .map_err(|_| ClusterError::Begin("its certificates cannot be used"))?
            .http2_keepalive_interval(Some(Duration::from_secs(10)))
            .add_service(service);
        let mut counts = None;
        if let Some(address) = self.metrics {
            let listener = tokio::net::TcpListener::bind(address).await;
            let listener = listener.map_err(cannot_listen(address))?;
            counts = Some(listener.local_addr().map_err(cannot_listen(address))?);
            tokio::spawn(metrics::serve(listener, gate));
        }
        ready(listens, counts);
        tokio::select! {
            served = server.serve_with_incoming(incoming.with_nodelay(Some(true))) => {
                served.map_err(|_| ClusterError::Served)
            }
            () = stop => Ok(()),
        }
    }
}

/// Names of ranges that no other client guesses, and that no scheduler before this one has given: Ballista's own begin
/// anew with it. Counted, too, so that they differ come what may.
#[derive(Default)]
struct Random(AtomicU64);

#[tonic::async_trait]
impl JobIdGenerator for Random {
    async fn next_id(&self) -> String {
        let count = self.0.fetch_add(1, Ordering::Relaxed);
        // Without the system's random numbers, TLS would not have come so far.
        let [high, low] = [(); 2].map(|()| getrandom::u64().unwrap_or_default());
        format!("{high:016x}{low:016x}-{count}")
    }
}

async fn scheduling(listen: SocketAddr, dead_after: Duration) -> Result<Scheduling, ClusterError> {
    let dead_after = dead_after.as_secs().max(1);
    let config = SchedulerConfig {
        scheduler_id: "glovebox".into(),
        bind_host: listen.ip().to_string(),
        bind_port: listen.port(),
        scheduling_policy: TaskSchedulingPolicy::PullStaged,
        finished_job_data_clean_up_interval_seconds: KEPT.as_secs(),
        finished_job_state_clean_up_interval_seconds: KEPT.as_secs(),
        executor_timeout_seconds: dead_after,
        expire_dead_executor_interval_seconds: (dead_after / 4).max(1),
        no_executors_grace_period_seconds: PATIENCE.as_secs(),
        task_max_failures: DEATHS,
        override_physical_codec: Some(Arc::new(Codec)),
        // No format, no function, no table: nothing is planned here.
        override_session_builder: Some(Arc::new(|config| {
            Ok(SessionStateBuilder::new().with_config(config).build())
        })),
        // Executors ask; nobody connects to them.
        override_create_grpc_client_endpoint: Some(Arc::new(|_| {
            Err("executors are not connected to".into())
        })),
        job_id_generator: Some(Arc::new(Random::default())),
        ..SchedulerConfig::default()
    };
    let begin = |_| ClusterError::Begin("Ballista refuses its settings");
    let cluster = BallistaCluster::new_from_config(&config)
        .await
        .map_err(begin)?;
    let codec = BallistaCodec::new(
        Arc::new(BallistaLogicalExtensionCodec::default()),
        Arc::new(Codec),
    );
    let metrics = default_metrics_collector().map_err(begin)?;
    let name = format!("{listen}");
    let mut scheduling = Scheduling::new(name, cluster, codec, Arc::new(config), metrics);
    scheduling.init().await.map_err(begin)?;
    Ok(scheduling)
}
