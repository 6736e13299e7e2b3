//! Error responses: RFC 9457 problems, all in the same form, without internals and without values
//! from the request.

use poem::http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaResponses, Registry};
use serde::Serialize;

/// A problem, ready to be told. Small, since each check of a request may return one.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: Option<Box<str>>,
    errors: Box<[Wrong]>,
    retry_after: Option<u64>,
    /// The `WWW-Authenticate` header.
    challenge: Option<&'static str>,
    allow: Option<Box<str>>,
}

/// What is wrong with one part of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Wrong {
    detail: String,
    #[serde(flatten)]
    part: Part,
}

/// A part of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Part {
    /// A member of the body: a JSON pointer as a fragment (RFC 6901, section 6).
    Pointer(String),
    /// A parameter of the query or the path.
    Parameter(String),
    /// A header.
    Header(String),
}

impl Part {
    fn name(&self) -> &str {
        match self {
            Part::Pointer(name) | Part::Parameter(name) | Part::Header(name) => name,
        }
    }
}

impl Wrong {
    /// A part and a sentence of ours about it, which names no value.
    pub(crate) fn new(part: Part, detail: impl Into<String>) -> Self {
        Wrong {
            detail: detail.into(),
            part,
        }
    }

    /// A member of the body.
    pub(crate) fn member(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Wrong::new(Part::Pointer(pointer.into()), detail)
    }
}

#[derive(Serialize)]
struct Body<'p> {
    r#type: String,
    title: &'p str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'p str>,
    #[serde(skip_serializing_if = "<[Wrong]>::is_empty")]
    errors: &'p [Wrong],
}

/// The kinds, with their status and title, the plainest of a status first; docs/api.md lists them.
macro_rules! kinds {
    ($($name:ident, $status:ident, $kind:literal, $title:literal;)*) => {
        impl Problem {
            $(#[doc = $title]
            pub(crate) fn $name() -> Self {
                Problem::new(StatusCode::$status, $kind, $title)
            })*

            /// One of each kind.
            pub(crate) fn all() -> Vec<Problem> {
                vec![$(Problem::$name()),*]
            }
        }
    };
}

kinds! {
    bad_request, BAD_REQUEST, "bad-request", "The request is not valid.";
    bad_query, BAD_REQUEST, "bad-query", "The query is not valid.";
    unauthorized, UNAUTHORIZED, "unauthorized", "A valid token is needed.";
    forbidden, FORBIDDEN, "forbidden", "The role does not allow this.";
    not_found, NOT_FOUND, "not-found", "Not found.";
    bad_cursor, NOT_FOUND, "bad-cursor", "The cursor is not valid, or belongs to another query.";
    method_not_allowed, METHOD_NOT_ALLOWED, "method-not-allowed", "This method is not allowed \
                                            here.";
    not_acceptable, NOT_ACCEPTABLE, "not-acceptable", "None of the accepted types is available.";
    request_timeout, REQUEST_TIMEOUT, "request-timeout", "The request took too long to arrive.";
    conflict, CONFLICT, "conflict", "The request conflicts with existing data.";
    too_large, PAYLOAD_TOO_LARGE, "too-large", "The body is too large.";
    uri_too_long, URI_TOO_LONG, "uri-too-long", "The URL is too long.";
    unsupported_type, UNSUPPORTED_MEDIA_TYPE, "unsupported-type", "The body has an unsupported \
                                              type.";
    unprocessable, UNPROCESSABLE_ENTITY, "unprocessable", "The request cannot be processed.";
    too_many, TOO_MANY_REQUESTS, "too-many-requests", "Too many requests; try again later.";
    queue_full, TOO_MANY_REQUESTS, "queue-full", "Too many runs are waiting; try again later.";
    headers_too_large, REQUEST_HEADER_FIELDS_TOO_LARGE, "headers-too-large", "The headers are too large.";
    internal, INTERNAL_SERVER_ERROR, "internal", "The server failed; see its log.";
    unavailable, SERVICE_UNAVAILABLE, "unavailable", "The server is temporarily unavailable; try \
                                      again later.";
    not_audited, SERVICE_UNAVAILABLE, "not-audited", "The request could not be recorded, so it is refused.";
    too_slow, GATEWAY_TIMEOUT, "too-slow", "The response took too long.";
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, title: &'static str) -> Self {
        Problem {
            status,
            kind,
            title,
            detail: None,
            errors: Box::default(),
            retry_after: None,
            challenge: (status == StatusCode::UNAUTHORIZED).then_some("Bearer"),
            allow: None,
        }
    }

    /// With a sentence of ours.
    #[must_use]
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into().into());
        self
    }

    /// With all that is wrong, each at its part; the first of them is the detail.
    #[must_use]
    pub(crate) fn wrong(mut self, errors: Vec<Wrong>) -> Self {
        if let Some(first) = errors.first() {
            let more = match errors.len() - 1 {
                0 => String::new(),
                1 => ", and one more; see `errors`".into(),
                more => format!(", and {more} more; see `errors`"),
            };
            self.detail = Some(format!("`{}` {}{more}", first.part.name(), first.detail).into());
        }
        self.errors = errors.into();
        self
    }

    #[must_use]
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// What RFC 6750 says of a token that did not do.
    #[must_use]
    pub(crate) fn challenge(mut self, challenge: &'static str) -> Self {
        self.challenge = Some(challenge);
        self
    }

    #[must_use]
    pub(crate) fn allow(mut self, methods: &[&str]) -> Self {
        self.allow = Some(methods.join(", ").into());
        self
    }

    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    fn told(&self) -> Body<'_> {
        Body {
            r#type: format!("urn:glovebox:problem:{}", self.kind),
            title: self.title,
            status: self.status.as_u16(),
            detail: self.detail.as_deref(),
            errors: &self.errors,
        }
    }

    /// As a client sees it.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::to_value(self.told()).unwrap_or_default()
    }

    /// The plainest of that status: what a framework's error is told as.
    pub(crate) fn of(status: StatusCode) -> Self {
        let all = Problem::all().into_iter().find(|p| p.status == status);
        all.unwrap_or_else(|| match status.is_client_error() {
            true => Problem::bad_request(),
            false => Problem::internal(),
        })
    }

    pub(crate) fn title(&self) -> &'static str {
        self.title
    }
}

