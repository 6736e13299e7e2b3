//! Holds the schema to what `load` reads, and the published file to the schema.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::json_schema;
use crate::block::Shape;
use crate::load;
use crate::yaml::{self, Kind, Node};

fn published() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/manifest.schema.json")
}

#[test]
fn the_published_schema_is_this_one() {
    let fresh = serde_json::to_string_pretty(&json_schema()).unwrap() + "\n";
    if std::env::var_os("GLOVEBOX_BLESS").is_some() {
        std::fs::write(published(), &fresh).unwrap();
    }
    let there = std::fs::read_to_string(published()).unwrap();
    assert!(
        there == fresh,
        "docs/manifest.schema.json is out of date; write it anew with GLOVEBOX_BLESS=1"
    );
}

#[test]
fn every_key_that_is_read_is_in_the_schema_and_no_other() {
    let schema = json_schema();
    let shapes: [(&str, &Shape); 23] = [
        ("Manifest", &load::MANIFEST),
        ("Source", &load::SOURCE),
        ("CsvSource", &load::CSV_SOURCE),
        ("JsonlSource", &load::JSONL_SOURCE),
        ("ParquetSource", &load::PARQUET_SOURCE),
        ("PostgresSource", &load::POSTGRES_SOURCE),
        ("Column", &load::COLUMN),
        ("Release", &load::RELEASE),
        ("Formats", &load::FORMATS),
        ("FileStore", &load::FILES),
        ("KeyFile", &load::TRUSTED_KEY),
        ("Step", &load::STEP),
        ("PluginFile", &load::PLUGIN),
        ("Limits", &load::LIMITS),
        ("Sink", &load::SINK),
        ("SqliteSink", &load::SQLITE),
        ("PostgresSink", &load::POSTGRES),
        ("Password", &load::PASSWORD),
        ("IdentityKey", &load::IDENTITY_KEY),
        ("Tls", &load::TLS),
        ("CsvSink", &load::CSV_SINK),
        ("JsonlSink", &load::JSONL_SINK),
        ("ParquetSink", &load::PARQUET_SINK),
    ];
    let mut seen = BTreeSet::from(["Rejects"]);
    for (name, shape) in shapes.into_iter().chain([("Rejects", &load::REJECTS)]) {
        seen.insert(name);
        let block = match name {
            "Manifest" => &schema,
            _ => &schema["$defs"][name],
        };
        let written: BTreeSet<&str> = block["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let read: BTreeSet<&str> = shape.keys.iter().copied().collect();
        assert_eq!(written, read, "{name}");
        assert_eq!(block["additionalProperties"], Value::Bool(false), "{name}");
    }
    for (name, block) in schema["$defs"].as_object().unwrap() {
        let is_block = block.get("properties").is_some();
        assert!(
            !is_block || seen.contains(name.as_str()),
            "{name} is not compared"
        );
    }
}

#[test]
fn no_key_may_be_null() {
    fn walk(value: &Value) {
        match value {
            Value::Object(object) => {
                assert_ne!(object.get("type"), Some(&Value::from("null")));
                object.values().for_each(walk);
            }
            Value::Array(items) => {
                assert!(!items.contains(&Value::from("null")));
                items.iter().for_each(walk);
            }
            _ => {}
        }
    }
    walk(&json_schema());
}

fn json(node: &Node) -> Value {
    match &node.kind {
        Kind::Broken | Kind::Null => Value::Null,
        Kind::Bool(b) => Value::Bool(*b),
        Kind::Number(n) => Value::Number(n.clone()),
        Kind::Text(t) => Value::String(t.clone()),
        Kind::List(items) => items.iter().map(json).collect(),
        Kind::Map(entries) => entries
            .iter()
            .map(|e| (e.key.value.clone(), json(&e.value)))
            .collect(),
    }
}

#[test]
fn the_samples_satisfy_the_schema_and_slips_do_not() {
    let schema = json_schema();
    let sales = include_str!("../../../../data/sales.yaml");
    let good = json(&yaml::parse(sales).root.unwrap());
    assert_eq!(fits(&good, &schema, &schema), Ok(()));

    for (pointer, value) in [
        ("/name", Value::from("no spaces")),
        ("/columns/price/type", Value::from("varchar")),
        ("/credentials", Value::Null),
        ("/steps/0/masks", serde_json::json!(["price"])),
        ("/steps/0/transform", Value::from("keep")),
        ("/sink/jsonl", serde_json::json!({ "path": "x" })),
        ("/sink/sqlite/mode", Value::from("merge")),
        ("/rejects/at-most", Value::from("half")),
        ("/limits", serde_json::json!({ "memory": "64MB" })),
    ] {
        let mut bad = good.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = bad.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        parent.insert(key.to_owned(), value);
        assert!(fits(&bad, &schema, &schema).is_err(), "{pointer}");
    }
}

/// Whether a value satisfies a schema, by the keywords that ours uses; another one is an error, so
/// that this cannot fall behind. A validator from elsewhere would bring twenty crates for this.
fn fits(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    let rules = match schema {
        Value::Bool(true) => return Ok(()),
        Value::Object(rules) => rules,
        _ => return Err(format!("{value} is not wanted")),
    };
    for (keyword, rule) in rules {
        let ok = match keyword.as_str() {
            "$ref" => {
                let path = rule.as_str().unwrap().strip_prefix('#').unwrap();
                fits(value, root.pointer(path).unwrap(), root)?;
                true
            }
            "type" => match rule.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_i64() || value.is_u64(),
                other => return Err(format!("unknown type {other}")),
            },
            "const" => value == rule,
            "enum" => rule.as_array().unwrap().contains(value),
            "anyOf" | "oneOf" => {
                let many = rule.as_array().unwrap().iter();
                let fitting = many.filter(|s| fits(value, s, root).is_ok()).count();
                fitting == 1 || (keyword == "anyOf" && fitting > 1)
            }
            "properties" => {
                for (key, rule) in rule.as_object().unwrap() {
                    if let Some(inner) = value.get(key) {
                        fits(inner, rule, root).map_err(|e| format!("{key}: {e}"))?;
                    }
                }
                true
            }
            "additionalProperties" => {
                let named = rules.get("properties").and_then(Value::as_object);
                for (key, inner) in value.as_object().into_iter().flatten() {
                    if named.is_none_or(|n| !n.contains_key(key)) {
                        fits(inner, rule, root).map_err(|e| format!("{key}: {e}"))?;
                    }
                }
                true
            }
            "required" => {
                let keys = rule.as_array().unwrap();
                keys.iter()
                    .all(|k| value.get(k.as_str().unwrap()).is_some())
            }
            "items" => {
                for inner in value.as_array().into_iter().flatten() {
                    fits(inner, rule, root)?;
                }
                true
            }
            "pattern" => {
                let pattern = regex::Regex::new(rule.as_str().unwrap()).unwrap();
                value.as_str().is_none_or(|t| pattern.is_match(t))
            }
            "minItems" => value
                .as_array()
                .is_none_or(|a| a.len() as u64 >= rule.as_u64().unwrap()),
            "uniqueItems" => value
                .as_array()
                .is_none_or(|a| (0..a.len()).all(|i| !a[..i].contains(&a[i]))),
            "minProperties" => value
                .as_object()
                .is_none_or(|o| o.len() as u64 >= rule.as_u64().unwrap()),
            "minLength" => value
                .as_str()
                .is_none_or(|t| t.chars().count() as u64 >= rule.as_u64().unwrap()),
            "maxLength" => value
                .as_str()
                .is_none_or(|t| t.chars().count() as u64 <= rule.as_u64().unwrap()),
            "minimum" => value.as_f64().is_none_or(|n| n >= rule.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|n| n <= rule.as_f64().unwrap()),
            "$schema" | "$defs" | "title" | "description" | "default" | "format" => true,
            other => return Err(format!("unknown keyword {other}")),
        };
        if !ok {
            return Err(format!("{value} does not satisfy {keyword} {rule}"));
        }
    }
    Ok(())
}
