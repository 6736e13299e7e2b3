//! A plugin's JSON Schema as a list of options, for people.
//! Control characters are removed, which a schema can contain as escapes.

use std::cell::Cell;
use std::fmt::Write;

use glovebox_core::shown;
use serde_json::Value;

/// Blocks within blocks that are shown; references may go in circles.
const MAX_DEPTH: usize = 4;
/// Parts of a schema that are looked at, however often they refer to each other.
const MAX_PARTS: u32 = 1_000;
/// Alternatives of one option that are told.
const WIDEST: usize = 12;

/// A schema, and how many of its parts may still be looked at.
struct Root {
    schema: Value,
    left: Cell<u32>,
}

impl Root {
    fn exhausted(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left == 0
    }
}

/// The options, each with its type and its description below it.
pub(super) fn options(schema: &str) -> String {
    let Ok(schema) = serde_json::from_str::<Value>(schema) else {
        return "  its schema is not JSON; `--json` shows it\n".to_owned();
    };
    let root = Root {
        schema,
        left: Cell::new(MAX_PARTS),
    };
    let mut out = String::new();
    block(&root.schema, &root, "", 0, &mut out);
    if root.left.get() == 0 {
        out.push_str("  and more; `--json` shows all of it\n");
    }
    if out.is_empty() {
        out.push_str("  none\n");
    }
    out
}

fn block(schema: &Value, root: &Root, prefix: &str, depth: usize, out: &mut String) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    let needed = schema.get("required").and_then(Value::as_array);
    for (key, property) in properties {
        if root.exhausted() {
            return;
        }
        let name = format!("{prefix}{key}");
        let mut about = kind(property, root, 0);
        if needed.is_some_and(|n| n.iter().any(|n| n == key)) {
            about.push_str(", needed");
        } else if let Some(default) = property.get("default").filter(|d| !d.is_null()) {
            let _ = write!(about, ", by default {default}");
        }
        let _ = writeln!(out, "  {}: {}", printable(&name), printable(&about));
        let own = description(property);
        if let Some(words) = own.or_else(|| description(resolved(property, root))) {
            let _ = writeln!(out, "      {}", printable(words));
        }
        for choice in choices(property, root) {
            let _ = writeln!(out, "      - {}", printable(&choice));
        }
        if depth < MAX_DEPTH {
            let inner = single(property, root);
            block(inner, root, &format!("{name}."), depth + 1, out);
            if let Some(item) = inner.get("items") {
                let item = single(item, root);
                block(item, root, &format!("{name}[]."), depth + 1, out);
            }
        }
    }
}

fn description(schema: &Value) -> Option<&str> {
    schema.get("description")?.as_str()
}

/// What a reference refers to.
fn resolved<'s>(schema: &'s Value, root: &'s Root) -> &'s Value {
    let target = schema.get("$ref").and_then(Value::as_str);
    let target = target.and_then(|t| root.schema.pointer(t.strip_prefix('#')?));
    target.unwrap_or(schema)
}

/// The only schema of several that is not null, as options that may be left out have it.
fn single<'s>(schema: &'s Value, root: &'s Root) -> &'s Value {
    let schema = resolved(schema, root);
    match alternatives(schema).as_slice() {
        [only] => resolved(only, root),
        _ => schema,
    }
}

fn alternatives(schema: &Value) -> Vec<&Value> {
    let any = schema.get("anyOf").or_else(|| schema.get("oneOf"));
    let any = any.and_then(Value::as_array).into_iter().flatten();
    any.filter(|s| s.get("type").is_none_or(|t| t != "null"))
        .collect()
}

/// What each value means that stands for itself, where the schema says.
fn choices(schema: &Value, root: &Root) -> Vec<String> {
    let schema = single(schema, root);
    let of = |s: &&Value| {
        let value = s.get("const")?;
        Some(format!("{}: {}", bare(value), description(s)?))
    };
    let many = alternatives(schema);
    many.iter().take(WIDEST).filter_map(of).collect()
}

