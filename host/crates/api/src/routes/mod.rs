//! The routes, a file each, put together.
//! Who may call them is decided in [`super::rules`].

mod begin;
mod body;
pub(crate) mod datasets;
pub(crate) mod explain;
mod explained;
mod follow;
mod idempotency;
pub(crate) mod keys;
pub(crate) mod me;
pub(crate) mod pipelines;
pub(crate) mod plain;
pub(crate) mod reruns;
pub(crate) mod reveal;
mod run_info;
pub(crate) mod runs;
mod sent;
mod sight;
mod time;
pub(crate) mod token;
pub(crate) mod user_keys;
pub(crate) mod users;

use std::sync::Arc;

use poem::{EndpointExt, IntoEndpoint, Route, get};
use poem_openapi::{OpenApi, OpenApiService, Tags};

use super::state::Api;

/// The groups of the description.
#[derive(Tags)]
pub(crate) enum Tag {
    /// Logging in and out.
    Tokens,
    /// The caller's own account and API keys.
    Account,
    /// Everybody's accounts.
    Users,
    /// Pipelines and their runs.
    Runs,
}

/// The routes that poem-openapi describes, and the service that answers them.
pub(crate) fn described() -> OpenApiService<impl OpenApi + use<>, ()> {
    let routes = (
        token::Tokens,
        me::Me,
        keys::Keys,
        users::Users,
        user_keys::UserKeys,
        pipelines::Pipelines,
        runs::Runs,
        reruns::Reruns,
        reveal::Reveal,
        explain::Explain,
    );
    OpenApiService::new(routes, "Glovebox", env!("CARGO_PKG_VERSION"))
}

/// All of them.
pub(crate) fn all(api: &Arc<Api>) -> Route {
    let mut route = Route::new()
        .at("/healthz", get(plain::Alive))
        .at("/readyz", get(plain::Ready(api.clone())))
        .at(
            "/metrics",
            get(plain::Metrics {
                api: api.clone(),
                all: false,
            }),
        )
        .at("/.well-known/jwks.json", get(plain::KeySet(api.clone())))
        .at("/openapi.json", get(plain::Description(api.clone())))
        .at("/docs", get(plain::Docs(api.clone())))
        .at("/datasets", get(datasets::List(api.clone())));
    for (place, dataset) in api.datasets.iter().enumerate() {
        let rows = datasets::Rows {
            api: api.clone(),
            place,
        };
        route = route.at(&dataset.path, get(rows));
    }
    route.nest_no_strip("/", described().into_endpoint().data(api.clone()))
}
