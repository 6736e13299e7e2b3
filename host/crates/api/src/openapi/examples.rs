//! Examples: of each body that is sent, of each answer, and of parameters where they help.

use serde_json::{Map, Value, json};

use super::super::problem::Problem;

const RUN: &str = "run_psRVwyNdcdPK1VtyzPzYzg";
const EARLIER: &str = "run_1xq0dXw2gk3xYc0vQd3mUA";

/// Adds them to a document that is complete otherwise.
pub(super) fn add(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    let mut problems = Map::new();
    for problem in Problem::all() {
        let name = problem.kind().to_owned();
        problems.insert(name, json!({ "value": problem.json() }));
    }
    for (path, item) in object(document.get_mut("paths")) {
        for (_, operation) in object(Some(item)) {
            describe(path, operation, &schemas);
        }
    }
    document["components"]["examples"] = Value::Object(problems);
}

fn describe(path: &str, operation: &mut Value, schemas: &Value) {
    let id = operation["operationId"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    for parameter in list(operation.get_mut("parameters")) {
        let name = parameter["name"].as_str().unwrap_or_default();
        let example = match of_parameter(path, name) {
            None if id.starts_with("read_") => of_column(parameter, schemas),
            example => example,
        };
        if let Some(example) = example {
            parameter["example"] = example;
        }
    }
    for (_, media) in object(operation.pointer_mut("/requestBody/content")) {
        media["example"] = match id.as_str() {
            "upload" => json!("id,name\n1,ann\n2,bob\n"),
            _ => of_schema(&media["schema"], schemas),
        };
    }
    for (status, response) in object(operation.get_mut("responses")) {
        let of_rows = response
            .pointer("/content/application~1json/schema")
            .cloned();
        for (kind, media) in object(response.get_mut("content")) {
            if kind == "application/problem+json" {
                media["examples"] = of_problems(&id, status);
                continue;
            }
            let example = match (id.as_str(), kind.as_str()) {
                // Bytes that are no text.
                (_, "application/vnd.apache.arrow.stream") => continue,
                (_, "application/x-ndjson" | "text/csv") => {
                    let rows = of_schema(of_rows.as_ref().unwrap_or(&Value::Null), schemas);
                    lines(kind, rows.get(0).unwrap_or(&Value::Null))
                }
                _ => of_answer(&id).unwrap_or_else(|| of_schema(&media["schema"], schemas)),
            };
            media["example"] = example;
        }
    }
}

/// Problems of that status, in one place for all operations.
fn of_problems(operation: &str, status: &str) -> Value {
    let pages = operation.starts_with("read_") || operation == "get_rejects";
    let mut examples = Map::new();
    for problem in Problem::all() {
        let elsewhere = !pages && ["bad-cursor", "bad-query"].contains(&problem.kind());
        if problem.status().as_str() == status && !elsewhere {
            let place = format!("#/components/examples/{}", problem.kind());
            examples.insert(problem.kind().to_owned(), json!({ "$ref": place }));
        }
    }
    Value::Object(examples)
}

/// Of parameters that mean the same wherever they are.
fn of_parameter(path: &str, name: &str) -> Option<Value> {
    let of = |place: &str| path.starts_with(place);
    Some(match name {
        "id" if of("/runs") => json!(RUN),
        "id" if of("/keys") || of("/users") => json!("key_Zk5tq0mN3sUe7w4bVh2jLA"),
        "name" if of("/pipelines") => json!("sales"),
        "name" if of("/users") => json!("grace"),
        "mode" => json!("fresh"),
        "Idempotency-Key" => json!("sales of Monday"),
        "rejects-of" => json!(EARLIER),
        "pipeline" if of("/runs") => json!("sales"),
        "state" if of("/runs") => json!("done"),
        "before" if of("/runs") => json!(RUN),
        "after" if of("/users") => json!("grace"),
        "after" if of("/runs") => json!("4096"),
        "limit" => json!(1),
        "row" => json!(41),
        "column" => json!("customer"),
        _ => return None,
    })
}

/// Of a dataset's parameters, which are made of its columns; a cursor is nothing to invent.
fn of_column(parameter: &Value, schemas: &Value) -> Option<Value> {
    let schema = &parameter["schema"];
    match parameter["name"].as_str()? {
        "cursor" => None,
        "columns" | "sort" => Some(json!([schema["items"]["enum"].get(0)?])),
        _ => Some(of_schema(schema, schemas)),
    }
}

/// Of answers whose schema does not say enough.
fn of_answer(operation: &str) -> Option<Value> {
    Some(match operation {
        "alive" => json!({ "status": "alive" }),
        "ready" => json!({ "status": "ready" }),
        "metrics" => json!("glovebox_runs_active 1\n"),
        "docs" => json!("<!doctype html><html lang=en>…"),
        "description" => json!({ "openapi": "3.1.0" }),
        "key_set" => json!({ "keys": [{
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "0hNrb6xTqkU",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        }] }),
        "get_proof" => {
            json!("{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\",…}\n")
        }
        "follow_run" => json!({ "event": "run", "data": of_name("RunInfo")?.to_string() }),
        "get_report" => json!({
            "run": "20261122T073921-6d0ec3a5b1f2",
            "pipeline": "sales",
            "source": "CSV from sales.csv",
            "sink": "SQLite sales.db, table sales",
            "outcome": "done",
            "rows": { "read": 1000, "stored": 712, "filtered": 286, "rejected": 2 },
            "rejects": [{ "step": "complete", "rule": "required", "column": "price", "rows": 2 }],
            "steps": [{
                "name": "complete", "plugin": "required 0.1.0",
                "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "rows-in": 1000, "filtered": 0, "rejected": 2, "seconds": 0.004,
            }],
            "seconds": 0.21,
        }),
        _ => return None,
    })
}

/// Of components that have names.
fn of_name(name: &str) -> Option<Value> {
    let account = json!({ "id": "usr_8fJq2nYt5mWc0rXk7sVb1A", "name": "grace",
        "roles": ["analyst"], "disabled": false, "created": "2026-11-22T07:00:00Z" });
    let key = json!({ "id": "key_Zk5tq0mN3sUe7w4bVh2jLA", "label": "nightly report",
        "roles": ["analyst"], "created": "2026-11-22T07:00:00Z", "expires": "2027-02-20T07:00:00Z" });
    let violation = json!({ "step": "complete", "column": "price", "rule": "required",
        "message": "must not be empty" });
    let touch = json!({ "step": "pseudonymise", "method": "hmac-sha256",
        "key": { "name": "sales/customer-key", "version": 2 },
        "may-keep": "no cell may stay whole",
        "undone-by": "whoever has the key, by trying likely values" });
    let reject = json!({ "row": 41, "line": 43, "violations": [violation] });
    Some(match name {
        "Account" => account,
        "Myself" => json!({ "user": account, "permissions": ["data", "watch"], "via": "session",
            "datasets": ["/sales"] }),
        "Key" => key,
        "KeyRequest" => json!({ "label": "nightly report", "days": 90 }),
        "NewlyMade" => json!({ "token": "gbk_only-shown-this-once", "key": key }),
        "NewUser" => json!({ "name": "grace", "password": "a sentence that nobody guesses",
            "roles": ["analyst"] }),
        "Change" => json!({ "roles": ["analyst"], "disabled": false }),
        "TokenRequest" => json!({ "username": "grace",
            "password": "a sentence that nobody guesses" }),
        "TokenReply" => json!({ "access_token": "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.…",
            "token_type": "bearer", "expires_in": 600, "refresh_token": "gbr_works-once" }),
        "OAuthError" => json!({ "error": "invalid_grant",
            "error_description": "The name, the password or the refresh token is wrong." }),
        "PipelineInfo" => json!({ "name": "sales", "upload_at_most": 104_857_600,
            "about": "Keeps halal products and masks who bought them." }),
        "RunInfo" => json!({ "id": RUN, "pipeline": "sales", "user": "grace", "mode": "fresh",
            "upload": false, "state": "running", "cancelled": false, "starts": 1,
            "created": "2026-11-22T07:00:00Z", "started": "2026-11-22T07:00:01Z", "rows": 180_224,
            "rows_per_second": 90_112.0, "share": 0.41 }),
        "Explained" => json!({ "row": 41,
            "column": { "name": "customer", "source": "customer_no", "personal": true, "steps": [touch] },
            "steps": [{ "name": "pseudonymise", "does": "mask", "plugin": "pseudonym 0.1.0",
                "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "reads": ["customer"] }],
            "lineage": "proof", "run": "20261122T073921-6d0ec3a5b1f2",
            "fate": { "is": "stored", "known-by": "journal" } }),
        "Page" => json!({ "rejects": [reject], "next": "118" }),
        "Reject" => reject,
        "Violation" => violation,
        "Dataset" => json!({ "name": "sales", "path": "/sales", "rows_at_most": 1000,
            "about": "Halal products, with pseudonymous customers.",
            "columns": [{ "name": "product", "type": "text" }, { "name": "price", "type": "float64" }] }),
        _ => return None,
    })
}

fn of_schema(schema: &Value, schemas: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
        return of_name(name).unwrap_or_else(|| of_schema(&schemas[name], schemas));
    }
    if let Some(word) = schema["enum"].get(0) {
        return word.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.first().and_then(Value::as_str),
        kind => kind.as_str(),
    };
    let format = schema["format"].as_str().unwrap_or_default();
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    match (kind.unwrap_or_default(), format) {
        ("array", _) => json!([of_schema(&schema["items"], schemas)]),
        ("object", _) => {
            let members = schema["properties"].as_object().into_iter().flatten();
            members
                .map(|(name, of)| (name.clone(), of_schema(of, schemas)))
                .collect()
        }
        ("boolean", _) => json!(true),
        ("integer", _) => json!(2),
        ("number", _) => json!(999.99),
        ("string", "date") => json!("2024-02-29"),
        ("string", "date-time") => json!("2024-02-29T12:00:00Z"),
        ("string", _) if pattern.starts_with(r"^\\x") => json!(r"\x00ff"),
        ("string", _) if pattern.starts_with("^-?[0-9]") => json!("999.99"),
        _ => json!("Halal Laptop"),
    }
}

/// A row as text.
fn lines(kind: &str, row: &Value) -> Value {
    let members = || row.as_object().into_iter().flatten();
    let cell = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    match kind {
        "text/csv" => {
            let names: Vec<String> = members().map(|(name, _)| name.clone()).collect();
            let cells: Vec<String> = members().map(|(_, value)| cell(value)).collect();
            json!(format!("{}\n{}\n", names.join(","), cells.join(",")))
        }
        _ => json!(format!("{row}\n")),
    }
}

fn object(value: Option<&mut Value>) -> impl Iterator<Item = (&String, &mut Value)> {
    let map = value.and_then(Value::as_object_mut);
    map.into_iter().flatten()
}

fn list(value: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    let items = value.and_then(Value::as_array_mut);
    items.into_iter().flatten()
}