/// What may be written, in words.
fn kind(schema: &Value, root: &Root, depth: usize) -> String {
    let schema = resolved(schema, root);
    if depth > MAX_DEPTH || root.exhausted() {
        return "more".to_owned();
    }
    if let Some(only) = schema.get("const") {
        return bare(only);
    }
    if let Some(any) = schema.get("enum").and_then(Value::as_array) {
        let any: Vec<String> = any
            .iter()
            .filter(|v| !v.is_null())
            .take(WIDEST)
            .map(bare)
            .collect();
        return any.join(" or ");
    }
    let many = alternatives(schema);
    if !many.is_empty() {
        let many: Vec<String> = many
            .iter()
            .take(WIDEST)
            .map(|s| kind(s, root, depth + 1))
            .collect();
        return many.join(" or ");
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let words: Vec<String> = types
        .into_iter()
        .filter(|t| *t != "null")
        .map(|t| match t {
            "string" => "text".to_owned(),
            "integer" => format!("whole number{}", bounds(schema)),
            "number" => format!("number{}", bounds(schema)),
            "boolean" => "true or false".to_owned(),
            "array" => match schema.get("items") {
                Some(item) => format!("list of {}", kind(item, root, depth + 1)),
                None => "list".to_owned(),
            },
            "object" => "block".to_owned(),
            other => other.to_owned(),
        })
        .collect();
    if words.is_empty() {
        "anything".to_owned()
    } else {
        words.join(" or ")
    }
}

fn bounds(schema: &Value) -> String {
    match (schema.get("minimum"), schema.get("maximum")) {
        (Some(low), Some(high)) => format!(" from {low} to {high}"),
        (Some(low), None) => format!(" from {low}"),
        (None, Some(high)) => format!(" up to {high}"),
        (None, None) => String::new(),
    }
}

/// A value as it may be written in a manifest.
fn bare(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn printable(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    shown::printable(&lines.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_told_with_type_default_and_choices() {
        let schema = r##"{
            "$defs": {
                "Method": { "description": "The methods.", "oneOf": [
                    { "const": "fast", "description": "Quick.", "type": "string" },
                    { "const": "slow", "description": "Not quick.", "type": "string" }
                ] },
                "Rule": { "type": "object", "required": ["column"], "properties": {
                    "column": { "type": "string" }
                } }
            },
            "type": "object",
            "required": ["method"],
            "properties": {
                "anywhere": { "default": false, "type": "boolean", "description": "Two\nlines." },
                "how-often": { "type": ["integer", "null"], "minimum": 1, "maximum": 9 },
                "method": { "$ref": "#/$defs/Method" },
                "rules": { "type": "array", "items": { "$ref": "#/$defs/Rule" } },
                "unit": { "anyOf": [{ "enum": ["day", "year"] }, { "type": "null" }], "default": null }
            }
        }"##;
        assert_eq!(
            options(schema),
            "  anywhere: true or false, by default false
      Two lines.
  how-often: whole number from 1 to 9
  method: fast or slow, needed
      The methods.
      - fast: Quick.
      - slow: Not quick.
  rules: list of block
  rules[].column: text, needed
  unit: day or year
"
        );
    }

    #[test]
    fn a_plugins_schema_cannot_hang_or_write_on_the_terminal() {
        let circle = r##"{ "$defs": { "A": { "type": "array", "items": { "$ref": "#/$defs/A" },
            "properties": { "a": { "$ref": "#/$defs/A" }, "b": { "$ref": "#/$defs/A" } } } },
            "properties": { "a": { "$ref": "#/$defs/A" } } }"##;
        assert!(options(circle).len() < 1_000_000);
        let many = vec![r##"{ "$ref": "#/$defs/A" }"##; 1000].join(", ");
        let wide = format!(
            r##"{{ "$defs": {{ "A": {{ "anyOf": [{many}] }} }}, "properties": {{ "a": {{ "$ref": "#/$defs/A" }} }} }}"##
        );
        assert!(options(&wide).len() < 1_000_000);
        let evil = r#"{ "properties": { "a\u001b[2J": { "type": "\u009b31m",
            "description": "\u202eb\u0007", "default": "\u001b" } } }"#;
        let shown = options(evil);
        assert!(
            !shown.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{7}']),
            "{shown:?}"
        );
        for odd in ["", "[]", "{}", "3", r#"{"properties": 3}"#] {
            assert!(!options(odd).is_empty());
        }
    }
}
