//! Routes that answer without asking who calls: health, keys, metrics, the description.
//!
//! Owns how each looks; refuses anything that changes with the caller.

use std::sync::Arc;

use poem::http::{StatusCode, header};
use poem::{Endpoint, IntoResponse, Request, Response, Result};

use crate::api::examine::told;
use crate::api::problem::Problem;
use crate::api::state::Api;

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
pub(crate) struct Metrics(pub(crate) Arc<Api>);

impl Endpoint for Metrics {
    type Output = Response;

    async fn call(&self, _: Request) -> Result<Response> {
        Ok(Response::builder()
            .content_type("text/plain; version=0.0.4; charset=utf-8")
            .body(self.0.metrics.text() + &self.0.runs.metrics() + &self.0.tokens.metrics()))
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

/// `GET /openapi.json`: the description.
pub(crate) struct Description(pub(crate) Arc<Api>);

impl Endpoint for Description {
    type Output = Response;

    async fn call(&self, _: Request) -> Result<Response> {
        Ok(cached(json(self.0.described.json.clone())))
    }
}

/// `GET /docs`: the description as a page.
pub(crate) struct Docs(pub(crate) Arc<Api>);

impl Endpoint for Docs {
    type Output = Response;

    async fn call(&self, _: Request) -> Result<Response> {
        let page = Response::builder()
            .content_type("text/html; charset=utf-8")
            // A style within the page, and nothing else: no script runs, nothing is fetched.
            .header(
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
            )
            .body(self.0.described.html.clone());
        Ok(cached(page))
    }
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