/// Marks a response that is to stay as it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shaped;

/// The kind of problem that a response tells, for the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind(pub(crate) &'static str);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.told()).unwrap_or_default();
        let mut response = Response::builder()
            .status(self.status)
            .content_type("application/problem+json")
            .body(body);
        let headers = response.headers_mut();
        if let Some(challenge) = self.challenge {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static(challenge),
            );
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(allow) = self.allow.and_then(|a| HeaderValue::from_str(&a).ok()) {
            headers.insert(header::ALLOW, allow);
        }
        response.set_data(Shaped);
        response.set_data(Kind(self.kind));
        response
    }
}

impl From<Problem> for poem::Error {
    fn from(problem: Problem) -> Self {
        let kind = Kind(problem.kind);
        let mut error = poem::Error::from_response(problem.into_response());
        // An error made of a response forgets what the response was marked with.
        error.set_data(Shaped);
        error.set_data(kind);
        error
    }
}

/// Each route has its errors by its rule, in `openapi`.
impl ApiResponse for Problem {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: Vec::new(),
        }
    }

    fn register(_: &mut Registry) {}
}

/// What a client is told of a catalog that failed; the log has the rest.
impl From<glovebox_catalog::Error> for Problem {
    fn from(error: glovebox_catalog::Error) -> Self {
        use glovebox_catalog::Error;
        match error {
            Error::Malformed(sentence) => Problem::unprocessable().detail(sentence),
            Error::Taken => Problem::conflict().wrong(vec![Wrong::member(
                "#/name",
                "is already the name of another user",
            )]),
            Error::Busy => Problem::unavailable().retry_after(1),
            Error::Place { .. } | Error::Database(_) => {
                tracing::error!(%error, "the catalog failed");
                Problem::unavailable().retry_after(5)
            }
            Error::Crypto(_) => {
                tracing::error!(%error, "the catalog failed");
                Problem::internal()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_problem_is_json_of_one_form() {
        for problem in Problem::all() {
            let status = problem.status();
            let kind = problem.kind();
            let response = problem.detail("why").into_response();
            assert_eq!(response.status(), status);
            assert_eq!(response.content_type(), Some("application/problem+json"));
            let challenged = response.headers().contains_key("www-authenticate");
            assert_eq!(challenged, status == StatusCode::UNAUTHORIZED);
            let body = response.into_body().into_vec().await.unwrap();
            let told: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(told["status"], status.as_u16());
            assert_eq!(told["type"], format!("urn:glovebox:problem:{kind}"));
            assert_eq!(told["detail"], "why");
            assert!(told.get("errors").is_none());
        }
    }

    #[test]
    fn each_part_is_pointed_at_and_the_first_is_the_detail() {
        let told = Problem::bad_request()
            .wrong(vec![
                Wrong::member("#/days", "must be a whole number"),
                Wrong::new(Part::Parameter("limit".into()), "is missing"),
            ])
            .json();
        assert_eq!(
            told["detail"],
            "`#/days` must be a whole number, and one more; see `errors`"
        );
        assert_eq!(
            told["errors"],
            serde_json::json!([
                { "detail": "must be a whole number", "pointer": "#/days" },
                { "detail": "is missing", "parameter": "limit" },
            ])
        );
    }
}
