//! The description of routes that answer everyone the same, and of problems.

use poem::http::StatusCode;
use serde_json::{Value, json};

use crate::problem::Problem;

/// RFC 9457.
pub(super) fn problem() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457: what went wrong, in the same form for every error.",
        "required": ["type", "title", "status"],
        "properties": {
            "type": { "type": "string", "description": "The kind of problem: \
            `urn:glovebox:problem:` and a word." },
            "title": { "type": "string", "description": "What the kind means." },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string", "description": "What exactly is wrong." },
            "errors": {
                "type": "array",
                "description": "Everything that is wrong, each with its place in the request; \
                values are not repeated.",
                "items": {
                    "type": "object",
                    "required": ["detail"],
                    "properties": {
                        "detail": { "type": "string" },
                        "pointer": { "type": "string", "description": "A member of the body: a JSON pointer (RFC 6901) as a fragment." },
                        "parameter": { "type": "string", "description": "A parameter of the query or the path." },
                        "header": { "type": "string", "description": "A header." },
                    },
                },
            },
        },
        "examples": [{
            "type": "urn:glovebox:problem:bad-query",
            "title": "The query is not valid.",
            "status": 400,
            "detail": "`limit` is 1 to 1000.",
        }],
    })
}

/// One event of those who follow a run: in 3.1 the schema of such a stream is that of each event.
pub(super) fn run_event() -> Value {
    json!({
        "type": "object",
        "description": "An event of type `run`.",
        "required": ["event", "data"],
        "properties": {
            "event": { "const": "run" },
            "data": {
                "type": "string",
                "description": "The current state of the run.",
                "contentMediaType": "application/json",
                "contentSchema": { "$ref": "#/components/schemas/RunInfo" },
            },
        },
    })
}

/// An error of that status.
pub(super) fn problem_response(status: u16) -> Value {
    let problem = Problem::of(StatusCode::from_u16(status).unwrap_or_default());
    let mut response = json!({
        "description": problem.title(),
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    let header =
        |about: &str, kind: &str| json!({ "description": about, "schema": { "type": kind } });
    match status {
        401 => {
            response["headers"] = json!({ "WWW-Authenticate": header("`Bearer` and the reason (RFC 6750).", 
"string") });
        }
        429 | 503 => {
            response["headers"] = json!({ "Retry-After": header("Seconds to wait.", "integer") });
        }
        _ => {}
    }
    response
}

/// A password or a refresh token: poem-openapi knows one form for both.
pub(super) fn token_request() -> Value {
    let text = |about: &str, longest: u32| json!({ "type": "string", "description": about, "minLength": 1, "maxLength": longest });
    json!({
        "oneOf": [
            {
                "type": "object",
                "title": "Log in",
                "required": ["username", "password"],
                "properties": {
                    "grant_type": { "const": "password" },
                    "username": text("The user's name.", 256),
                    "password": text("The user's password.", 1024),
                },
            },
            {
                "type": "object",
                "title": "Carry on",
                "required": ["grant_type", "refresh_token"],
                "properties": {
                    "grant_type": { "const": "refresh_token" },
                    "refresh_token": text("The refresh token from the last response; it works \
                    once.", 256),
                },
            },
        ],
    })
}

/// A dataset, as `GET /datasets` lists it.
pub(super) fn dataset() -> Value {
    json!({
        "type": "object",
        "required": ["name", "path", "about", "columns", "rows_at_most"],
        "properties": {
            "name": { "type": "string" },
            "path": { "type": "string" },
            "about": { "type": "string" },
            "columns": {
                "type": "array",
                "description": "The datasets that the caller may see.",
                "items": {
                    "type": "object",
                    "required": ["name", "type"],
                    "properties": {
                        "name": { "type": "string" },
                        "type": { "type": "string", "examples": ["text", "int64", "decimal(12,2)"] },
                    },
                },
            },
            "rows_at_most": { "type": "integer", "description": "Rows of a page at most." },
        },
    })
}

fn get(id: &str, tag: &str, summary: &str, media: &str, schema: Value) -> Value {
    json!({ "get": {
        "operationId": id,
        "tags": [tag],
        "summary": summary,
        "responses": { "200": {
            "description": "Done.",
            "content": { media: { "schema": schema } },
        } },
    } })
}

/// The routes.
pub(super) fn paths() -> Vec<(String, Value)> {
    let status = json!({
        "type": "object",
        "required": ["status"],
        "properties": { "status": { "type": "string" } },
    });
    let keys = json!({
        "type": "object",
        "required": ["keys"],
        "properties": { "keys": { "type": "array", "items": { "type": "object" } } },
    });
    let text = json!({ "type": "string" });
    let list = json!({ "type": "array", "items": { "$ref": "#/components/schemas/Dataset" } });
    let object = json!({ "type": "object" });
    let json_type = "application/json";
    [
        (
            "/datasets",
            get(
                "list_datasets",
                "Datasets",
                "List datasets",
                json_type,
                list,
            ),
        ),
        (
            "/healthz",
            get("alive", "Server", "Liveness", json_type, status.clone()),
        ),
        (
            "/readyz",
            get("ready", "Server", "Readiness", json_type, status),
        ),
        (
            "/metrics",
            get(
                "metrics",
                "Server",
                "Metrics for Prometheus",
                "text/plain",
                text.clone(),
            ),
        ),
        (
            "/.well-known/jwks.json",
            get(
                "key_set",
                "Server",
                "Public keys that verify tokens",
                json_type,
                keys,
            ),
        ),
        (
            "/openapi.json",
            get(
                "description",
                "Server",
                "This description",
                json_type,
                object,
            ),
        ),
        (
            "/docs",
            get(
                "docs",
                "Server",
                "This description as a page",
                "text/html",
                text,
            ),
        ),
    ]
    .map(|(path, item)| (path.to_owned(), item))
    .into()
}
