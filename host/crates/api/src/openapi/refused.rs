//! Translates requests refused by the framework into problems: which part is wrong, and what the
//! description expects there.
//! The framework's own messages are dropped, since they may quote the request.

use poem_openapi::error::{ContentTypeError, ParseParamError, ParsePathError};

use serde_json::Value;

use super::super::problem::{Part, Problem, Wrong};
use super::fits;

/// The problem, if it is one of a part of the request, by what the routes say.
pub(crate) fn refused(
    routes: &Value,
    error: &poem::Error,
    method: &str,
    path: &str,
) -> Option<Problem> {
    if path == "/token" {
        // Its errors are RFC 6749's.
        return None;
    }
    let parameter = error.downcast_ref::<ParseParamError>().map(|e| e.name);
    let in_path = error.downcast_ref::<ParsePathError>().map(|e| e.name);
    if let Some(name) = parameter.or(in_path) {
        return Some(Problem::bad_request().wrong(vec![wrong(routes, name, method, path)]));
    }
    error.downcast_ref::<ContentTypeError>()?;
    Some(Problem::unsupported_type().detail("This route does not accept the `Content-Type`."))
}

fn wrong(routes: &Value, name: &str, method: &str, path: &str) -> Wrong {
    let operation = &routes["paths"][path][method.to_ascii_lowercase()];
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let said = parameters.into_iter().find(|p| {
        p["name"]
            .as_str()
            .is_some_and(|n| n.eq_ignore_ascii_case(name))
    });
    let due = said.map(|p| {
        let schema = &p["schema"];
        let reference = schema["$ref"].as_str().and_then(|r| r.strip_prefix('#'));
        let schema = reference.and_then(|r| routes.pointer(r)).unwrap_or(schema);
        fits::due(schema)
    });
    let part = match said.and_then(|p| p["in"].as_str()) {
        Some("header") => Part::Header(name.to_owned()),
        _ => Part::Parameter(name.to_owned()),
    };
    let due = due.unwrap_or_else(|| "as documented in the API description".into());
    Wrong::new(part, format!("must be {due}"))
}
