//! How busy a cluster is, for whoever watches or scales it: counts and nothing else, so it needs no certificate.

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::gate::Gate;

/// Serves until the program ends.
pub(crate) async fn serve(listener: TcpListener, gate: Gate) {
    let router = Router::new()
        .route("/metrics", get(counts))
        .route("/healthz", get(|| async { "ok" }))
        .with_state(gate);
    if let Err(problem) = axum::serve(listener, router).await {
        tracing::error!(%problem, "metrics are not served any more");
    }
}

async fn counts(State(gate): State<Gate>) -> impl IntoResponse {
    let load = gate.load();
    let mut text = String::new();
    for (name, help, value) in [
        (
            "executors",
            "Executors that have asked for work lately.",
            u64::from(load.executors),
        ),
        (
            "slots",
            "Ranges that they can work on at a time.",
            u64::from(load.slots),
        ),
        (
            "slots_busy",
            "Slots in which a range is worked on.",
            u64::from(load.busy),
        ),
        (
            "ranges_unfinished",
            "Ranges that were submitted and are not done: waiting or worked on.",
            gate.unfinished() as u64,
        ),
    ] {
        let name = format!("glovebox_cluster_{name}");
        text += &format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
