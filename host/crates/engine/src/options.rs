//! Finds options in a `with:` block that a standard plugin does not have, using its schema.
//! Values are left to the plugin, and schemas of other plugins are not used.

use glovebox_core::shown::printable;
use serde_json::Value;

use glovebox_manifest::closest;
use glovebox_manifest::diagnostic::Diagnostic;
use glovebox_manifest::model::With;

/// Blocks within blocks that are looked at.
const MAX_DEPTH: usize = 8;

/// Every option that there is not, at its place.
pub(crate) fn unknown(plugin: &str, with: &With, schema: &str) -> Vec<Diagnostic> {
    let Ok(schema) = serde_json::from_str::<Value>(schema) else {
        return Vec::new();
    };
    let mut look = Look {
        plugin,
        with,
        root: &schema,
        problems: Vec::new(),
    };
    look.at("", &with.value, &schema, 0);
    look.problems
}

struct Look<'l> {
    plugin: &'l str,
    with: &'l With,
    root: &'l Value,
    problems: Vec<Diagnostic>,
}

impl Look<'_> {
    fn at(&mut self, pointer: &str, value: &Value, schema: &Value, depth: usize) {
        let reference = schema.get("$ref").and_then(Value::as_str);
        let target = reference.and_then(|r| self.root.pointer(r.strip_prefix('#')?));
        let schema = target.unwrap_or(schema).clone();
        if depth > MAX_DEPTH {
            return;
        }
        match value {
            Value::Object(members) => {
                let Some(known) = schema.get("properties").and_then(Value::as_object) else {
                    return;
                };
                let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
                for (name, value) in members {
                    // As RFC 6901 has it.
                    let step = name.replace('~', "~0").replace('/', "~1");
                    let pointer = format!("{pointer}/{step}");
                    match known.get(name) {
                        Some(schema) => self.at(&pointer, value, schema, depth + 1),
                        None if closed => {
                            let free = known.keys().map(String::as_str);
                            let free = free.filter(|option| !members.contains_key(*option));
                            let near = closest(name, free);
                            self.say(&pointer, name, near, known.keys());
                        }
                        None => {}
                    }
                }
            }
            Value::Array(items) => {
                let Some(of) = schema.get("items") else {
                    return;
                };
                for (place, item) in items.iter().enumerate() {
                    self.at(&format!("{pointer}/{place}"), item, of, depth + 1);
                }
            }
            _ => {}
        }
    }

    fn say<'k>(
        &mut self,
        pointer: &str,
        name: &str,
        near: Option<&str>,
        known: impl Iterator<Item = &'k String>,
    ) {
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let known: Vec<&str> = known.map(String::as_str).collect();
                match known.as_slice() {
                    [] => "it has no options; delete the line".to_owned(),
                    known => format!("its options are: {}", known.join(", ")),
                }
            }
        };
        let short: String = printable(name).chars().take(60).collect();
        let problem = format!("`{}` has no option `{short}`", self.plugin);
        let problem = Diagnostic::error(self.with.span_of(pointer), problem);
        self.problems.push(problem.help(help));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn told(with: Value) -> Vec<(String, String)> {
        let schema = json!({
            "additionalProperties": false,
            "properties": {
                "keep-first": { "type": "integer" },
                "rules": { "type": "array", "items": { "$ref": "#/$defs/Rule" } },
                "free": { "type": "object" },
            },
            "$defs": { "Rule": { "additionalProperties": false, "properties": { "prefix": {} } } },
        });
        let with = With::new(with, 0..1, BTreeMap::new());
        let problems = unknown("partial", &with, &schema.to_string());
        let told = problems.into_iter();
        told.map(|p| (p.message, p.help.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn every_option_that_there_is_not_is_told_with_the_one_that_was_meant() {
        assert_eq!(told(json!({ "keep-first": 1, "free": { "x": 1 } })), []);
        let found = told(json!({
            "keep_first": 1, "colour": 2, "rules": [{ "prefix": 1 }, { "prefx": 1 }],
        }));
        let text = |message: &str, help: &str| (message.to_owned(), help.to_owned());
        let all = "its options are: free, keep-first, rules";
        assert_eq!(
            found,
            [
                text("`partial` has no option `colour`", all),
                text(
                    "`partial` has no option `keep_first`",
                    "did you mean `keep-first`?"
                ),
                text("`partial` has no option `prefx`", "did you mean `prefix`?"),
            ]
        );
    }
}
