//! The gate that every request passes before a handler, and every response on its way out. Checks
//! run in this order: size, address, rule, identity, rate, role, body, time.
//! For known users it records whatever no handler has recorded, so no access goes unrecorded.

use std::net::{IpAddr, Ipv4Addr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use glovebox_audit::{Action, Event, Outcome};
use glovebox_outbound::telemetry::{self, Incoming, Served};
use poem::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, IntoResponse, Request, Response, Result};

use super::access::{authenticate, has_expired};
use super::caller::Caller;
use super::client;
use super::connections::Line;
use super::metrics::known;
use super::openapi;
use super::pace::Arriving;
use super::problem::{Kind, Problem, Shaped};
use super::routes::token::OAuthError;
use super::rules::{self, Found, Rule};
use super::slots::Slot;
use super::state::Api;

/// Longer addresses are refused.
const MAX_URI_LEN: usize = 8 << 10;
/// The pattern of a request that has no route.
const NOWHERE: &str = "none";

/// The gate before all routes.
pub(crate) struct Gate<E> {
    inner: E,
    api: Arc<Api>,
    /// What this server's requests are called.
    name: String,
    number: AtomicU64,
}

impl<E: Endpoint> Gate<E> {
    pub(crate) fn new(inner: E, api: Arc<Api>, name: String) -> Self {
        Gate {
            inner,
            api,
            name,
            number: AtomicU64::new(1),
        }
    }

    fn caller(&self, request: &Request) -> Caller {
        let peer = peer(request);
        let forwarded = request.headers().get_all("x-forwarded-for").iter();
        let forwarded: Vec<&str> = forwarded.filter_map(|v| v.to_str().ok()).collect();
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let address = client::address(peer, forwarded.into_iter(), &self.api.config.proxies);
        Caller::new(address, format!("{}-{number:x}", self.name))
    }

    /// The pattern of the route, for the log, and the answer.
    async fn answer(
        &self,
        mut request: Request,
        caller: &mut Caller,
    ) -> (String, Result<Response, Problem>) {
        let api = &self.api;
        let nowhere = || NOWHERE.to_owned();
        let path = request.uri().path().to_owned();
        let (rule, pattern) = match self.find(&request, caller, &path) {
            Ok(found) => found,
            Err(problem) => {
                let reason = problem.kind();
                return (nowhere(), Err(self.refuse(caller, problem, reason).await));
            }
        };
        let method = known(request.method());
        caller.route = Some((method, pattern.as_str().into()));
        let answer = async {
            let described = request.headers().contains_key(header::AUTHORIZATION);
            if !(rule == Rule::Public || rule == Rule::Described && !described) {
                self.admit(&request, caller, rule).await?;
            }
            if pattern != rules::UPLOADS {
                let body = self.body(&mut request).await?;
                request.set_body(body);
            }
            request.set_data(caller.clone());
            let handled = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
            match handled.await {
                Ok(Ok(response)) => Ok(shaped(response.into_response(), &pattern)),
                Ok(Err(error)) => {
                    let routes = &api.described.routes;
                    match openapi::refused(routes, &error, method, &pattern) {
                        Some(problem) => Err(problem),
                        None => Ok(shaped(error.into_response(), &pattern)),
                    }
                }
                Err(_) => Err(Problem::internal()),
            }
        };
        let answer = match pattern == rules::UPLOADS {
            // Its body has a pace.
            true => answer.await,
            false => {
                let limit = api.config.limits.request_time;
                let answer = tokio::time::timeout(limit, answer).await;
                answer.unwrap_or_else(|_| Err(Problem::too_slow()))
            }
        };
        let answer = match self.see(caller, rule, &answer).await {
            Ok(()) => answer,
            Err(problem) => Err(problem),
        };
        (pattern, answer)
    }

