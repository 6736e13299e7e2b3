//! Compares a JSON value with its schema and describes every difference, with its JSON Pointer but
//! without values.

use std::fmt::Write;

use regex::Regex;
use serde_json::{Map, Value};

use super::super::problem::Wrong;

/// The most that is listed.
const MAX_LISTED: usize = 20;
/// The longest name of an unknown member that is shown.
const MAX_NAME_LEN: usize = 24;

/// Everything in which a body is not what is described.
pub(crate) fn body(schema: &Value, schemas: &Value, body: &Value) -> Vec<Wrong> {
    let mut look = Look {
        schemas,
        wrong: Vec::new(),
    };
    look.at("#", schema, body);
    look.wrong.truncate(MAX_LISTED);
    look.wrong
}

struct Look<'s> {
    schemas: &'s Value,
    wrong: Vec<Wrong>,
}

impl Look<'_> {
    fn say(&mut self, pointer: &str, detail: impl Into<String>) {
        self.wrong.push(Wrong::member(pointer, detail));
    }

    fn at(&mut self, pointer: &str, schema: &Value, value: &Value) {
        let name = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next());
        let schemas = self.schemas;
        let schema = name.and_then(|n| schemas.get(n)).unwrap_or(schema);
        if !is(schema, value) || !within(schema, value) {
            return self.say(pointer, format!("must be {}", due(schema)));
        }
        match value {
            Value::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    self.at(&format!("{pointer}/{place}"), &schema["items"], item);
                }
            }
            Value::Object(members) => self.members(pointer, schema, members),
            _ => {}
        }
    }

    fn members(&mut self, pointer: &str, schema: &Value, members: &Map<String, Value>) {
        let Some(known) = schema["properties"].as_object() else {
            return;
        };
        let required = schema["required"].as_array().into_iter().flatten();
        for name in required.filter_map(Value::as_str) {
            if !members.contains_key(name) {
                let due = known.get(name).map(due).unwrap_or_default();
                self.say(
                    &format!("{pointer}/{name}"),
                    format!("is missing; it must be {due}"),
                );
            }
        }
        for (name, value) in members {
            match known.get(name) {
                Some(schema) => self.at(&format!("{pointer}/{name}"), schema, value),
                None if schema["additionalProperties"] == false => {
                    self.stranger(pointer, name, known);
                }
                None => {}
            }
        }
    }

    /// A member that nobody knows. Its name is a stranger's text: only what can be no more than a
    /// word is shown.
    fn stranger(&mut self, pointer: &str, name: &str, known: &Map<String, Value>) {
        let word = |b: u8| b.is_ascii_lowercase() || b == b'_';
        let pointer = match name.bytes().all(word) && (1..=MAX_NAME_LEN).contains(&name.len()) {
            true => format!("{pointer}/{name}"),
            false => pointer.to_owned(),
        };
        let near = glovebox_manifest::closest(name, known.keys().map(String::as_str));
        let detail = match near {
            Some(near) => format!("is not known; did you mean `{near}`?"),
            None => {
                let names: Vec<&str> = known.keys().map(String::as_str).collect();
                format!("is not known; the members are: {}", names.join(", "))
            }
        };
        self.say(&pointer, detail);
    }
}

fn kinds(schema: &Value) -> impl Iterator<Item = &str> {
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.as_slice(),
        kind => std::slice::from_ref(kind),
    };
    kinds.iter().filter_map(Value::as_str)
}

fn is(schema: &Value, value: &Value) -> bool {
    let mut kinds = kinds(schema).peekable();
    kinds.peek().is_none()
        || kinds.any(|kind| match kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            "number" => value.is_number(),
            "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0),
            _ => false,
        })
}

/// Whether it is within the bounds that its own type has.
fn within(schema: &Value, value: &Value) -> bool {
    let bound = |name: &str| schema[name].as_f64();
    let between = |size: f64, least: &str, most: &str| {
        bound(least).is_none_or(|n| size >= n) && bound(most).is_none_or(|n| size <= n)
    };
    let listed = schema["enum"].as_array();
    if listed.is_some_and(|words| !words.contains(value)) {
        return false;
    }
    match value {
        Value::Number(n) => n.as_f64().is_none_or(|n| between(n, "minimum", "maximum")),
        Value::Array(items) => between(items.len() as f64, "minItems", "maxItems"),
        Value::String(text) => {
            between(text.chars().count() as f64, "minLength", "maxLength")
                && schema["pattern"].as_str().is_none_or(|pattern| {
                    Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
                })
        }
        _ => true,
    }
}

