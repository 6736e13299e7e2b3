//! Converts OpenAPI 3.0, which poem-openapi writes, to 3.1, whose schemas are JSON Schema.

use serde_json::{Value, json};

/// Members that need not be there may be null: so poem-openapi reads and writes them, and says it
/// nowhere.
pub(super) fn null_where_optional(schemas: &mut Value) {
    for (_, schema) in schemas.as_object_mut().into_iter().flatten() {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for (name, property) in properties.into_iter().flatten() {
            if !required.iter().any(|r| r == name) {
                property["nullable"] = json!(true);
            }
        }
    }
}

/// Rewrites a document in place (OpenAPI 3.1.0, appendix A; the migration guide of 3.1).
pub(super) fn to_3_1(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(to_3_1),
        Value::Object(map) => {
            map.values_mut().for_each(to_3_1);
            // A reference had no room for a description beside it; generators stumble over lists that
            // make some.
            if let Some(Value::Array(of)) = map.get("allOf")
                && let Some(reference) = only_reference(of)
            {
                map.remove("allOf");
                map.insert("$ref".into(), reference);
            }
            if map.remove("nullable") == Some(Value::Bool(true)) {
                match map.get("type").cloned() {
                    Some(kind @ Value::String(_)) => {
                        map.insert("type".into(), json!([kind, "null"]));
                    }
                    _ => {
                        let inner = Value::Object(std::mem::take(map));
                        map.insert("anyOf".into(), json!([inner, { "type": "null" }]));
                    }
                }
            }
            for (flag, bound) in [
                ("exclusiveMinimum", "minimum"),
                ("exclusiveMaximum", "maximum"),
            ] {
                match map.get(flag) {
                    Some(Value::Bool(true)) => {
                        if let Some(limit) = map.remove(bound) {
                            map.insert(flag.into(), limit);
                        }
                    }
                    Some(Value::Bool(false)) => {
                        map.remove(flag);
                    }
                    _ => {}
                }
            }
            // Formats of programming languages, which JSON Schema does not know.
            if map
                .get("type")
                .is_some_and(|t| t.is_string() || t.is_array())
                && let Some(format) = map.get("format").and_then(Value::as_str)
            {
                let bounds = match format {
                    "uint32" => Some((0, u64::from(u32::MAX))),
                    "uint64" => Some((0, u64::MAX)),
                    _ => None,
                };
                if let Some((low, high)) = bounds {
                    map.remove("format");
                    map.entry("minimum").or_insert(json!(low));
                    map.entry("maximum").or_insert(json!(high));
                }
            }
        }
        _ => {}
    }
}

/// The reference among what is otherwise descriptions.
fn only_reference(all: &[Value]) -> Option<Value> {
    let mut references = all.iter().filter_map(|of| of.get("$ref"));
    let reference = references.next()?;
    let described = |of: &Value| {
        let mut keys = of.as_object().into_iter().flat_map(|map| map.keys());
        keys.all(|key| key == "$ref" || key == "description")
    };
    (references.next().is_none() && all.iter().all(described)).then(|| reference.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_3_1_says_otherwise_is_said_so() {
        let mut document = json!({
            "a": { "type": "string", "nullable": true },
            "b": { "$ref": "#/x", "nullable": true },
            "c": { "type": "integer", "format": "uint32", "minimum": 1 },
            "d": { "type": "number", "minimum": 2, "exclusiveMinimum": true },
            "e": { "type": "number", "maximum": 2, "exclusiveMaximum": false },
            "f": { "allOf": [{ "$ref": "#/x" }, { "description": "An x." }], "description": "An x." },
            "h": { "allOf": [{ "$ref": "#/x" }, { "minimum": 1 }] },
            "i": { "type": ["integer", "null"], "format": "uint64" },
            "g": { "allOf": [{ "$ref": "#/x" }], "nullable": true },
        });
        to_3_1(&mut document);
        assert_eq!(
            document,
            json!({
                "a": { "type": ["string", "null"] },
                "b": { "anyOf": [{ "$ref": "#/x" }, { "type": "null" }] },
                "c": { "type": "integer", "minimum": 1, "maximum": 4294967295u32 },
                "d": { "type": "number", "exclusiveMinimum": 2 },
                "e": { "type": "number", "maximum": 2 },
                "f": { "$ref": "#/x", "description": "An x." },
                "h": { "allOf": [{ "$ref": "#/x" }, { "minimum": 1 }] },
                "i": { "type": ["integer", "null"], "minimum": 0, "maximum": u64::MAX },
                "g": { "anyOf": [{ "$ref": "#/x" }, { "type": "null" }] },
            })
        );
    }
}
