//! Holds the published schema and the manual's tables to the declarations, and these to themselves.

use std::path::{Path, PathBuf};

use glovebox_core::Limits;
use serde_json::Value;

use super::{Schema, key_tables, with_tables};
use crate::declare::{Section, stand_in};
use crate::json_schema;
use crate::load::ManifestKeys;
use crate::load::limits::LimitKeys;
use crate::yaml;

fn docs(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../docs")
        .join(file)
}

/// A file is to have this text; with `GLOVEBOX_BLESS` it gets it.
fn published(file: &str, fresh: &str) {
    let path = docs(file);
    if std::env::var_os("GLOVEBOX_BLESS").is_some() {
        std::fs::write(&path, fresh).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap();
    assert!(
        there == fresh,
        "docs/{file} is out of date; rewrite it with GLOVEBOX_BLESS=1"
    );
}

#[test]
fn the_published_schema_is_this_one() {
    let fresh = serde_json::to_string_pretty(&json_schema()).unwrap() + "\n";
    published("manifest.schema.json", &fresh);
}

#[test]
fn the_manuals_tables_are_the_declared_keys() {
    let mut tables = key_tables::<ManifestKeys>();
    let manual = std::fs::read_to_string(docs("manifest.md")).unwrap();
    let fresh = with_tables(&manual, &mut tables).unwrap();
    published("manifest.md", &fresh);
    // Of blocks with a key or two the text says it all.
    let left: Vec<&str> = tables.keys().copied().collect();
    let told = [
        "AccessKey",
        "AesKey",
        "AgeKey",
        "IdentityKey",
        "KeyFile",
        "LoginSecret",
        "Password",
        "PluginFile",
        "Store",
        "Tls",
    ];
    assert_eq!(left, told, "blocks without a table");
}

#[test]
fn every_default_is_a_value_that_may_be_written() {
    let mut schema = Schema::default();
    schema.section::<ManifestKeys>();
    let fields = schema.fields();
    let with_default = fields.filter_map(|f| Some((f, f.default?)));
    let mut read = 0;
    for (field, default) in with_default {
        assert!(field.kind.accepts(default), "{}: {default}", field.key);
        read += 1;
    }
    assert!(read > 40, "{read}");
}

#[test]
fn the_limits_that_are_told_are_those_that_hold() {
    let fields = LimitKeys::fields();
    let lines = fields
        .iter()
        .map(|f| format!("{}: {}\n", f.key, f.default.unwrap()));
    let node = stand_in(&lines.collect::<String>(), &(0..0)).unwrap();
    let mut reader = crate::block::Reader::new("", Path::new(""));
    let told = LimitKeys::read(&mut reader, &node, 0..0).unwrap();
    let nothing = Limits {
        memory: 0,
        time: Default::default(),
        returned: 0,
        findings: 0,
        table_elements: 0,
        instances: 0,
        lost_time: Default::default(),
    };
    assert_eq!(told.over(&nothing), Limits::default());
}

#[test]
fn the_samples_satisfy_the_schema_and_slips_do_not() {
    let schema = json_schema();
    let sales = include_str!("../../../../../data/sales.yaml");
    let good = yaml::parse(sales).root.unwrap().to_json();
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

#[test]
fn what_the_program_takes_satisfies_the_schema() {
    let schema = json_schema();
    let check = |name: &str, text: &str| {
        let manifest = yaml::parse(text).root.unwrap().to_json();
        assert_eq!(fits(&manifest, &schema, &schema), Ok(()), "{name}");
    };
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/cases");
    let mut checked = 0;
    for case in std::fs::read_dir(cases).unwrap() {
        let folder = case.unwrap().path();
        let text = std::fs::read_to_string(folder.join("manifest.yaml")).unwrap();
        check(&folder.display().to_string(), &text);
        checked += 1;
    }
    assert!(checked >= 78, "{checked}");
    let sales = include_str!("../../../../../data/sales.yaml");
    let key = "pseudonym: sales/customer-salt";
    assert!(sales.contains(key));
    check(
        "a version",
        &sales.replace(key, "pseudonym: sales/customer-salt@3"),
    );
    check(
        "versions",
        &sales.replace(
            key,
            "pseudonym: [sales/customer-salt@3, sales/customer-salt@2]",
        ),
    );
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
