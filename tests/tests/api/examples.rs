//! The description's examples: each is what its schema says, and the server takes those that are
//! sent.
//!
//! Owns as much of JSON Schema as the description uses; refuses a keyword that it does not know.

use glovebox_tests::server::Server;
use regex::Regex;
use serde_json::{Value, json};

const CONFIGURATION: &str = "\
pipelines:
  sales: { manifest: sales.yaml, upload: 1 KiB }
datasets:
  sales:
    sqlite: { path: sales.db, table: sales }
    columns:
      product: { type: text, not-null: true }
      price: { type: float64 }
      quantity: { type: int64 }
      paid: { type: boolean }
      sum: { type: \"decimal(9,2)\" }
      day: { type: date }
      at: { type: timestamp }
      raw: { type: bytes }
";

fn server() -> Server {
    let folder = Server::folder(CONFIGURATION).file("sales.db", "");
    glovebox_tests::sqlite::execute(
        &folder.path("sales.db"),
        "CREATE TABLE sales (product TEXT NOT NULL, price REAL, quantity INTEGER, paid INTEGER, \
         sum TEXT, day TEXT, at TEXT, raw BLOB)",
    );
    let server = Server::start_in(folder);
    server.user("ada", &["admin", "officer"]);
    server
}

fn document(server: &Server) -> Value {
    let (token, _) = server.log_in("ada");
    server.get("/openapi.json", &token).is(200).json()
}

#[test]
fn every_example_is_what_its_schema_says_and_nothing_is_without_one() {
    let document = document(&server());
    let mut examples = 0;
    let mut check = |at: &str, holder: &Value| {
        examples += 1;
        let example = holder.get("example");
        let example = example.unwrap_or_else(|| panic!("{at} has no example"));
        let wrong = differs(&document, &holder["schema"], example);
        assert_eq!(wrong, None, "{at}: {example}");
    };
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let at = format!("{method} {path}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                if parameter["name"] != "cursor" {
                    check(&format!("{at}: {}", parameter["name"]), parameter);
                }
            }
            let body = operation.pointer("/requestBody/content");
            for (kind, media) in body.and_then(Value::as_object).into_iter().flatten() {
                check(&format!("{at}: {kind}"), media);
            }
            for (status, response) in operation["responses"].as_object().unwrap() {
                let content = response["content"].as_object().into_iter().flatten();
                for (kind, media) in content {
                    match kind.as_str() {
                        "application/vnd.apache.arrow.stream" => {}
                        "application/problem+json" => {
                            let problems = media["examples"].as_object().unwrap();
                            assert!(!problems.is_empty(), "{at}: {status}");
                            for place in problems.values() {
                                let told = &follow(&document, place)["value"];
                                assert_eq!(told["status"].to_string(), *status, "{at}");
                                let wrong = differs(&document, &media["schema"], told);
                                assert_eq!(wrong, None, "{at}: {told}");
                            }
                        }
                        _ => check(&format!("{at}: {status} {kind}"), media),
                    }
                }
            }
        }
    }
    assert!(examples > 70, "{examples}");
}

#[test]
fn what_the_examples_send_is_taken_and_what_comes_back_is_of_their_form() {
    let server = server();
    let document = document(&server);
    let (token, _) = server.log_in("ada");
    for (method, path, status) in [
        ("post", "/users", "201"),
        ("patch", "/users/{name}", "200"),
        ("post", "/keys", "201"),
        ("get", "/me", "200"),
        ("get", "/pipelines", "200"),
        ("get", "/datasets", "200"),
    ] {
        let operation = &document["paths"][path][method];
        let json_media = |of: &Value| {
            let content = of["content"].as_object().cloned().unwrap_or_default();
            content.values().next().cloned().unwrap_or_default()
        };
        let sent = json_media(&operation["requestBody"])["example"].take();
        let name = &operation["parameters"][0]["example"];
        let path = path.replace("{name}", name.as_str().unwrap_or_default());
        let reply = match method {
            "get" => server.get(&path, &token),
            _ => server.send(&method.to_uppercase(), &path, &token, &sent),
        };
        let told = reply.is(status.parse().unwrap()).json();
        let media = json_media(&operation["responses"][status]);
        assert_eq!(
            differs(&document, &media["schema"], &told),
            None,
            "{path}: {told}"
        );
        let (shown, told) = (&media["example"], told.get(0).unwrap_or(&told).clone());
        let shown = shown.get(0).unwrap_or(shown);
        let members =
            |of: &Value| -> Vec<String> { of.as_object().unwrap().keys().cloned().collect() };
        assert_eq!(members(shown), members(&told), "{path}");
    }
    let form = &document["paths"]["/token"]["post"]["requestBody"]["content"];
    let form = &form["application/x-www-form-urlencoded"]["example"];
    let text = |name: &str| form[name].as_str().unwrap().to_owned();
    let (name, password) = (text("username"), text("password"));
    let reply = server.token(&[("username", &name), ("password", &password)]);
    let _ = reply.is(200);
}

