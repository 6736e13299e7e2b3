//! Plain routes: health, keys, metrics, the description.

use std::sync::Arc;

use poem::http::{StatusCode, header};
use poem::{Endpoint, IntoResponse, Request, Response, Result};

use super::sight::Sight;
use crate::alerts::Alerts;
use crate::caller::Caller;
use crate::described::Described;
use crate::examine::told;
use crate::openapi;
use crate::problem::Problem;
use crate::state::Api;

/// `GET /healthz`: the process answers.
pub(crate) struct Alive;

impl Endpoint for Alive {
    type Output = Response;

    async fn call(&self, _: Request) -> Result<Response> {
        Ok(json(r#"{"status":"alive"}"#))
    }
}

/// `GET /readyz`: the catalog answers, the audit log takes records, and every dataset's table is what
/// is declared. Why not stands in the log: an anonymous caller is told no names.
pub(crate) struct Ready(pub(crate) Arc<Api>);

impl Endpoint for Ready {
    type Output = Response;

    async fn call(&self, _: Request) -> Result<Response> {
        if let Err(error) = self.0.catalog.ready().await {
            tracing::warn!(%error, "not ready");
            return Err(Problem::unavailable().retry_after(5).into());
        }
        self.0.audit.ready().map_err(Problem::from)?;
        for dataset in &self.0.datasets {
            let problem = match dataset.reader.examine(&dataset.config.table).await {
                Ok(differences) => differences.first().map(|d| told(&dataset.config, d).1),
                Err(error) => Some(error.to_string()),
            };
            if let Some(problem) = problem {
                tracing::warn!(dataset = dataset.config.name, problem, "not ready");
                return Err(Problem::unavailable().retry_after(5).into());
            }
        }
        Ok(json(r#"{"status":"ready"}"#))
    }
}

/// `GET /metrics`: counts for Prometheus.
pub(crate) struct Metrics {
    pub(crate) api: Arc<Api>,
    /// Whether everything is named, on a port of its own, or what the caller's roles show.
    pub(crate) all: bool,
}

impl Endpoint for Metrics {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let api = &self.api;
        let text = if self.all {
            api.metrics.text(|_| true) + &api.runs.metrics(|_| true).await
        } else {
            let caller = request.data::<Caller>().ok_or_else(Problem::internal)?;
            let sight = Sight::of(api, caller.principal()?);
            let datasets = api.metrics.text(|name| sight.dataset(name));
            datasets + &api.runs.metrics(|name| sight.pipeline(name)).await
        };
        let alerts = api.alerts.as_ref().map(Alerts::metrics).unwrap_or_default();
        Ok(Response::builder()
            .content_type("text/plain; version=0.0.4; charset=utf-8")
            .body(text + &api.tokens.metrics() + &alerts))
    }
}

/// `GET /.well-known/jwks.json`: the keys that verify our tokens.
pub(crate) struct KeySet(pub(crate) Arc<Api>);

impl Endpoint for KeySet {
    type Output = Response;

    async fn call(&self, _: Request) -> Result<Response> {
        Ok(cached(json(self.0.tokens.jwks().to_string())))
    }
}

/// `GET /openapi.json`: the description, of what the caller may see.
pub(crate) struct Description(pub(crate) Arc<Api>);

impl Endpoint for Description {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let described = described(&self.0, &request);
        Ok(kept(&request, json(described.json.clone())))
    }
}

/// `GET /docs`: the same as a page.
pub(crate) struct Docs(pub(crate) Arc<Api>);

impl Endpoint for Docs {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let page = Response::builder()
            .content_type("text/html; charset=utf-8")
            // A style within the page, and nothing else: no script runs, nothing is fetched.
            .header(
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
            )
            .body(described(&self.0, &request).html.clone());
        Ok(kept(&request, page))
    }
}

fn described(api: &Api, request: &Request) -> Arc<Described> {
    let principal = request.data::<Caller>().and_then(|c| c.principal.as_ref());
    match principal {
        None => api.described.public(),
        Some(principal) => openapi::seen_by(api, principal),
    }
}

/// For what is the same for everybody without a token, and for nobody else.
fn kept(request: &Request, mut response: Response) -> Response {
    let known = request
        .data::<Caller>()
        .is_some_and(|c| c.principal.is_some());
    if !known {
        response = cached(response);
    }
    let vary = poem::http::HeaderValue::from_static("Authorization");
    response.headers_mut().insert(header::VARY, vary);
    response
}

fn json(body: impl Into<String>) -> Response {
    Response::builder()
        .status(StatusCode::OK)
        .content_type("application/json")
        .body(body.into())
        .into_response()
}

/// For what is the same for everybody.
fn cached(mut response: Response) -> Response {
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        poem::http::HeaderValue::from_static("public, max-age=60"),
    );
    response
}
