//! The description of the API: OpenAPI 3.1, and a page made of it.
//! Adds what poem-openapi leaves out: datasets, plain routes, security by rule, every error.

mod datasets;
mod examples;
mod fits;
mod page;
mod plain;
mod refused;
mod report;
mod seen;
mod upgrade;

use serde_json::{Map, Value, json};

use super::config::View;
use super::datasets::Dataset;
use super::rules::{self, Route, Rule};
pub(crate) use fits::body;
pub(crate) use refused::refused;
pub(crate) use seen::{public, seen_by};

/// What is to be described, and to whom.
#[derive(Default)]
struct Sight<'a> {
    /// Datasets, as they are seen.
    datasets: Vec<(&'a Dataset, View)>,
    /// The roles that there are.
    roles: Vec<&'a str>,
    /// The caller's own.
    own: Vec<&'a str>,
}

/// What the routes of poem-openapi say of themselves, in the words of 3.1.
pub(crate) fn routes(spec: &str) -> Value {
    let mut document: Value = serde_json::from_str(spec).unwrap_or_default();
    upgrade::null_where_optional(&mut document["components"]["schemas"]);
    upgrade::to_3_1(&mut document);
    // Bodies refuse what they do not know, which poem-openapi does not say.
    for name in BODIES {
        if let Some(schema) = document["components"]["schemas"].get_mut(name) {
            schema["additionalProperties"] = json!(false);
        }
    }
    document
}

/// The schemas of bodies that are sent as JSON, by name.
const BODIES: [&str; 3] = ["NewUser", "Change", "KeyRequest"];

/// The whole, of what [`routes`] say: [`seen`] takes away what is not to be seen.
fn document(routes: &Value, sight: &Sight<'_>, url: &str) -> Value {
    let Sight {
        datasets,
        roles,
        own,
    } = sight;
    let mut document = routes.clone();
    document["openapi"] = json!("3.1.0");
    document["info"]["description"] = json!(
        "Masked rows, and who may see which of them. Get a token with `POST /token`, send it as \
         `Authorization: Bearer …`."
    );
    document["info"]["license"] =
        json!({ "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" });
    document["servers"] = json!([{ "url": url }]);
    document["jsonSchemaDialect"] = json!("https://spec.openapis.org/oas/3.1/dialect/base");
    let mut paths = object(document["paths"].take());
    for (path, item) in plain::paths().into_iter().chain(datasets::paths(datasets)) {
        paths.insert(path, item);
    }
    let dataset_paths: Vec<String> = datasets.iter().map(|(d, _)| d.path.clone()).collect();
    for (path, item) in &mut paths {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            complete(path, method, operation, &dataset_paths);
        }
    }
    document["paths"] = Value::Object(paths);
    let schemas = &mut document["components"]["schemas"];
    for name in BODIES {
        if let Some(items) = schemas.pointer_mut(&format!("/{name}/properties/roles/items")) {
            items["enum"] = json!(if name == "KeyRequest" { own } else { roles });
        }
    }
    schemas["TokenRequest"] = plain::token_request();
    schemas["Problem"] = plain::problem();
    schemas["Dataset"] = plain::dataset();
    let events = "/paths/~1runs~1{id}~1events/get/responses/200/content/text~1event-stream/schema";
    if let Some(schema) = document.pointer_mut(events) {
        *schema = plain::run_event();
    }
    report::add(&mut document);
    examples::add(&mut document);
    document["components"]["securitySchemes"] = json!({
        "bearer": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "An access token from `POST /token`, or an API key from `POST /keys`.",
        },
        "password": {
            "type": "oauth2",
            "flows": { "password": { "tokenUrl": format!("{url}/token"),
                "refreshUrl": format!("{url}/token"), "scopes": {} } },
        },
    });
    document
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Security and errors, as the rule of the route has them.
fn complete(path: &str, method: &str, operation: &mut Value, datasets: &[String]) {
    let Some(route) = route(path, method, datasets) else {
        return;
    };
    let rule = route.rule;
    let takes_body = operation.get("requestBody").is_some();
    let mut errors = vec![400, 408, 413, 414, 429, 431, 500, 503, 504];
    errors.extend(route.errors);
    if takes_body {
        errors.push(415);
    }
    if takes_body && path != "/token" {
        errors.push(422);
    }
    if rule != Rule::Public {
        errors.push(401);
    }
    if matches!(
        rule,
        Rule::LoggedIn | Rule::JustLoggedIn(_) | Rule::Needs(_)
    ) {
        errors.push(403);
    }
    if path.contains('{') {
        errors.push(404);
    }
    operation["security"] = match rule {
        Rule::Public => json!([]),
        Rule::Described => json!([{}, { "bearer": [] }, { "password": [] }]),
        _ => json!([{ "bearer": [] }, { "password": [] }]),
    };
    operation["x-rule"] = json!(words(rule));
    for status in errors {
        let responses = &mut operation["responses"];
        if responses.get(status.to_string()).is_none() {
            responses[status.to_string()] = plain::problem_response(status);
        }
    }
    let responses = operation["responses"].as_object_mut();
    for (_, response) in responses.into_iter().flatten() {
        if response.get("description").is_none_or(|d| d == "") {
            response["description"] = json!("Done.");
        }
    }
}

fn route(path: &str, method: &str, datasets: &[String]) -> Option<Route> {
    if datasets.iter().any(|d| d == path) {
        return Some(rules::DATASETS);
    }
    let mut routes = rules::ROUTES.iter();
    routes
        .find(|r| r.path == path && r.method.eq_ignore_ascii_case(method))
        .copied()
}

fn words(rule: Rule) -> String {
    match rule {
        Rule::Public => "everybody".into(),
        Rule::Described => "everybody; with a token or key, as far as its roles allow".into(),
        Rule::SignedIn => "anyone with a token or key".into(),
        Rule::LoggedIn => "anyone with a token from a login".into(),
        Rule::JustLoggedIn(None) => "anyone with a token from a recent login".into(),
        Rule::JustLoggedIn(Some(permission)) => format!(
            "roles with `{}`, with a token from a recent login",
            permission.word()
        ),
        Rule::Needs(permission) => format!("roles with `{}`", permission.word()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What the routes that there are say.
    pub(super) fn routes() -> Value {
        super::routes(&crate::routes::described().spec())
    }

    fn admin() -> Sight<'static> {
        Sight {
            roles: vec!["admin"],
            own: vec!["admin"],
            ..Sight::default()
        }
    }

    #[test]
    fn every_route_has_a_rule_and_every_rule_a_description() {
        let document = document(&routes(), &admin(), "http://here");
        let mut described = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                described.insert(format!("{} {path}", method.to_uppercase()));
                assert!(
                    operation["x-rule"].is_string(),
                    "{method} {path} has no rule"
                );
                assert!(operation["operationId"].is_string(), "{method} {path}");
                assert!(operation["summary"].is_string(), "{method} {path}");
            }
        }
        let ruled: BTreeSet<String> = rules::ROUTES
            .iter()
            .map(|r| format!("{} {}", r.method, r.path))
            .collect();
        assert_eq!(described, ruled);
    }

    #[test]
    fn nothing_of_3_0_is_left_and_every_reference_leads_somewhere() {
        let document = document(&routes(), &admin(), "http://here");
        let text = document.to_string();
        assert!(!text.contains("\"nullable\""), "{text}");
        assert!(!text.contains(":null"), "a member without a value: {text}");
        let mut rest = text.as_str();
        while let Some((_, after)) = rest.split_once("\"$ref\":\"#") {
            let (pointer, after) = after.split_once('"').unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
            rest = after;
        }
    }
}