#[test]
fn what_is_not_as_a_schema_says_is_found() {
    let none = json!({});
    for (schema, good, bad) in [
        (
            json!({ "type": "integer", "minimum": 1 }),
            json!(1),
            json!(0),
        ),
        (
            json!({ "type": ["string", "null"], "maxLength": 2 }),
            json!(null),
            json!("abc"),
        ),
        (
            json!({ "type": "string", "pattern": "^a+$" }),
            json!("aa"),
            json!("ab"),
        ),
        (json!({ "enum": ["a", "b"] }), json!("b"), json!("c")),
        (json!({ "const": "a" }), json!("a"), json!("b")),
        (
            json!({ "type": "object", "required": ["a"], "properties": { "a": { "type": "boolean" } },
                "additionalProperties": false }),
            json!({ "a": true }),
            json!({ "a": true, "b": 1 }),
        ),
        (
            json!({ "type": "array", "items": { "type": "number" }, "uniqueItems": true }),
            json!([1.5, 2]),
            json!([1, 1]),
        ),
        (
            json!({ "oneOf": [{ "type": "string" }, { "type": "integer" }] }),
            json!(1),
            json!(1.5),
        ),
    ] {
        assert_eq!(differs(&none, &schema, &good), None);
        assert!(differs(&none, &schema, &bad).is_some(), "{schema}: {bad}");
    }
    let strange = json!({ "if": {} });
    assert!(differs(&none, &strange, &none).is_some());
}

fn follow<'d>(document: &'d Value, of: &'d Value) -> &'d Value {
    let target = of["$ref"].as_str().and_then(|r| r.strip_prefix('#'));
    target.map_or(of, |t| document.pointer(t).unwrap())
}

/// How a value is not what a schema says.
fn differs(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    let schema = follow(document, schema);
    let each = |schemas: &Value| -> Vec<Option<String>> {
        let schemas = schemas.as_array().unwrap().iter();
        schemas.map(|s| differs(document, s, value)).collect()
    };
    for (keyword, says) in schema.as_object()? {
        let number = || says.as_f64().unwrap();
        let text = || value.as_str().map(|t| t.chars().count() as f64);
        let items = || value.as_array().map(|items| items.len() as f64);
        let holds = match keyword.as_str() {
            "description" | "title" | "examples" | "default" | "writeOnly" | "format"
            | "contentMediaType" | "contentSchema" => true,
            "type" => {
                let kinds = says
                    .as_array()
                    .cloned()
                    .unwrap_or_else(|| vec![says.clone()]);
                kinds.iter().any(|kind| is(kind.as_str().unwrap(), value))
            }
            "enum" => says.as_array().unwrap().contains(value),
            "const" => says == value,
            "minimum" => value.as_f64().is_none_or(|n| n >= number()),
            "maximum" => value.as_f64().is_none_or(|n| n <= number()),
            "minLength" => text().is_none_or(|n| n >= number()),
            "maxLength" => text().is_none_or(|n| n <= number()),
            "minItems" => items().is_none_or(|n| n >= number()),
            "maxItems" => items().is_none_or(|n| n <= number()),
            "uniqueItems" => {
                let of = value.as_array().cloned().unwrap_or_default();
                let again = |(i, item)| of.iter().skip(i + 1).any(|other| other == item);
                *says == false || !of.iter().enumerate().any(again)
            }
            "pattern" => {
                let pattern = Regex::new(says.as_str().unwrap()).unwrap();
                value.as_str().is_none_or(|text| pattern.is_match(text))
            }
            "required" => {
                let names = says.as_array().unwrap().iter();
                let mut names = names.map(|n| n.as_str().unwrap());
                !value.is_object() || names.all(|n| value.get(n).is_some())
            }
            "additionalProperties" => {
                let known = |name: &String| schema["properties"].get(name).is_some();
                let mut others = value.as_object().into_iter().flatten();
                others.all(|(name, v)| {
                    known(name) || (*says != false && differs(document, says, v).is_none())
                })
            }
            "properties" => {
                for (name, of) in says.as_object().unwrap() {
                    if let Some(wrong) = value.get(name).and_then(|v| differs(document, of, v)) {
                        return Some(format!("{name}: {wrong}"));
                    }
                }
                true
            }
            "items" => {
                let mut of = value.as_array().into_iter().flatten();
                of.all(|item| differs(document, says, item).is_none())
            }
            "allOf" => each(says).iter().all(Option::is_none),
            "anyOf" => each(says).iter().any(Option::is_none),
            "oneOf" => each(says).iter().filter(|wrong| wrong.is_none()).count() == 1,
            _ => return Some(format!("this test does not know `{keyword}`")),
        };
        if !holds {
            return Some(format!("not `{keyword}: {says}`"));
        }
    }
    None
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0),
        _ => false,
    }
}