    /// Records what nothing is recorded of yet: what somebody looked at, or was refused. Of nobody
    /// there is nothing to say when they are given what everybody is.
    async fn see(
        &self,
        caller: &Caller,
        rule: Rule,
        answer: &Result<Response, Problem>,
    ) -> Result<(), Problem> {
        let (status, kind) = match answer {
            Ok(response) => (response.status(), response.data::<Kind>().map(|k| k.0)),
            Err(problem) => (problem.status(), Some(problem.kind())),
        };
        if caller.is_recorded() || status.is_server_error() {
            return Ok(());
        }
        let known = caller.principal.is_some();
        if !status.is_client_error() {
            let seen = Event::new(Action::Viewed, Outcome::Success);
            return match known && rule != Rule::Described {
                true => self.api.count(caller, seen).await,
                false => Ok(()),
            };
        }
        let refused = Event::new(Action::Denied, Outcome::Failure);
        let refused = refused.reason(kind.unwrap_or("bad-request"));
        match known && status != StatusCode::TOO_MANY_REQUESTS {
            true => self.api.record(caller, refused).await,
            false => self.api.count(caller, refused).await,
        }
    }

    /// Records that somebody was turned away, before they are told.
    async fn refuse(&self, caller: &Caller, problem: Problem, reason: &'static str) -> Problem {
        let event = Event::new(Action::Denied, Outcome::Failure).reason(reason);
        match self.api.count(caller, event).await {
            Ok(()) => problem,
            Err(unrecorded) => unrecorded,
        }
    }

    /// The rule and the pattern for a request that is not too much.
    fn find(
        &self,
        request: &Request,
        caller: &mut Caller,
        path: &str,
    ) -> Result<(Rule, String), Problem> {
        let api = &self.api;
        self.measure(request)?;
        api.limits.address(caller.address)?;
        let slot = api.limits.at_once_by_address(caller.address)?;
        hold(request, caller, slot);
        match rules::find(request.method(), path, &api.paths) {
            Found::Rule { rule, pattern } => Ok((rule, pattern.to_owned())),
            Found::OtherMethods(methods) => Err(Problem::method_not_allowed().allow(&methods)),
            Found::Nothing => Err(Problem::not_found()),
        }
    }

    fn measure(&self, request: &Request) -> Result<(), Problem> {
        let uri = request.uri().path_and_query();
        if uri.is_some_and(|u| u.as_str().len() > MAX_URI_LEN) {
            return Err(Problem::uri_too_long());
        }
        let headers: usize = request
            .headers()
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 4)
            .sum();
        if headers > self.api.config.limits.headers {
            return Err(Problem::headers_too_large());
        }
        Ok(())
    }

    /// Finds out who it is, if the rule lets them pass; a refusal is recorded before it is told.
    async fn admit(
        &self,
        request: &Request,
        caller: &mut Caller,
        rule: Rule,
    ) -> Result<(), Problem> {
        let api = &self.api;
        // What changes users is not decided by what was so a moment ago.
        let of_now = matches!(rule, Rule::JustLoggedIn(_));
        let principal = match authenticate(api, request.headers(), of_now).await {
            Ok(principal) => principal,
            // Of a server that failed nobody was turned away.
            Err(problem) if problem.status().is_server_error() => return Err(problem),
            Err(problem) => {
                let reason = match request.headers().get(header::AUTHORIZATION) {
                    None => "no-token",
                    Some(shown) if has_expired(api, shown) => "expired",
                    Some(_) => problem.kind(),
                };
                return Err(self.refuse(caller, problem, reason).await);
            }
        };
        let id = &principal.user.id;
        let slot = api
            .limits
            .user(id)
            .and_then(|()| api.limits.at_once_by_user(id));
        let slot = match slot {
            Ok(slot) => slot,
            Err(problem) => {
                caller.principal = Some(principal);
                let reason = problem.kind();
                return Err(self.refuse(caller, problem, reason).await);
            }
        };
        hold(request, caller, slot);
        let fresh = api.config.tokens.fresh_login;
        let passed = principal.passes(rule, fresh);
        caller.principal = Some(principal);
        if let Err(refusal) = passed {
            let event = Event::new(Action::Denied, Outcome::Failure);
            api.record(caller, event.reason(refusal.word())).await?;
            return Err(refusal.problem(fresh));
        }
        Ok(())
    }

    /// The whole body, which no handler has to bound; with or without a length announced.
    async fn body(&self, request: &mut Request) -> Result<Vec<u8>, Problem> {
        let limit = self.api.config.limits.body;
        let announced = request.header(header::CONTENT_LENGTH);
        let announced = announced.and_then(|l| l.parse::<u64>().ok());
        if announced.is_some_and(|l| l > limit as u64) {
            return Err(Problem::too_large());
        }
        let parts = std::pin::pin!(request.take_body().into_bytes_stream());
        let mut parts = Arriving::new(parts, self.api.config.limits.pace);
        let mut body = Vec::new();
        loop {
            let part = parts.next().await?;
            let Some(part) = part else { return Ok(body) };
            if body.len() + part.len() > limit {
                return Err(Problem::too_large());
            }
            body.extend_from_slice(&part);
        }
    }
}