/// What a schema asks for, in words.
pub(crate) fn due(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        return format!("one of: {}", words.join(", "));
    }
    let kind = kinds(schema).find(|kind| *kind != "null");
    let mut words = String::from(match kind {
        Some("object") => "an object",
        Some("array") => "a list",
        Some("string") => "text",
        Some("boolean") => "true or false",
        Some("number") => "a number",
        Some("integer") => "a whole number",
        _ => "as documented in the API description",
    });
    let bounds = |least: &str, most: &str| {
        let bound = |name: &str| schema[name].as_f64();
        match (bound(least), bound(most)) {
            (Some(least), Some(most)) => Some(format!("{least} to {most}")),
            (Some(least), None) => Some(format!("{least} or more")),
            (None, Some(most)) => Some(format!("at most {most}")),
            (None, None) => None,
        }
    };
    match kind {
        Some("array") => {
            if let Some(bounds) = bounds("minItems", "maxItems") {
                let _ = write!(words, " of {bounds}");
            }
        }
        Some("string") => {
            if let Some(bounds) = bounds("minLength", "maxLength") {
                let _ = write!(words, " of {bounds} characters");
            }
            if let Some(pattern) = schema["pattern"].as_str() {
                let _ = write!(words, " that matches `{pattern}`");
            }
        }
        Some("integer" | "number") => {
            if let Some(bounds) = bounds("minimum", "maximum") {
                let _ = write!(words, ", {bounds}");
            }
        }
        _ => {}
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::problem::Problem;
    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "required": ["label", "days"],
            "additionalProperties": false,
            "properties": {
                "label": { "type": "string", "minLength": 1, "maxLength": 4, "pattern": "^[a-z]+$" },
                "days": { "type": "integer", "minimum": 1, "maximum": 366 },
                "roles": { "type": ["array", "null"], "minItems": 1, "maxItems": 2,
                    "items": { "$ref": "#/components/schemas/Role" } },
            },
        })
    }

    fn told(value: &Value) -> Vec<(String, String)> {
        let schemas = json!({ "Role": { "type": "string", "enum": ["admin", "analyst"] } });
        let told = Problem::bad_request().wrong(body(&schema(), &schemas, value));
        let told = told.json();
        let text = |of: &Value| of.as_str().unwrap().to_owned();
        let errors = told["errors"].as_array().into_iter().flatten();
        errors
            .map(|e| (text(&e["pointer"]), text(&e["detail"])))
            .collect()
    }

    #[test]
    fn what_fits_is_not_complained_of() {
        for good in [
            json!({ "label": "abcd", "days": 1 }),
            json!({ "label": "a", "days": 7.0, "roles": null }),
            json!({ "label": "a", "days": 366, "roles": ["admin", "analyst"] }),
        ] {
            assert_eq!(told(&good), [], "{good}");
        }
    }

    #[test]
    fn everything_is_pointed_at_and_no_value_is_repeated() {
        let canary = "canary-71";
        for (bad, at) in [
            (json!([canary]), vec![("#", "must be an object")]),
            (
                json!({ "label": canary, "days": 0, "roles": [] }),
                vec![
                    ("#/days", "must be a whole number, 1 to 366"),
                    (
                        "#/label",
                        "must be text of 1 to 4 characters that matches `^[a-z]+$`",
                    ),
                    ("#/roles", "must be a list of 1 to 2"),
                ],
            ),
            (
                json!({ "day": 1, "label": "a" }),
                vec![
                    ("#/days", "is missing; it must be a whole number, 1 to 366"),
                    ("#/day", "is not known; did you mean `days`?"),
                ],
            ),
            (
                json!({ "days": 1, "label": "a", canary: 1 }),
                vec![("#", "is not known; the members are: days, label, roles")],
            ),
            (
                json!({ "days": 1.5, "label": "a", "roles": ["admin", canary] }),
                vec![
                    ("#/days", "must be a whole number, 1 to 366"),
                    ("#/roles/1", "must be one of: admin, analyst"),
                ],
            ),
        ] {
            let told = told(&bad);
            let found: Vec<(&str, &str)> = told.iter().map(|(at, says)| (&**at, &**says)).collect();
            assert_eq!(found, at, "{bad}");
            assert!(!format!("{told:?}").contains(canary));
        }
    }
}