/// Counts something until the request is answered and its answer written.
fn hold(request: &Request, caller: &mut Caller, slot: Slot) {
    let slot = Arc::new(slot);
    if let Some(line) = request.data::<Arc<Line>>() {
        line.hold(Arc::clone(&slot));
    }
    caller.hold(slot);
}

/// Whatever went wrong in a form of ours: a framework's own sentences may quote the request.
fn shaped(response: Response, pattern: &str) -> Response {
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    if !failed || response.data::<Shaped>().is_some() {
        return response;
    }
    if pattern == "/token" && status.is_client_error() {
        return OAuthError::invalid_request().into_response();
    }
    Problem::of(status).into_response()
}

impl<E: Endpoint> Endpoint for Gate<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let begun = Instant::now();
        let _in_flight = self.api.metrics.begin();
        let mut caller = self.caller(&request);
        let head = request.method() == Method::HEAD;
        if head {
            request.set_method(Method::GET);
        }
        let method = known(request.method());
        let incoming = telemetry::on().then(|| {
            let trusted = client::is_proxy(peer(&request), &self.api.config.proxies);
            Incoming::of(request.headers(), trusted)
        });
        let (pattern, answer) = self.answer(request, &mut caller).await;
        let mut response = answer.unwrap_or_else(IntoResponse::into_response);
        self.finish(&mut response, &caller);
        if head {
            response.take_body();
        }
        let took = begun.elapsed();
        self.tell(&caller, &pattern, method, &response, took);
        if let Some(incoming) = incoming {
            let served = Served {
                route: Some(pattern.as_str()).filter(|p| ![NOWHERE, rules::NO_DATASET].contains(p)),
                method,
                status: response.status().as_u16(),
                secure: self.api.config.tls.is_some(),
                request: &caller.request,
                problem: response.data::<Kind>().map_or("", |k| k.0),
                took,
            };
            served.tell(incoming);
        }
        Ok(response)
    }
}

impl<E> Gate<E> {
    fn finish(&self, response: &mut Response, caller: &Caller) {
        let fixed = [
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::REFERRER_POLICY, "no-referrer"),
            (
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; frame-ancestors 'none'",
            ),
            (header::CACHE_CONTROL, "no-store"),
            (
                HeaderName::from_static("cross-origin-resource-policy"),
                "same-origin",
            ),
        ];
        let headers = response.headers_mut();
        for (name, value) in fixed {
            // A route that says otherwise knows why.
            headers
                .entry(name)
                .or_insert(HeaderValue::from_static(value));
        }
        if self.api.config.tls.is_some() {
            headers.insert(
                header::STRICT_TRANSPORT_SECURITY,
                HeaderValue::from_static("max-age=31536000"),
            );
        }
        if let Ok(id) = HeaderValue::from_str(&caller.request) {
            headers.insert(HeaderName::from_static("x-request-id"), id);
        }
    }

    fn tell(
        &self,
        caller: &Caller,
        pattern: &str,
        method: &'static str,
        response: &Response,
        took: Duration,
    ) {
        let status = response.status();
        self.api
            .metrics
            .served(pattern, method, status.as_u16(), took);
        let user = caller.principal.as_ref().map_or("", |p| &p.user.id);
        let problem = response.data::<Kind>().map_or("", |k| k.0);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let request = &caller.request;
        let status = status.as_u16();
        if status >= StatusCode::INTERNAL_SERVER_ERROR.as_u16() {
            tracing::warn!(
                request,
                method,
                route = pattern,
                status,
                problem,
                user,
                micros,
                "served"
            );
        } else {
            tracing::info!(
                request,
                method,
                route = pattern,
                status,
                problem,
                user,
                micros,
                "served"
            );
        }
    }
}

/// Who is at the other end of the connection.
fn peer(request: &Request) -> IpAddr {
    let peer = request.remote_addr().as_socket_addr().map(|a| a.ip());
    peer.unwrap_or(Ipv4Addr::UNSPECIFIED.into())
}
